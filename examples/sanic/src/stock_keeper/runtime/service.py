"""The Sanic application that a service is built on, and what its handlers use."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from functools import cache
from logging import getLogger
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeAlias, TypeVar, cast

import sanic
from sanic import HTTPResponse, Sanic, empty
from sanic.config import Config
from sanic.exceptions import SanicException

from .. import NAME
from . import unawaited
from .bodies import AsyncPlaces
from .content import Content
from .database import READINESS_SECONDS, Database
from .document import ApiDocument, Route
from .endpoints import Endpoints
from .health import Check, Checks
from .http import JSON_CONTENT_TYPE, entity_tag, idempotency_key, if_match, none_match
from .lifecycle import draining
from .resource import Page, PageRequest, Resource
from .routing import PathRouter, ProblemHandler, problem_response
from .settings import Settings, load_settings
from .stream import MAX_RECEIVED_BYTES, PING_SECONDS, Stream
from .tables import Record
from .threads import Threads
from .web import Protocol, ServiceHttp, context_of

if TYPE_CHECKING:
    from .. import settings as own

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)

IN_FLIGHT_SECONDS: Final = 30
REQUEST_SECONDS: Final = 30  # for headers and body together
# How much of a body that is too large is read, so that the client reads the response.
_LINGER_BYTES: Final = 1_048_576


class Service(Sanic[Config, SimpleNamespace]):
    """Sanic with the service's endpoints, settings and database; all errors become problems."""

    __slots__ = (
        "_closing",
        "_end",
        "_endpoints",
        "_jobs",
        "_probe_threads",
        "_tasks",
        "_threads",
        "connections",
        "database",
        "document",
        "places",
        "settings",
        "signalled",
        "started",
        "stream",
    )

    settings: "own.Settings"
    stream: Stream
    _closing: "asyncio.Task[None]"
    _end: float
    _probe_threads: Threads
    _threads: Threads

    def __init__(
        self, settings: "own.Settings | None" = None, checks: Iterable[Check] = ()
    ) -> None:
        # Sanic's command line calls a factory with its own arguments.
        self.settings = settings if isinstance(settings, Settings) else load_settings()
        super().__init__(
            NAME,
            config=_configuration(self.settings),
            router=PathRouter(),
            error_handler=ProblemHandler(),
            configure_logging=not getLogger().hasHandlers(),
        )
        self.database = Database(self.settings)
        self.document = ApiDocument(self.routes, self.settings.root_path)
        self._endpoints = Endpoints(Checks(self.database.checks, checks), self.document)
        self._jobs: set[asyncio.Task[Any]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        # If this is an event, no request is handled before it is set.
        self.started: asyncio.Event | None = None
        self.signalled = asyncio.Event()
        self.connections: Iterable[Protocol] = ()
        self.places = AsyncPlaces()
        unawaited.watch()
        self.before_server_start(_start)
        self.before_server_stop(_drain)
        self.after_server_stop(_stop)

    def in_thread(
        self,
        call: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Coroutine[Any, Any, Result]:
        """Run a blocking call, such as a store's, in a thread.

        Raises `Unavailable` if it takes longer than DATABASE_TIMEOUT_SECONDS.
        """
        return self._threads.run(call, *args, **kwargs)

    def add_task(self, task: Any, **options: Any) -> "asyncio.Task[Any] | None":
        """Run a coroutine, or a coroutine function of the application, beside requests.

        Tasks of handlers are completed before the service stops; all others are cancelled then.
        """
        return super().add_task(task, **options)

    def routes(self) -> Iterator[Route]:
        """Every method of every route, for the OpenAPI document."""
        for route in self.router.routes:
            if route.extra.static or getattr(route.handler, "is_websocket", False):
                continue
            for method in sorted(route.methods - {"HEAD", "OPTIONS"}):
                view = getattr(route.handler, "view_class", None)
                handler = getattr(view, method.lower(), route.handler)
                yield Route(method, _template(route.parts), handler)

    def route_of(self, request: sanic.Request) -> str:
        """The path template of the route that a request has matched, or ""."""
        if request.route is not None:
            return _template(request.route.parts)
        return self._endpoints.route_of(context_of(request).path)

    def handle_request(self, request: sanic.Request) -> Coroutine[Any, Any, None]:
        """Handle a request; those for the endpoints reach neither middleware nor handlers."""
        path = context_of(request).path
        if self._endpoints.has(path):
            return self._answer_endpoint(request, path)
        return super().handle_request(request)

    async def handle_exception(
        self, request: sanic.Request, exception: BaseException, run_middleware: bool = True
    ) -> None:
        """Respond to a request that failed or was rejected before routing."""
        if self._endpoints.has(context_of(request).path):
            await _send(request, problem_response(request, exception))
        else:
            await super().handle_exception(request, exception, run_middleware)

    def prepare(self, *args: Any, protocol: type[Any] | None = None, **options: Any) -> None:
        """Prepare to serve, for the service, Sanic's command line and tests."""
        super().prepare(*args, protocol=protocol or Protocol, **options)

    async def _run_request_middleware(self, request: sanic.Request, middleware: Any) -> Any:
        with unawaited.all_awaited():
            return await super()._run_request_middleware(request, middleware)  # type: ignore[no-untyped-call]

    @classmethod
    def _prep_task(cls, task: Any, app: "Service", loop: Any) -> Any:
        return app._tracked(super()._prep_task(task, app, loop))  # type: ignore[no-untyped-call]

    async def _tracked(self, work: Any) -> Any:
        """Keep track of a task of `add_task` while it runs."""
        tasks = self._tasks if _is_handling_request() else self._jobs
        current = cast("asyncio.Task[Any]", asyncio.current_task())
        tasks.add(current)
        try:
            return await work
        finally:
            tasks.discard(current)

    async def _answer_endpoint(self, request: sanic.Request, path: str) -> None:
        reply_to, method = self._endpoints.reply, request.method
        try:
            if self._endpoints.blocks(path):
                reply = await self._probe_threads.run(reply_to, method, path)
            else:
                reply = reply_to(method, path)
            headers, content_type = dict(reply.headers), reply.content_type
            response = HTTPResponse(reply.body, reply.status, headers, content_type)
        except Exception as error:
            response = problem_response(request, error)
        await _send(request, response)


Request: TypeAlias = sanic.Request[Service, SimpleNamespace]


def read_query(request: Request, resource: Resource[Row, Sent]) -> PageRequest:
    """The page requested by the query string."""
    return resource.read_query(request.query_string)


def read_content(request: Request, resource: Resource[Row, Sent]) -> Sent:
    """Parse the request's body as the content of a resource."""
    key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
    return resource.read(*_body(request), key)


def read_patch(request: Request, resource: Resource[Row, Sent]) -> dict[str, Any]:
    """Parse the request's body as a merge patch: the fields that it sets."""
    return resource.read_patch(*_body(request))


def read_key(request: Request) -> str | None:
    """The request's Idempotency-Key, if it has one."""
    return idempotency_key(_tags(request, "Idempotency-Key"))


def read_revisions(request: Request) -> frozenset[str] | None:
    """The revisions that the request's If-Match permits; None if any will do."""
    return if_match(_tags(request, "If-Match"))


def answer(
    request: Request,
    resource: Resource[Row, Sent],
    row: Row,
    status: int = 200,
    location: str | None = None,
) -> HTTPResponse:
    """A row with its entity tag, or 304 if the client has it already."""
    headers = {"ETag": entity_tag(row.revision)}
    if request.method in ("GET", "HEAD") and none_match(
        _tags(request, "If-None-Match"), row.revision
    ):
        return empty(304, headers)
    if location is not None:
        headers["Location"] = request.app.settings.root_path + location
    return HTTPResponse(resource.encode(row), status, headers, JSON_CONTENT_TYPE)


def answer_page(request: Request, resource: Resource[Row, Sent], page: Page[Row]) -> HTTPResponse:
    """A page of a list, with the link to the next one."""
    link = page.link(request.app.settings.root_path + request.path)
    headers = {"Link": link} if link else None
    return HTTPResponse(resource.encode_page(page), 200, headers, JSON_CONTENT_TYPE)


def _configuration(settings: Settings) -> Config:
    """Sanic's configuration, which is not read from the environment."""
    return Config(
        {
            "ACCESS_LOG": False,
            "GRACEFUL_SHUTDOWN_TIMEOUT": IN_FLIGHT_SECONDS,
            "KEEP_ALIVE_TIMEOUT": settings.keepalive_seconds,
            "OAS": False,  # if Sanic Extensions is installed: the service has its own document
            "REQUEST_MAX_SIZE": settings.max_body_bytes + _LINGER_BYTES,
            "REQUEST_TIMEOUT": REQUEST_SECONDS,
            "RESPONSE_TIMEOUT": 2 * IN_FLIGHT_SECONDS,
            "WEBSOCKET_MAX_SIZE": MAX_RECEIVED_BYTES,
            "WEBSOCKET_PING_INTERVAL": PING_SECONDS,
            "WEBSOCKET_PING_TIMEOUT": PING_SECONDS,
        },
        env_prefix=None,
    )


async def _start(app: Service) -> None:
    draining.clear()  # a test client starts the same application once for each request
    app.stream = Stream(app.settings)
    app.stream.start()
    app._threads = Threads(app.settings.database_timeout_seconds)
    app._probe_threads = Threads(READINESS_SECONDS)


async def _drain(app: Service) -> None:
    """Sanic keeps its listener open until this returns; a second signal ends it."""
    draining.set()
    with suppress(TimeoutError):
        async with asyncio.timeout(app.settings.drain_seconds):
            await app.signalled.wait()
    await app.stream.end(seconds=2)
    app._end = asyncio.get_running_loop().time() + IN_FLIGHT_SECONDS
    app._closing = asyncio.create_task(_close_idle(app))


async def _close_idle(app: Service) -> None:
    """Since Python 3.12, a listener is closed only after its last connection."""
    while True:
        await asyncio.sleep(0.2)  # a client that has just connected may still be sending
        for connection in list(app.connections):
            connection.close_if_idle()  # type: ignore[no-untyped-call]


async def _stop(app: Service) -> None:
    app._closing.cancel()
    with suppress(TimeoutError):
        async with asyncio.timeout_at(app._end):
            while app._tasks:
                await asyncio.sleep(0.02)
    for task in app._tasks | app._jobs:
        task.cancel()
    await asyncio.gather(*app._tasks, *app._jobs, return_exceptions=True)
    app._threads.close()
    app._probe_threads.close()
    app.database.close()


async def _send(request: sanic.Request, response: HTTPResponse) -> None:
    """Send a response without the application's middleware."""
    cast(ServiceHttp, request.stream).respond(response)
    await response.send(end_stream=True)


def _is_handling_request() -> bool:
    with suppress(SanicException):
        return sanic.Request.get_current() is not None
    return False


@cache
def _template(parts: tuple[str, ...]) -> str:
    """A path with its parameters in the format of the OpenAPI document."""
    return "".join(
        "/{" + part[1:-1].partition(":")[0] + "}" if part.startswith("<") else f"/{part}"
        for part in parts
    )


def _body(request: Request) -> tuple[str | None, str | None, bytes]:
    """The body after its type and its encoding."""
    headers = request.headers
    return headers.get("Content-Type"), headers.get("Content-Encoding"), request.body


def _tags(request: Request, name: str) -> str | None:
    """A list of entity tags, which may be on several header lines."""
    lines = request.headers.getall(name, None)
    return None if lines is None else ", ".join(lines)
