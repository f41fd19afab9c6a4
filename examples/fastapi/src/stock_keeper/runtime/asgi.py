"""The outermost layer of the service, which handles every request and response."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import partial
from typing import Any, Final

import structlog

from . import Unavailable, telemetry
from .bodies import LARGE, AsyncPlaces
from .database import READINESS_SECONDS
from .endpoints import Endpoints, Reply
from .http import (
    BODILESS,
    MAX_HEADER_BYTES,
    NOSNIFF,
    PROBLEM_CONTENT_TYPE,
    Problem,
    check_host,
    problem_of,
    too_many_bodies,
)
from .lifecycle import draining
from .settings import Settings
from .telemetry import QUIET_PATHS, RequestContext
from .threads import Threads

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
RawHeaders = Iterable[tuple[bytes, bytes]]

CONTEXT: Final = "service.context"
REJECTED: Final = "service.rejected"
BODY_SECONDS: Final = 20
CROWDED_SECONDS: Final = 5  # for the rest of a large body, if no other slot is free
# Clients whose requests have arrived but have no response yet; read by the server.
answering: Final[set[tuple[str, int]]] = set()
# How long shutdown waits for tasks that run after their responses.
TASK_SECONDS: Final = 20
_NOSNIFF = (NOSNIFF[0].lower().encode(), NOSNIFF[1].encode())


def is_answering(peer: tuple[str, int], *_: float) -> bool:
    """Whether this is a request or a WebSocket."""
    return peer in answering


class ServiceMiddleware:
    """ASGI middleware: request IDs, log line, metrics, limits on headers and body, endpoints.

    The application sees HEAD as GET, and every header on one line.
    """

    def __init__(self, app: ASGIApp, settings: Settings, endpoints: Endpoints) -> None:
        self._app = app
        self._endpoints = endpoints
        self._max_body_bytes = settings.max_body_bytes
        self._allowed_hosts = settings.allowed_hosts
        self._root_path = settings.root_path
        self._probe_threads = Threads(READINESS_SECONDS)
        self._places = AsyncPlaces()
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, partial(self._receive_event, receive), send)
            return
        host, port = scope.get("client") or ("", 0)  # granian passes the port as text
        answering.add(peer := (host.removeprefix("::ffff:"), int(port)))
        try:
            await self._handle(scope, receive, send)
        finally:
            answering.discard(peer)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _joined(scope["headers"])
        context = telemetry.begin(
            scope["method"],
            scope["path"],
            _text(headers.get(b"x-request-id")),
            _text(headers.get(b"traceparent")),
        )
        body = _RequestBody(receive, headers, self._max_body_bytes, self._places)
        response = _Response(send, context, body, self._endpoints, scope["method"] == "HEAD")
        del receive, send
        self._running += 1
        try:
            await self._respond({**scope, "headers": headers, CONTEXT: context}, body, response)
        except Exception as error:
            await response.failed(error)
        finally:
            self._running -= 1
            response.finish()
            response.release()
            body.release()
            structlog.contextvars.clear_contextvars()

    async def _receive_event(self, receive: Receive) -> Message:
        """The next lifespan event; shutdown is delayed until no request has a running task."""
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            end = time.monotonic() + TASK_SECONDS
            while self._running and time.monotonic() < end:
                await asyncio.sleep(0.05)
        return message

    async def _respond(self, scope: Scope, body: "_RequestBody", response: "_Response") -> None:
        headers, context, method = scope["headers"], scope[CONTEXT], scope["method"]
        scope["headers"] = list(headers.items())
        rejected = self._rejected(scope, headers, context)
        if self._endpoints.has(context.path):
            if rejected is not None:
                raise rejected
            await response.reply(await self._reply(method, context.path))
            return
        if method == "HEAD":
            scope["method"] = "GET"
        if self._root_path:  # in ASGI it is part of the path
            scope["root_path"] = self._root_path
            scope["path"] = self._root_path + scope["path"]
            scope["raw_path"] = self._root_path.encode() + scope["raw_path"]
        if rejected is None:
            await self._app(scope, body.receive, response.send)
        else:
            # The framework responds, so that its own middleware, such as CORS, sees the response.
            scope[REJECTED] = rejected
            await self._app(scope, _no_body, response.send)

    async def _reply(self, method: str, path: str) -> Reply:
        if not self._endpoints.blocks(path):
            return self._endpoints.reply(method, path)
        try:
            return await self._probe_threads.run(self._endpoints.reply, method, path)
        except Unavailable:
            return self._endpoints.overdue()

    def _rejected(
        self, scope: Scope, headers: dict[bytes, bytes], context: RequestContext
    ) -> Problem | None:
        """Why the request is rejected before it reaches the framework, if it is."""
        if not scope["method"].isupper():  # methods are case-sensitive
            return Problem(400)
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size + len(scope["query_string"]) > MAX_HEADER_BYTES:
            return Problem(431)
        if self._allowed_hosts and context.path not in QUIET_PATHS:
            try:
                check_host(headers.get(b"host", b"").decode("latin-1"), self._allowed_hosts)
            except Problem as problem:
                return problem
        length = headers.get(b"content-length", b"")
        return Problem(413) if length.isdigit() and int(length) > self._max_body_bytes else None


class _RequestBody:
    """The request's body, limited in size and time."""

    def __init__(
        self, receive: Receive, headers: dict[bytes, bytes], limit: int, places: AsyncPlaces
    ) -> None:
        self._receive = receive
        self._limit = limit
        self._places = places
        self._has_place = False
        self._size = 0
        self.complete = (
            headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers
        )
        self._end: float | None = None

    async def receive(self) -> Message:
        """The next ASGI message; raises a `Problem` with 413, 408, 400 or 503."""
        if self.complete:
            return await self._receive()
        if self._size >= LARGE and not self._has_place:
            self._has_place = await self._places.acquire()
            if not self._has_place:
                raise too_many_bodies()
            if self._places.is_full():  # another client is waiting for this slot
                self._end = asyncio.get_running_loop().time() + CROWDED_SECONDS
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

    def release(self) -> None:
        """Drop the server's side, which closes the connection once nothing refers to it.

        A stored exception would keep it alive through the frames of its traceback.
        """
        self._receive = _disconnected
        if self._has_place:
            self._has_place = False
            self._places.release()


