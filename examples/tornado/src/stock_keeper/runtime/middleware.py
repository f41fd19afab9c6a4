"""The outermost layer of the service, which handles every request and response."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import unquote
from weakref import WeakSet

from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream

from . import Unavailable, health, telemetry
from .bodies import LARGE, AsyncPlaces
from .database import READINESS_SECONDS
from .endpoints import Endpoints, Reply
from .http import (
    MAX_HEADER_BYTES,
    NOSNIFF,
    PROBLEM_CONTENT_TYPE,
    Problem,
    check_host,
    invalid,
    problem_of,
    too_many_bodies,
)
from .lifecycle import draining
from .settings import Settings
from .telemetry import QUIET_PATHS, RequestContext
from .threads import Threads

StartRequest = Callable[[object, HTTPConnection], HTTPMessageDelegate]

# How much of a body that is too large is read, so that the client reads the response.
_LINGER_BYTES: Final = 1_048_576
_UNRESERVED = re.compile(r"%(2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)", re.I)
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


class ServiceMiddleware:
    """Request IDs, log line, metrics, limits on headers and body, and the service's endpoints."""

    def __init__(self, app: StartRequest, settings: Settings, endpoints: Endpoints) -> None:
        self.app = app
        self.endpoints = endpoints
        self.max_body_bytes = settings.max_body_bytes
        self.allowed_hosts = settings.allowed_hosts
        self.threads = Threads(READINESS_SECONDS)
        self.places = AsyncPlaces()
        self.in_flight: WeakSet[Response] = WeakSet()

    def start_request(self, server: object, connection: HTTPConnection) -> HTTPMessageDelegate:
        return _Request(self, server, cast(HTTP1Connection, connection))

    async def drained(self) -> None:
        """Wait until the responses to all requests in flight are sent."""
        while any(not response.is_sent() for response in tuple(self.in_flight)):
            await asyncio.sleep(0.02)


