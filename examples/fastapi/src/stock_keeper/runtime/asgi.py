"""The outermost layer: what holds for every answer, whatever is inside and whatever is sent."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from . import telemetry
from .http import (
    BODILESS,
    MAX_HEADER_BYTES,
    NOSNIFF,
    PROBLEM_CONTENT_TYPE,
    Problem,
    check_host,
    problem_of,
)
from .server import draining
from .settings import Settings
from .telemetry import QUIET_PATHS, Exchange

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
RawHeaders = Iterable[tuple[bytes, bytes]]

BODY_SECONDS: Final = 20
_NOSNIFF = (NOSNIFF[0].lower().encode(), NOSNIFF[1].encode())


class Edge:
    """An ASGI application around another: ids, log line, metrics, bounds on headers and body.

    `route_of` tells which template matched, from the scope as the inner application leaves it.
    Inside, HEAD is GET, and every header has one line.
    """

    def __init__(self, app: ASGIApp, settings: Settings, route_of: Callable[[Scope], str]) -> None:
        self._app = app
        self._route_of = route_of
        self._max_body_bytes = settings.max_body_bytes
        self._allowed_hosts = settings.allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _joined(scope["headers"])
        exchange = telemetry.begin(
            scope["method"],
            scope["path"],
            _text(headers.get(b"x-request-id")),
            _text(headers.get(b"traceparent")),
        )
        body = _Body(receive, headers, self._max_body_bytes)
        answer = _Answer(send, exchange, body, bodiless=scope["method"] == "HEAD")
        inner = {**scope, "headers": list(headers.items())}
        if scope["method"] == "HEAD":
            inner["method"] = "GET"
        try:
            self._check(scope, headers, exchange)
            await self._app(inner, body.receive, answer.send)
        except Exception as error:
            await answer.problem(problem_of(error))
        finally:
            exchange.route = self._route_of(inner)
            telemetry.finish(exchange, answer.status)

    def _check(self, scope: Scope, headers: dict[bytes, bytes], exchange: Exchange) -> None:
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size + len(scope["query_string"]) > MAX_HEADER_BYTES:
            raise Problem(431)
        if self._allowed_hosts and exchange.path not in QUIET_PATHS:
            check_host(headers.get(b"host", b"").decode("latin-1"), self._allowed_hosts)


class _Body:
    """The body as it comes in: bounded in its size and in the time that it takes."""

    def __init__(self, receive: Receive, headers: dict[bytes, bytes], limit: int) -> None:
        self._receive = receive
        self._limit = limit
        length = headers.get(b"content-length", b"")
        self._declared = int(length) if length.isdigit() else 0
        self._size = 0
        self.complete = self._declared == 0 and b"transfer-encoding" not in headers
        self._end: float | None = None

    async def receive(self) -> Message:
        """The next message, as ASGI has it; a `Problem` with 413, 408 or 400 instead of some."""
        if self.complete:
            return await self._receive()
        if self._declared > self._limit:
            raise Problem(413)
        self._end = self._end or asyncio.get_running_loop().time() + BODY_SECONDS
        try:
            async with asyncio.timeout_at(self._end):
                message = await self._receive()
        except TimeoutError:
            raise Problem(408) from None
        if message["type"] == "http.disconnect":
            raise Problem(400, "The body ended before its end.")
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise Problem(413)
        self.complete = not message.get("more_body", False)
        return message


class _Answer:
    """The answer as it goes out: remembers its status, adds the headers that all have."""

    def __init__(self, send: Send, exchange: Exchange, body: _Body, *, bodiless: bool) -> None:
        self._send = send
        self._exchange = exchange
        self._body = body
        self._bodiless = bodiless
        self._started = False
        self.status = 500

    async def send(self, message: Message) -> None:
        """Send a message, as ASGI has it."""
        if message["type"] == "http.response.start":
            self._started = True
            self.status = message["status"]
            message = {**message, "headers": list(self._headers(message.get("headers", ())))}
        elif self._bodiless and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)

    async def problem(self, problem: Problem) -> None:
        """Answer with a problem, unless an answer has begun: then it can only be cut off."""
        if self._started:
            raise problem
        body = problem.body(self._exchange.path, self._exchange.request_id)
        headers = {
            "content-type": PROBLEM_CONTENT_TYPE,
            "content-length": str(len(body)),
            **problem.headers,
        }
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        status = problem.status.value
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})

    def _headers(self, headers: RawHeaders) -> RawHeaders:
        for name, value in headers:
            if name != b"content-type" or self.status not in BODILESS:
                yield name, value
        yield b"x-request-id", self._exchange.request_id.encode()
        yield _NOSNIFF
        # What is left of the body is not read; the next request is another replica's.
        if not self._body.complete or draining.is_set():
            yield b"connection", b"close"


def _joined(headers: RawHeaders) -> dict[bytes, bytes]:
    """Each header once: several lines of one name mean the same as a list of their values."""
    joined: dict[bytes, bytes] = {}
    for name, value in headers:
        joint = b"; " if name == b"cookie" else b", "
        joined[name] = joined[name] + joint + value if name in joined else value
    return joined


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")
