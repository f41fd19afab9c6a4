"""Sanic's part of the runtime: its settings, and the edge around every request."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any, Final, TypeVar, cast
from urllib.parse import unquote

from sanic import Request
from sanic.config import Config
from sanic.exceptions import (
    MethodNotAllowed,
    NotFound,
    RequestTimeout,
    SanicException,
    WebsocketClosed,
)
from sanic.http import Http, Stage
from sanic.router import Router
from sanic.server.protocols.websocket_protocol import WebSocketProtocol
from websockets.exceptions import ConnectionClosed

from . import telemetry
from .document import route_of
from .http import MAX_HEADER_BYTES, NOSNIFF, Problem, check_host
from .settings import Settings
from .stream import MOST_HEARD_BYTES, PING_SECONDS, SEND_BUFFER_BYTES, check_handshake
from .telemetry import METHODS, QUIET_PATHS, Exchange

Handler = TypeVar("Handler", bound=Callable[..., Any])

IN_FLIGHT_SECONDS: Final = 30
REQUEST_SECONDS: Final = 30  # for head and body together
CLIENT_GONE: Final = 499
# So much of what is too large is still taken, so that its sender comes to read the refusal.
_LINGER_BYTES: Final = 1_048_576

draining = threading.Event()


def configuration(settings: Settings) -> Config:
    """Sanic's own settings; none of them is read from the environment."""
    return Config(
        {
            "ACCESS_LOG": False,
            "AUTO_EXTEND": False,
            "GRACEFUL_SHUTDOWN_TIMEOUT": IN_FLIGHT_SECONDS,
            "KEEP_ALIVE_TIMEOUT": REQUEST_SECONDS,
            "REQUEST_MAX_SIZE": settings.max_body_bytes + _LINGER_BYTES,
            "REQUEST_TIMEOUT": REQUEST_SECONDS,
            "RESPONSE_TIMEOUT": 2 * IN_FLIGHT_SECONDS,
            "WEBSOCKET_MAX_SIZE": MOST_HEARD_BYTES,
            "WEBSOCKET_PING_INTERVAL": PING_SECONDS,
            "WEBSOCKET_PING_TIMEOUT": PING_SECONDS,
        },
        env_prefix=None,
    )


class PathRouter(Router):
    """Routes for a path as it is meant, whatever of it is escaped; GET answers HEAD too."""

    def get(self, path: str, method: str, host: str | None) -> Any:  # type: ignore[override]
        return super().get(unquote(path), "GET" if method == "HEAD" else method, host)


class Edge(Http):
    """One connection's requests: ids, log line, metrics, bounds on headers and body.

    A request is taken in as a whole before its handler is looked for.
    """

    HEADER_MAX_SIZE = 131_072  # much less is refused with an answer
    __slots__ = ("exchange",)

    exchange: Exchange | None

    def init_for_request(self) -> None:
        super().init_for_request()  # type: ignore[no-untyped-call]
        self.exchange = None

    async def http1(self) -> None:
        try:
            await super().http1()  # type: ignore[no-untyped-call]
        finally:
            self.answered(CLIENT_GONE)

    async def http1_request_header(self) -> None:
        try:
            await super().http1_request_header()  # type: ignore[no-untyped-call]
        except SanicException:
            self.url = None  # Sanic could not make a request of it, and would try it again
            raise
        self.expect_answer()
        self._check(self.request.app.ctx.settings)
        await self.request.receive_body()

    async def read(self) -> bytes | None:
        data: bytes | None = await super().read()
        if self.stage is Stage.REQUEST:
            self._check_size(self.request.app.ctx.settings)
        return data

    async def http1_response_header(self, data: bytes, end_stream: bool) -> None:
        exchange, status = self.expect_answer(), self.response.status
        if draining.is_set():
            self.keep_alive = False  # the client's next request is another replica's
        self.response.headers["X-Request-ID"] = exchange.request_id
        self.response.headers[NOSNIFF[0]] = NOSNIFF[1]
        try:
            await super().http1_response_header(data, end_stream)
        finally:
            self.answered(status)

    async def error_response(self, exception: Exception) -> None:
        if isinstance(exception, RequestTimeout):
            self.request_body = None  # the rest of it is not waited for
        await super().error_response(exception)

    def expect_answer(self) -> Exchange:
        """The exchange that is going on, begun if it was not."""
        if self.exchange is None:
            headers = self.request.headers
            self.exchange = telemetry.begin(
                self.request.method,
                unquote(self.request.path),
                headers.get("X-Request-ID"),
                headers.get("traceparent"),
            )
        return self.exchange

    def answered(self, status: int) -> None:
        """Count and log the exchange that is going on, if there is one."""
        if self.exchange is not None:
            self.exchange.route = route_of(self.exchange.path)
            telemetry.finish(self.exchange, status)
            self.exchange = None

    def _check(self, settings: Settings) -> None:
        headers = self.request.headers
        # Methods tell upper from lower case, and two hosts are for two readers of a request.
        if not self.request.method.isupper() or len(headers.getall("Host", ())) > 1:
            raise Problem(400)
        size = sum(len(name) + len(value) for name, value in headers.items())
        if size + len(self.request.query_string) > MAX_HEADER_BYTES:
            raise Problem(431)
        if settings.allowed_hosts and unquote(self.request.path) not in QUIET_PATHS:
            check_host(headers.get("Host", ""), settings.allowed_hosts)
        self._check_size(settings)

    def _check_size(self, settings: Settings) -> None:
        if (self.request_bytes or 0) > settings.max_body_bytes:
            if self.expecting_continue:  # then nothing of the body will come
                self.expecting_continue, self.request_body = False, None
            raise Problem(413)


def exchange_of(request: Request) -> Exchange:
    """What is known of a request."""
    return cast(Edge, request.stream).expect_answer()


def allowed_methods(request: Request) -> set[str]:
    """Every method that some route has for the path of a request."""
    found = set()
    for method in METHODS:
        with suppress(NotFound, MethodNotAllowed):
            request.app.router.get(request.path, method, None)
            found.add(method)
    return found


def may_follow_stream(handler: Handler) -> Handler:
    """Let a handler return nothing, because the connection has become a WebSocket."""
    handler.is_websocket = True  # type: ignore[attr-defined]
    return handler


async def follow_stream(request: Request) -> None:
    """Make the connection a WebSocket that the application's stream is pushed to, until it ends."""
    check_handshake(request.headers, request.app.ctx.settings.allowed_hosts)
    protocol = cast(WebSocketProtocol, request.transport.get_protocol())
    socket = request.transport.get_extra_info("socket")
    socket.setsockopt(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES)
    connection = await protocol.websocket_handshake(request)
    cast(Edge, request.stream).answered(101)
    stream = request.app.ctx.stream
    reader = stream.join(connection.send, connection.end_connection)
    try:
        async for _ in connection:
            """What a reader says is not listened to."""
    except (asyncio.CancelledError, ConnectionClosed, WebsocketClosed):
        """It has gone, or was closed."""
    finally:
        stream.leave(reader)
        connection.end_connection()
