"""Sanic's HTTP protocol, with the rules for every request and response."""

import asyncio
import re
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import unquote

from sanic import Request
from sanic.exceptions import BadRequest, RequestTimeout, SanicException
from sanic.http import Http, Stage
from sanic.server.protocols.websocket_protocol import WebSocketProtocol

from . import telemetry
from .bodies import LARGE
from .http import MAX_HEADER_BYTES, NOSNIFF, Problem, check_host, too_many_bodies
from .lifecycle import draining
from .telemetry import QUIET_PATHS, RequestContext

if TYPE_CHECKING:
    from .service import Service

CLIENT_GONE: Final = 499
_CONTROL: Final = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n")
_SIZE: Final = re.compile("[0-9A-Fa-f]{1,16}[ \t]*")


class ServiceHttp(Http):
    """The requests of one connection: IDs, log line, metrics, limits on headers and body.

    The body is read before the request is routed.
    """

    HEADER_MAX_SIZE = 131_072  # much smaller headers are already rejected with a response
    __slots__ = ("context", "has_place")

    context: RequestContext | None
    has_place: bool  # a slot for a large body
    protocol: "Protocol"

    def init_for_request(self) -> None:
        super().init_for_request()  # type: ignore[no-untyped-call]
        self.context = None
        self.has_place = False

    async def http1(self) -> None:
        try:
            await super().http1()  # type: ignore[no-untyped-call]
        finally:
            self.finish(CLIENT_GONE)

    async def http1_request_header(self) -> None:
        try:
            await super().http1_request_header()  # type: ignore[no-untyped-call]
        except SanicException:
            self.url = None  # Sanic would try to parse it again for its error response
            raise
        context_of(self.request)
        self._check()
        await self.request.receive_body()

    async def read(self) -> bytes | None:
        framing: object = self.request_body
        if framing == "chunked" and not self.request_bytes_left:
            await self._check_end_of_chunk()
        data: bytes | None = await super().read()
        if self.stage is Stage.REQUEST:
            self._check_size()
            if (self.request_bytes or 0) > LARGE and not self.has_place:
                self.has_place = await self.protocol.app.places.acquire()
                if not self.has_place:
                    raise too_many_bodies()
        return data

    async def _check_end_of_chunk(self) -> None:
        while len(self.recv_buffer) < 2:
            await self._receive_more()
        if self.recv_buffer[:2] != b"\r\n":
            self.keep_alive, self.request_body = False, None
            raise BadRequest("Bad chunked encoding")

    @staticmethod
    def _safe_int(value: str, base: int = 10) -> int:
        """The size of a body or chunk; Sanic would accept 0x and any white space."""
        if not _SIZE.fullmatch(value):
            raise ValueError(value)
        return int(value, base)

    async def http1_response_header(self, data: bytes, end_stream: bool) -> None:
        context, status = self.context or context_of(self.request), self.response.status
        if draining.is_set():
            self.keep_alive = False  # the client's next request goes to another replica
        self.response.headers["X-Request-ID"] = context.request_id
        self.response.headers[NOSNIFF[0]] = NOSNIFF[1]
        try:
            await super().http1_response_header(data, end_stream)
        finally:
            self.finish(status)

    async def error_response(self, exception: Exception) -> None:
        if isinstance(exception, RequestTimeout):
            self.request_body = None  # do not wait for the rest
        await super().error_response(exception)

    def finish(self, status: int) -> None:
        """Count and log the request in progress, if there is one."""
        if self.has_place:
            self.has_place = False
            self.protocol.app.places.release()
        if self.context is not None:
            self.context.route = self.protocol.app.route_of(self.request)
            telemetry.finish(self.context, status)
            self.context = None

    def _check(self) -> None:
        headers, settings = self.request.headers, self.protocol.app.settings
        # Methods are case-sensitive, and a proxy may interpret control characters or two hosts
        # differently.
        is_odd = len(headers.getall("Host", ())) > 1 or _CONTROL.search(self.request.head)
        if is_odd or not self.request.method.isupper():
            raise Problem(400)
        size = sum(len(name) + len(value) for name, value in headers.items())
        if size + len(self.request.query_string) > MAX_HEADER_BYTES:
            raise Problem(431)
        if settings.allowed_hosts and unquote(self.request.path) not in QUIET_PATHS:
            check_host(headers.get("Host", ""), settings.allowed_hosts)
        self._check_size()

    def _check_size(self) -> None:
        if (self.request_bytes or 0) > self.protocol.app.settings.max_body_bytes:
            if self.expecting_continue:  # the client will not send the body
                self.expecting_continue, self.request_body = False, None
            raise Problem(413)


class Protocol(WebSocketProtocol):
    """A connection; a request's time limit starts at its first byte, not anew at each."""

    HTTP_CLASS = ServiceHttp
    app: "Service"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[no-untyped-call]
        self.app.connections = self.connections

    async def connection_task(self) -> None:
        # Sanic listens before it handles signals, so an earlier response could be followed by one.
        if self.app.started is not None:
            await self.app.started.wait()
        await super().connection_task()  # type: ignore[no-untyped-call]

    def data_received(self, data: bytes) -> None:
        began, http = self._time, self.http
        super().data_received(data)  # type: ignore[no-untyped-call]
        if http is not None and (http.stage is Stage.REQUEST or http.request_body):
            self._time = began


def context_of(request: Request) -> RequestContext:
    """The context of a request, observed from the first call on."""
    stream = cast(ServiceHttp, request.stream)  # or ASGI's, in a test client
    context: RequestContext | None = getattr(stream, "context", None)
    if context is None:
        headers = request.headers
        context = telemetry.begin(
            request.method,
            unquote(request.path),
            headers.get("X-Request-ID"),
            headers.get("traceparent"),
        )
        stream.context = context
    return context
