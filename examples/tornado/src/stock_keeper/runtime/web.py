"""Tornado's part of the runtime: the application, the base of its handlers, the edge around all."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any, Final, ParamSpec, TypeVar, cast
from urllib.parse import unquote

from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.routing import PathMatches, Rule, URLSpec
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler

from . import NotFound, telemetry
from .database import READINESS_SECONDS, Database
from .document import route_of
from .http import (
    MAX_HEADER_BYTES,
    NOSNIFF,
    PROBLEM_CONTENT_TYPE,
    Problem,
    check_host,
    problem_of,
)
from .server import draining
from .settings import Settings
from .stream import (
    MOST_HEARD_BYTES,
    PING_SECONDS,
    SEND_BUFFER_BYTES,
    Reader,
    Stream,
    check_handshake,
    wants_stream,
)
from .telemetry import QUIET_PATHS, Exchange
from .threads import Threads

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# So much of what is too large is still taken, so that its sender comes to read the refusal.
_LINGER_BYTES: Final = 1_048_576
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_UNRESERVED = re.compile(r"%(2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)", re.I)


class Service(Application):
    """An application with what its handlers share, and with an edge around each request."""

    def __init__(
        self,
        settings: Settings,
        routes: Sequence[Rule],
        check: Callable[[HTTPServerRequest], object] = lambda _: None,
    ) -> None:
        super().__init__(
            list(routes),
            default_handler_class=Handler,
            log_function=lambda _: None,  # the edge logs
            websocket_ping_interval=PING_SECONDS,
            websocket_max_message_size=MOST_HEARD_BYTES,
        )
        self.check = check
        self.allowed_hosts = settings.allowed_hosts
        self.max_body_bytes = settings.max_body_bytes
        self.database = Database(settings)
        self.threads = Threads(settings.database_timeout_seconds)
        self.probe_threads = Threads(READINESS_SECONDS)
        self.stream = Stream(settings)
        self.in_flight: set[Edge] = set()

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        inner = super().start_request(server_conn, request_conn)
        return Edge(self, cast(HTTP1Connection, request_conn), inner)

    async def end(self) -> None:
        """Close the stream, wait for the answers of what is in flight, let the database go."""
        await self.stream.end(seconds=2)
        while self.in_flight:
            await asyncio.sleep(0.02)

    def close(self) -> None:
        """Let go of the threads and of the database."""
        self.threads.close()
        self.probe_threads.close()
        self.database.close()


class Edge(HTTPMessageDelegate):
    """One request on its way in: ids, log line, metrics, bounds on headers and body."""

    exchange: Exchange

    def __init__(
        self, service: Service, connection: HTTP1Connection, inner: HTTPMessageDelegate
    ) -> None:
        self._service = service
        self._connection = connection
        self._inner = inner
        self._received = 0
        self._answered = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        assert isinstance(start_line, RequestStartLine)  # noqa: S101  a server gets nothing else
        target = _plain(start_line.path)
        path, _, query = target.partition("?")
        self.exchange = telemetry.begin(
            start_line.method,
            unquote(path),
            headers.get("X-Request-ID"),
            headers.get("traceparent"),
        )
        current.set(self)
        self._service.in_flight.add(self)
        try:
            self._check(start_line.method, headers, query)
            return self._inner.headers_received(start_line._replace(path=target), headers)
        except Problem as problem:
            self._refuse(problem)
        except HTTPInputError:
            self._refuse(Problem(400))
        if not self._is_worth_taking(headers):
            self._connection.finish()
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._received += len(chunk)
        if self._received > self._service.max_body_bytes and not self._answered:
            self._refuse(Problem(413))
        if not self._answered:
            return self._inner.data_received(chunk)
        if self._received > self._service.max_body_bytes + _LINGER_BYTES:
            self._connection.finish()
        return None

    def finish(self) -> None:
        if self._answered:
            self._connection.finish()
            self._connection.close()
        else:
            self._inner.finish()

    def on_connection_close(self) -> None:
        """The request never arrived as a whole."""
        self._inner.on_connection_close()
        if not self._answered:
            self._log(400)
            self._service.in_flight.discard(self)

    def answered(self, status: int, sent: "asyncio.Future[None]") -> None:
        """The answer is on its way; until it is sent, the request counts as being in flight."""
        self._answered = True
        self._log(status)
        sent.add_done_callback(lambda _: self._service.in_flight.discard(self))

    def _log(self, status: int) -> None:
        self.exchange.route = self.exchange.route or route_of(self.exchange.path)
        telemetry.finish(self.exchange, status)

    def _check(self, method: str, headers: HTTPHeaders, query: str) -> None:
        if not method.isupper():  # methods tell upper from lower case
            raise Problem(400)
        size = sum(len(name) + len(value) for name, value in headers.get_all())
        if size + len(query) > MAX_HEADER_BYTES:
            raise Problem(431)
        if self._service.allowed_hosts and self.exchange.path not in QUIET_PATHS:
            check_host(headers.get("Host", ""), self._service.allowed_hosts)
        length = headers.get("Content-Length", "")
        if length.isdecimal() and int(length[:20]) > self._service.max_body_bytes:
            raise Problem(413)

    def _is_worth_taking(self, headers: HTTPHeaders) -> bool:
        """Whether a body that is refused is on its way, and not far too large."""
        if "Expect" in headers:
            return False
        length = headers.get("Content-Length", "")
        if "Transfer-Encoding" in headers:
            return not length and headers["Transfer-Encoding"].lower() == "chunked"
        most = self._service.max_body_bytes + _LINGER_BYTES
        return length.isdecimal() and int(length[:20]) <= most

    def _refuse(self, problem: Problem) -> None:
        """Answer at once; what still arrives of the body is then dropped, not left unread.

        A connection that is closed with something unread may lose the answer on its way.
        """
        body = problem.body(self.exchange.path, self.exchange.request_id)
        headers = HTTPHeaders(problem.headers)
        headers["Content-Type"] = PROBLEM_CONTENT_TYPE
        headers["Content-Length"] = str(len(body))
        headers["X-Request-ID"] = self.exchange.request_id
        headers[NOSNIFF[0]] = NOSNIFF[1]
        headers["Connection"] = "close"
        status = ResponseStartLine("", problem.status.value, problem.status.phrase)
        sent = self._connection.write_headers(status, headers, body)
        self.answered(problem.status.value, sent)


current: ContextVar[Edge] = ContextVar("edge")


class Handler(RequestHandler):
    """What every handler is made from; by itself it answers for paths that have no route."""

    application: Service

    def initialize(self, route: str = "") -> None:
        self.edge.exchange.route = route

    def prepare(self) -> None:
        self.application.check(self.request)

    def set_default_headers(self) -> None:
        self.edge = current.get()
        self.clear_header("Server")
        self.set_header("X-Request-ID", self.edge.exchange.request_id)
        self.set_header(*NOSNIFF)
        if draining.is_set():
            self.set_header("Connection", "close")  # the next request is another replica's

    def head(self, *args: str, **kwargs: str) -> Awaitable[None] | None:
        return self.get(*args, **kwargs)

    def options(self, *_: str, **__: str) -> None:
        if not self.allowed():
            raise NotFound
        self.set_header("Allow", ", ".join(self.allowed()))
        self.set_status(204)

    def answer(self, body: str | bytes, content_type: str = "application/json") -> None:
        """Finish with a body of this type."""
        self.set_header("Content-Type", content_type)
        self.finish(body)

    async def in_thread(
        self,
        call: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """The result of a call that waits for the database; see `Threads.run`."""
        return await self.application.threads.run(call, *args, **kwargs)

    def allowed(self) -> list[str]:
        """The methods that this handler has, and the two that follow; none without a route."""
        own = {name for name in _METHODS if getattr(type(self), name.lower()) is not _NO_METHOD}
        follow = {"GET": {"HEAD", "OPTIONS"}}
        return sorted(own.union(*(follow.get(name, {"OPTIONS"}) for name in own)))

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> "asyncio.Future[None]":
        sent = super().finish(chunk)
        self.edge.answered(self.get_status(), sent)
        return sent

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else HTTPError(status_code)
        problem = problem_of(self._translated(error))
        self.set_status(problem.status.value)
        for name, value in problem.headers.items():
            self.set_header(name, value)
        exchange = self.edge.exchange
        self.answer(problem.body(exchange.path, exchange.request_id), PROBLEM_CONTENT_TYPE)

    def log_exception(self, *_: object) -> None:
        """`problem_of` has logged what a caller is not told."""

    def compute_etag(self) -> None:
        """An answer has the tag that its handler gives it, or none."""

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        return value.decode("utf-8", "replace")

    def _translated(self, error: Exception) -> Exception:
        """What Tornado itself refuses, as the problem that it is."""
        match error:
            case HTTPError(status_code=405):
                allow = ", ".join(self.allowed())
                return Problem(405, headers={"Allow": allow}) if allow else NotFound()
            case HTTPError() if isinstance(error.__cause__, HTTPInputError):
                return Problem(415)  # it reads forms before a handler may say that it takes none
            case HTTPError():
                return Problem(error.status_code)
        return error


_NO_METHOD = RequestHandler.get


class StreamHandler(Handler, WebSocketHandler):
    """A reader of the application's stream, connected by WebSocket."""

    reader: Reader

    async def get(self, *args: str, **kwargs: str) -> None:
        check_handshake(self.request.headers, self.application.allowed_hosts)
        await super().get(*args, **kwargs)

    def check_origin(self, _: str) -> bool:
        return True  # `get` has refused the others, with a problem for an answer

    def open(self, *_: str, **__: str) -> None:
        if self.ws_connection is not None and self.ws_connection.stream is not None:
            socket = self.ws_connection.stream.socket
            socket.setsockopt(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES)
        self.reader = self.application.stream.join(self.write_message, self.close)

    def on_message(self, _: str | bytes) -> None:
        """What a reader says is not listened to."""

    def on_close(self) -> None:
        self.application.stream.leave(self.reader)


class StreamMatches(PathMatches):
    """A path, for requests that ask to become a WebSocket; to others it may be something else."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return super().match(request) if wants_stream(request.headers) else None


def route(path: str, handler: type[Handler], name: str | None = None) -> URLSpec:
    """The rule for a path as the API's document writes it, `/v1/items/{item_id}`."""
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))
    return URLSpec(pattern, handler, {"route": path}, name)


def stream_route(path: str) -> Rule:
    """The rule for the WebSocket of the application's stream."""
    return Rule(StreamMatches(path), StreamHandler, {"route": path})


def _plain(target: str) -> str:
    """A request's target without a host, and without escapes of what needs none."""
    target = re.sub(r"^https?://[^/?]*", "", target, flags=re.I)
    path, mark, query = target.partition("?")
    return _UNRESERVED.sub(lambda match: chr(int(match[1], 16)), path) + mark + query