class _Response:
    """Records the status of a response and adds the common headers."""

    def __init__(
        self,
        send: Send,
        context: RequestContext,
        body: _RequestBody,
        endpoints: Endpoints,
        bodiless: bool,
    ) -> None:
        self._send = send
        self._context = context
        self._body = body
        self._endpoints = endpoints
        self._bodiless = bodiless
        self._started = False
        self._finished = False
        self._status = 500

    async def send(self, message: Message) -> None:
        """Send an ASGI message."""
        if message["type"] == "http.response.start":
            self._started = True
            self._status = message["status"]
            message = {**message, "headers": list(self._headers(message.get("headers", ())))}
            await self._send(message)
        elif message["type"] == "http.response.body":
            await self._send({**message, "body": b""} if self._bodiless else message)
            if not message.get("more_body", False):
                self.finish()
        else:
            await self._send(message)

    async def reply(self, reply: Reply) -> None:
        """Send a complete response."""
        headers = dict(reply.headers)
        if reply.content_type:
            headers["content-type"] = reply.content_type
        if reply.status not in BODILESS:
            headers["content-length"] = str(len(reply.body))
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": reply.status, "headers": raw})
        await self.send({"type": "http.response.body", "body": reply.body})

    async def failed(self, error: Exception) -> None:
        """Send the problem for an error; a response that has started can only be cut off."""
        if self._finished:  # in a task after the response, or the framework has already responded
            problem_of(error)
            return
        if self._started:
            raise error
        problem = problem_of(error)
        body = problem.body(self._context.path, self._context.request_id)
        await self.reply(Reply(problem.status, PROBLEM_CONTENT_TYPE, body, problem.headers))

    def finish(self) -> None:
        """Count the request and log its line, once; later tasks do not count towards its duration.

        Lines that they log still carry the IDs of the request.
        """
        if self._finished:
            return
        self._finished = True
        context = self._context
        context.route = context.route or self._endpoints.route_of(context.path)
        telemetry.finish(context, self._status)
        structlog.contextvars.bind_contextvars(
            request_id=context.request_id, trace_id=context.trace_id
        )

    def release(self) -> None:
        """Drop the server's side, as `_RequestBody` does."""
        self._send = _dropped

    def _headers(self, headers: RawHeaders) -> RawHeaders:
        for name, value in headers:
            if name != b"content-type" or self._status not in BODILESS:
                yield name, value
        yield b"x-request-id", self._context.request_id.encode()
        yield _NOSNIFF
        # The rest of the body is not read; the client's next request goes to another replica.
        if not self._body.complete or draining.is_set():
            yield b"connection", b"close"


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _disconnected() -> Message:
    return {"type": "http.disconnect"}


async def _dropped(message: Message) -> None:
    """Ignore messages sent after the response is complete."""


def _joined(headers: RawHeaders) -> dict[bytes, bytes]:
    """Combine repeated headers: several lines are equivalent to a list of their values."""
    lines: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        lines.setdefault(name, []).append(value)
    return {
        name: values[0]
        if len(values) == 1
        else (b"; " if name == b"cookie" else b", ").join(values)
        for name, values in lines.items()
    }


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")