class Response(HTTPConnection):
    """The connection as the framework sees it: adds the headers that every response has.

    `rejected` is the problem with which the framework has to respond, whatever the request.
    """

    rejected: Problem | None = None
    is_entered = False  # whether a handler has started
    has_place = False  # a slot for a large body

    def __init__(
        self, middleware: ServiceMiddleware, connection: HTTP1Connection, context: RequestContext
    ) -> None:
        self.context_of_request = context
        self.status = 500
        self._connection = connection
        self._middleware = middleware
        self._is_held = False
        self._is_finished = False
        self._sent: asyncio.Future[None] | None = None
        self._end: asyncio.Future[None] | None = None
        middleware.in_flight.add(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> "asyncio.Future[None]":
        self.status = cast(ResponseStartLine, start_line).code
        if self.status >= 400 and headers.get("Content-Length") == "0":
            chunk = self._explain(headers)
        if headers.get("Server", "").startswith("TornadoServer/"):
            del headers["Server"]
        headers["X-Request-ID"] = self.context_of_request.request_id
        headers[NOSNIFF[0]] = NOSNIFF[1]
        if self.rejected or (draining.is_set() and self.status != 101):
            headers["Connection"] = "close"  # the client's next request goes to another replica
        self._sent = self._connection.write_headers(start_line, headers, chunk)
        return self._sent

    def write(self, chunk: bytes) -> "asyncio.Future[None]":
        self._sent = self._connection.write(chunk)
        return self._sent

    def finish(self) -> None:
        self._observe(self.status)
        if not self._is_held:
            self._complete()
        if self._sent is None or self._sent.done():
            self._middleware.in_flight.discard(self)
        else:
            self._sent.add_done_callback(lambda _: self._middleware.in_flight.discard(self))
        if self._end is not None and not self._end.done():
            self._end.set_result(None)

    def keep_place(self, has_place: bool) -> bool:
        """Keep the slot of a large body to the end; False if the client has disconnected."""
        self.has_place = has_place and not self._is_finished
        if has_place and not self.has_place:
            self._middleware.places.release()
        return not self._is_finished

    def is_sent(self) -> bool:
        """Whether everything has been sent, or the client has disconnected."""
        stream: IOStream | None = self._connection.stream
        is_gone = stream is None or stream.closed()
        return self._is_finished and (is_gone or self._sent is None or self._sent.done())

    def hold(self) -> None:
        """Keep the connection open after the response until `release`."""
        self._is_held = True

    def release(self) -> None:
        """Close the connection once the response is sent."""
        if self._is_held and self._is_finished:
            self._complete()
        self._is_held = False

    def end(self) -> "asyncio.Future[None]":
        """A future that is done when the response is finished."""
        if self._end is None:
            self._end = asyncio.get_running_loop().create_future()
            if self._is_finished:
                self._end.set_result(None)
        return self._end

    def abandon(self) -> None:
        """Handle a request that never arrived completely."""
        self._observe(400)
        self._middleware.in_flight.discard(self)

    def problem(self, problem: Problem) -> None:
        """Send a problem."""
        body = problem.body(self.context_of_request.path, self.context_of_request.request_id)
        self.reply(Reply(problem.status, PROBLEM_CONTENT_TYPE, body, problem.headers))

    def reply(self, reply: Reply) -> None:
        """Send a complete response."""
        headers = HTTPHeaders(reply.headers)
        if reply.content_type:
            headers["Content-Type"] = reply.content_type
            headers["Content-Length"] = str(len(reply.body))
        phrase = _PHRASES.get(reply.status, "Error")
        body = b"" if self.context_of_request.method == "HEAD" else reply.body
        self.write_headers(ResponseStartLine("", reply.status, phrase), headers, body)
        self.finish()

    def _observe(self, status: int) -> None:
        if self._is_finished:
            return
        self._is_finished = True
        if self.has_place:
            self._middleware.places.release()
        context = self.context_of_request
        context.route = context.route or self._middleware.endpoints.route_of(context.path)
        telemetry.finish(context, status)

    def _complete(self) -> None:
        self._connection.finish()
        if self.rejected and self._sent is not None:
            self._sent.add_done_callback(lambda _: self._connection.close())

    def _explain(self, headers: HTTPHeaders) -> bytes:
        """The body of an error for which the handler only set the status."""
        context = self.context_of_request
        body = Problem(self.status).body(context.path, context.request_id)
        headers["Content-Type"] = PROBLEM_CONTENT_TYPE
        headers["Content-Length"] = str(len(body))
        return b"" if context.method == "HEAD" else body


class _Request(HTTPMessageDelegate):
    """A request as it arrives."""

    response: Response
    _framework: HTTPMessageDelegate | None = None  # None for the endpoints
    _task: "asyncio.Task[None] | None" = None

    def __init__(
        self, middleware: ServiceMiddleware, server: object, connection: HTTP1Connection
    ) -> None:
        self._middleware = middleware
        self._server = server
        self._connection = connection
        self._received = 0
        self._is_rejected = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        line = cast(RequestStartLine, start_line)
        line = line._replace(path=_plain(line.path))
        path, _, query = line.path.partition("?")
        context = telemetry.begin(
            line.method, unquote(path), headers.get("X-Request-ID"), headers.get("traceparent")
        )
        self.response = Response(self._middleware, self._connection, context)
        if not self._middleware.endpoints.has(context.path):
            self._framework = self._middleware.app(self._server, self.response)
        try:
            self._check(line.method, headers, query)
            if self._framework is not None:
                return self._framework.headers_received(line, headers)
        except Problem as problem:
            return self._reject(problem, line, headers)
        except HTTPInputError as error:
            too_many = isinstance(error.__cause__, ValueError)  # too many parameters
            malformed = invalid("", "The query is not valid.") if too_many else Problem(400)
            return self._reject(malformed, line._replace(path=path), headers)
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._received += len(chunk)
        if self._received > self._middleware.max_body_bytes and not self._is_rejected:
            self._reject_body(Problem(413))
        if not self._is_rejected:
            if self._received > LARGE and not self.response.has_place:
                return self._wait_for_place(chunk)
            return self._framework.data_received(chunk) if self._framework else None
        if self._received > self._middleware.max_body_bytes + _LINGER_BYTES:
            self.response.release()
            return self.response.end()
        return None

    async def _wait_for_place(self, chunk: bytes) -> None:
        """Acquire a slot before accepting more than the always accepted part of a large body."""
        has_place = await self._middleware.places.acquire()
        if not self.response.keep_place(has_place):
            return
        if not has_place:
            self._reject_body(too_many_bodies())
        elif self._framework and (taken := self._framework.data_received(chunk)):
            await taken

    def finish(self) -> None:
        if self._is_rejected:
            self.response.release()
        elif self._framework is not None:
            self._framework.finish()
        else:
            self._reply()

    def on_connection_close(self) -> None:
        """Handle a request that never arrived completely."""
        if self._framework is not None:
            self._framework.on_connection_close()
        self.response.abandon()

    def _check(self, method: str, headers: HTTPHeaders, query: str) -> None:
        if not method.isupper():  # methods are case-sensitive
            raise Problem(400)
        size = sum(len(name) + len(value) for name, value in headers.get_all())
        if size + len(query) > MAX_HEADER_BYTES:
            raise Problem(431)
        hosts = self._middleware.allowed_hosts
        if hosts and self.response.context_of_request.path not in QUIET_PATHS:
            check_host(headers.get("Host", ""), hosts)
        length = headers.get("Content-Length", "")
        if length.isdecimal() and int(length[:20]) > self._middleware.max_body_bytes:
            raise Problem(413)

    def _reject(
        self, problem: Problem, line: RequestStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Respond at once; the rest of the body is read and dropped.

        A connection that is closed with unread data may lose the response.
        """
        self._is_rejected, self.response.rejected = True, problem
        if will_read := self._will_read(headers):
            self.response.hold()
        if self._framework is None:
            self.response.problem(problem)
        else:
            # The framework responds, so that its own hooks, such as CORS, see the response.
            bare = headers.copy()
            bare.pop("Content-Type", None)
            try:
                self._framework.headers_received(line, bare)
                self._framework.finish()
            except HTTPInputError:
                self.response.problem(problem)
        return None if will_read else self.response.end()

    def _reject_body(self, problem: Problem) -> None:
        self._is_rejected, self.response.rejected = True, problem
        self.response.hold()
        if self._framework is None:
            self.response.problem(problem)
        elif self.response.is_entered:  # the handler reads the body in chunks
            self._framework.on_connection_close()
            self.response.problem(problem)
        else:
            self._framework.finish()

    def _will_read(self, headers: HTTPHeaders) -> bool:
        """Whether a rejected body is still arriving and not far too large."""
        if "Expect" in headers:
            return False
        length = headers.get("Content-Length", "")
        if "Transfer-Encoding" in headers:
            return not length and headers["Transfer-Encoding"].lower() == "chunked"
        limit = self._middleware.max_body_bytes + _LINGER_BYTES
        return length.isdecimal() and int(length[:20]) <= limit

    def _reply(self) -> None:
        context, endpoints = self.response.context_of_request, self._middleware.endpoints
        if endpoints.blocks(context.path):
            self._task = asyncio.create_task(self._reply_later())
            return
        try:
            self.response.reply(endpoints.reply(context.method, context.path))
        except Exception as error:
            self.response.problem(problem_of(error))

    async def _reply_later(self) -> None:
        context, endpoints = self.response.context_of_request, self._middleware.endpoints
        try:
            reply = await self._middleware.threads.run(
                endpoints.reply, context.method, context.path
            )
            self.response.reply(reply)
        except Unavailable:
            status, body = health.report({"database": False})
            headers = {"Cache-Control": "no-store"}
            self.response.reply(Reply(status, health.CONTENT_TYPE, body, headers))
        except Exception as error:
            self.response.problem(problem_of(error))


def _plain(target: str) -> str:
    """A request's target without a host and without unnecessary escapes."""
    target = re.sub(r"^https?://[^/?]*", "", target, flags=re.I)
    path, mark, query = target.partition("?")
    return _UNRESERVED.sub(lambda match: chr(int(match[1], 16)), path) + mark + query
