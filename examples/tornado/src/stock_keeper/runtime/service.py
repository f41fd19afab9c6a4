"""The Tornado application that a service is built on, and what its handlers are made from."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from inspect import isawaitable
from socket import SO_SNDBUF, SOL_SOCKET
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

import structlog
from tornado.httputil import (
    HTTPConnection,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerRequest,
)
from tornado.ioloop import PeriodicCallback
from tornado.routing import PathMatches, Rule
from tornado.web import Application, HTTPError, MissingArgumentError, RequestHandler
from tornado.websocket import WebSocketHandler

from . import NotFound, unawaited
from .content import Content
from .database import Database
from .document import ApiDocument, Route
from .endpoints import Endpoints
from .health import Check, Checks
from .http import (
    JSON_CONTENT_TYPE,
    PROBLEM_CONTENT_TYPE,
    Problem,
    entity_tag,
    idempotency_key,
    if_match,
    none_match,
    problem_of,
)
from .middleware import Response, ServiceMiddleware
from .resource import Page, PageRequest, Resource
from .routing import StreamMatches, TemplateMatches, allowed_methods, methods_of, rules, template
from .settings import load_settings
from .stream import (
    MAX_RECEIVED_BYTES,
    PING_SECONDS,
    SEND_BUFFER_BYTES,
    Stream,
    Subscriber,
    check_handshake,
)
from .tables import Record
from .threads import Threads

if TYPE_CHECKING:
    from .. import settings as own

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)

# Headers that an error response keeps if its handler set them; Tornado would drop them.
_KEPT: Final = ("WWW-Authenticate", "Retry-After", "Location", "Link")

_log = structlog.get_logger()


class Service(Application):
    """Tornado's application with the service's endpoints, settings, database and stream.

    `handlers` and `options` are those of `tornado.web.Application`. `check` is called with each
    handler before its `prepare`, for unknown paths too; it rejects a request by raising.
    """

    def __init__(
        self,
        settings: "own.Settings | None" = None,
        checks: Iterable[Check] = (),
        handlers: Iterable[Any] = (),
        *,
        check: "Callable[[Handler], Awaitable[None] | None] | None" = None,
        **options: Any,
    ) -> None:
        # `settings` is Tornado's name for `options`.
        self.service_settings = settings or load_settings()
        self.database = Database(self.service_settings)
        self.document = ApiDocument(self.routes, self.service_settings.root_path)
        self.stream = Stream(self.service_settings)
        self.threads = Threads(self.service_settings.database_timeout_seconds)
        self.check = check
        unawaited.watch()
        self._guarded: dict[type[RequestHandler], type[RequestHandler]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._jobs: list[PeriodicCallback] = []
        # The middleware logs requests.
        defaults: dict[str, Any] = {
            "default_handler_class": Handler,
            "log_function": lambda _: None,
        }
        super().__init__(list(handlers), **(defaults | options))
        endpoints = Endpoints(Checks(self.database.checks, checks), self.document)
        self._middleware = ServiceMiddleware(
            super().start_request, self.service_settings, endpoints
        )

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        return self._middleware.start_request(server_conn, request_conn)

    def get_handler_delegate(
        self,
        request: HTTPServerRequest,
        target_class: type[RequestHandler],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        guarded = self._guarded.get(target_class)
        if guarded is None:
            guarded = self._guarded[target_class] = _guarded(target_class)
        return super().get_handler_delegate(request, guarded, *args, **kwargs)

    def routes(self) -> Iterator[Route]:
        """Every method of every route, for the OpenAPI document."""
        for rule in rules(self.default_router):
            path = template(cast(PathMatches, rule.matcher))
            for method in methods_of(rule.target):
                if path is not None:
                    yield Route(method, path, getattr(rule.target, method.lower()))

    def create_task(self, work: Coroutine[Any, Any, Result]) -> "asyncio.Task[Result]":
        """Run a coroutine in the background; the service stops only when it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def every(self, seconds: float, job: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Run a job periodically while the service runs, one run at a time."""

        async def run() -> None:
            await asyncio.wait([self.create_task(job())])

        self._jobs.append(PeriodicCallback(run, 1000 * seconds))

    def start(self) -> None:
        """Start the jobs and the stream, in the running event loop."""
        self.stream.start()
        for job in self._jobs:
            job.start()

    async def end(self) -> None:
        """Close the streams; wait for the responses to requests in flight, and for tasks."""
        for job in self._jobs:
            job.stop()
        await self.stream.end(seconds=2)
        await self._middleware.drained()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def close(self) -> None:
        """Release the threads and the database."""
        self.threads.close()
        self._middleware.threads.close()
        self.database.close()

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("task_failed", exc_info=error)


class Handler(RequestHandler):
    """Base class of the service's handlers; by itself it handles paths without a route."""

    application: Service

    def read_query(self, resource: Resource[Row, Sent]) -> PageRequest:
        """The page requested by the query string."""
        return resource.read_query(self.request.query)

    def read_content(self, resource: Resource[Row, Sent]) -> Sent:
        """Parse the request's body as the content of a resource."""
        own = self.request.method == "POST"
        key = self.request.headers.get("Idempotency-Key") if own else None
        return resource.read(*self._body(), key)

    def read_patch(self, resource: Resource[Row, Sent]) -> dict[str, Any]:
        """Parse the request's body as a merge patch: the fields that it sets."""
        return resource.read_patch(*self._body())

    def read_key(self) -> str | None:
        """The request's Idempotency-Key, if it has one."""
        return idempotency_key(self.request.headers.get("Idempotency-Key"))

    def read_revisions(self) -> frozenset[str] | None:
        """The revisions that the request's If-Match permits; None if any will do."""
        return if_match(self.request.headers.get("If-Match"))

    async def in_thread(
        self,
        call: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """The result of a call that waits for the database; see `Threads.run`."""
        return await self.application.threads.run(call, *args, **kwargs)

    def answer(
        self,
        resource: Resource[Row, Sent],
        row: Row,
        status: int = 200,
        location: str | None = None,
    ) -> None:
        """Finish with a row and its entity tag, or with 304 if the client has it already."""
        self.set_header("ETag", entity_tag(row.revision))
        known = self.request.headers.get("If-None-Match")
        if self.request.method in ("GET", "HEAD") and none_match(known, row.revision):
            self.set_status(304)
            self.finish()
            return
        self.set_status(status)
        if location is not None:
            self.set_header("Location", self.application.service_settings.root_path + location)
        self._finish_json(resource.encode(row))

    def answer_page(self, resource: Resource[Row, Sent], page: Page[Row]) -> None:
        """Finish with a page of a list, and the link to the next one."""
        if link := page.link(self.application.service_settings.root_path + self.request.path):
            self.set_header("Link", link)
        self._finish_json(resource.encode_page(page))

    def head(self, *args: str, **kwargs: str) -> Awaitable[None] | None:
        return self.get(*args, **kwargs)

    def options(self, *_: str, **__: str) -> None:
        if not (allowed := allowed_methods(type(self))):
            raise NotFound
        self.set_header("Allow", allowed)
        self.set_status(204)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        self._kept = [(name, value) for name in _KEPT for value in self._headers.get_list(name)]
        super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = HTTPError(status_code, reason=kwargs.get("reason"))
        if "exc_info" in kwargs:
            error = kwargs["exc_info"][1]
        response = cast(Response, self.request.connection)
        problem = problem_of(response.rejected or self.translated(error))
        if problem.status != status_code:
            self.set_status(problem.status)
        for name, value in self._kept:
            self.add_header(name, value)
        for name, value in problem.headers.items():
            self.set_header(name, value)
        self.set_header("Content-Type", PROBLEM_CONTENT_TYPE)
        context = response.context_of_request
        self.finish(problem.body(context.path, context.request_id))

    def translated(self, error: Exception) -> Exception:
        """The exception that determines the response; override it for a library's exceptions."""
        match error:
            case HTTPError(status_code=405):
                allowed = allowed_methods(type(self))
                return Problem(405, headers={"Allow": allowed}) if allowed else NotFound()
            case HTTPError() if isinstance(error.__cause__, HTTPInputError):
                return Problem(415)  # Tornado reads forms before a handler can reject them
            case MissingArgumentError():
                return Problem(400, f"The argument {error.arg_name} is missing.")
            case HTTPError():
                headers = getattr(error, "headers", None)  # libraries add them
                return Problem(error.status_code, error.reason or "", headers=headers)
        return error

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        # For other errors, `problem_of` logs details that the client does not get.
        if isinstance(value, HTTPError) and (message := value.get_message()):
            _log.warning("http_error", status=value.status_code, message=message)

    def compute_etag(self) -> None:
        """Do not compute an entity tag: handlers set it."""

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        return value.decode("utf-8", "replace")

    def _body(self) -> tuple[str | None, str | None, bytes]:
        headers = self.request.headers
        return headers.get("Content-Type"), headers.get("Content-Encoding"), self.request.body

    def _finish_json(self, body: bytes) -> None:
        self.set_header("Content-Type", JSON_CONTENT_TYPE)
        self.finish(body)


class _Guarded(RequestHandler):
    """Runs before each handler: raises rejections of the middleware, then calls the check."""

    application: Service

    def prepare(self) -> Awaitable[None] | None:
        response = cast(Response, self.request.connection)
        response.is_entered = True
        if response.rejected is not None:
            raise response.rejected
        check = self.application.check
        return super().prepare() if check is None else self._prepare_after(check)

    async def _prepare_after(self, check: "Callable[[Handler], Awaitable[None] | None]") -> None:
        with unawaited.all_awaited():
            outcome: object = check(cast(Handler, self))
            if isawaitable(outcome):
                outcome = await outcome
        if outcome is not None:  # `return is_known(...)` would let everyone in
            raise TypeError(f"the check must raise to reject a request, but returned {outcome!r}")
        if not self._finished:
            prepared = super().prepare()
            if prepared is not None:
                await prepared


def _guarded(handler: type[RequestHandler]) -> type[RequestHandler]:
    """The handler with the service's check in front, even if it has its own `prepare`.

    Library handlers, such as `StaticFileHandler`, also get the defaults of `Handler`.
    """
    bases = (_Guarded, handler) if issubclass(handler, Handler) else (_Guarded, handler, Handler)
    return type(handler.__name__, bases, {"__module__": handler.__module__})


class StreamHandler(Handler, WebSocketHandler):
    """A subscriber of a topic of the service's stream, connected by WebSocket."""

    ping_interval = PING_SECONDS
    max_message_size = MAX_RECEIVED_BYTES
    subscriber: Subscriber

    def initialize(self, topic: str) -> None:
        self.topic = topic

    async def get(self, *args: str, **kwargs: str) -> None:
        check_handshake(self.request.headers, self.application.service_settings.allowed_hosts)
        await super().get(*args, **kwargs)

    def check_origin(self, _: str) -> bool:
        return True  # `get` has already rejected others, with a problem

    def open(self, *_: str, **__: str) -> None:
        if self.ws_connection is not None and self.ws_connection.stream is not None:
            socket = self.ws_connection.stream.socket
            socket.setsockopt(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES)
        stream = self.application.stream
        self.subscriber = stream.subscribe(self.topic, self.write_message, self.close)

    def on_message(self, _: str | bytes) -> None:
        """Ignore what a subscriber sends."""

    def on_close(self) -> None:
        self.application.stream.unsubscribe(self.subscriber)


def route(
    path: str,
    handler: type[RequestHandler],
    kwargs: dict[str, Any] | None = None,
    name: str | None = None,
) -> Rule:
    """`tornado.web.url` for a path as the OpenAPI document writes it: `/v1/items/{item_id}`."""
    return Rule(TemplateMatches(path), handler, kwargs, name)


def stream_route(resource: Resource[Any, Any]) -> Rule:
    """The route of the WebSocket for the changes of a resource."""
    path = f"{resource.path}/stream"
    return Rule(StreamMatches(path), StreamHandler, {"topic": resource.plural})
