"""The service: HTTP, timers and messages in one process, and what its classes use."""

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

import eventlet
from nameko.web.handlers import HttpRequestHandler
from werkzeug.wrappers import Request, Response

from . import unawaited
from .broker import HEARTBEAT_SECONDS, Messaging
from .containers import Container, dependency, silence_answered_errors
from .content import Content
from .database import Database
from .document import ApiDocument, Route
from .endpoints import Endpoints
from .health import Check, Checks
from .http import JSON_CONTENT_TYPE, entity_tag, idempotency_key, if_match, none_match
from .jobs import Tasks
from .listener import Listener
from .outbox import AnnouncedStore, Outbox
from .resource import Page, PageRequest, Resource
from .settings import load_settings
from .tables import Record
from .web import RequestCheck, Router
from .wsgi import ServiceMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from ..settings import Settings

Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)

# A request that waits for the database holds a worker; the rest stay free.
HTTP_WORKERS: Final = 200
MESSAGE_WORKERS: Final = 20


class Service:
    """A WSGI application and the service classes beside it; `create_app` returns one.

    `wsgi_app` handles requests, inside the limits and the log; wrap it in your own WSGI middleware.
    """

    def __init__(self, settings: "Settings | None" = None, checks: Iterable[Check] = ()) -> None:
        self.settings: Settings = settings or load_settings()
        self.database = Database(self.settings)
        self.document = ApiDocument(self.routes, self.settings.root_path)
        self.tasks = Tasks()
        self.config: dict[str, Any] = {
            "AMQP_URI": self.settings.amqp_url,
            "HEARTBEAT": HEARTBEAT_SECONDS,
            "max_workers": MESSAGE_WORKERS,
            "service": self,
        }
        self.containers: list[Container] = []
        self.messaging = Messaging(self.config, Outbox(self.database))
        self._router = Router()
        self.wsgi_app: WSGIApplication = self._router
        endpoints = Endpoints(Checks(self.database.checks, (self.broker, *checks)), self.document)
        self._middleware = ServiceMiddleware(self._inside, self.settings, endpoints)
        silence_answered_errors()
        unawaited.watch()

    def add_service(self, *services: type) -> None:
        """Run the entrypoints of these classes; each class has its own dependencies."""
        for service in services:
            local = Container(service, self.config | {"max_workers": HTTP_WORKERS}, broker=False)
            remote = Container(service, self.config, broker=True)
            for entrypoint in local.entrypoints:
                if isinstance(entrypoint, HttpRequestHandler):
                    self._router.add(entrypoint)
            if local.entrypoints:
                self.containers.append(local)
            if remote.entrypoints:
                self.messaging.add(remote)
            if not (local.entrypoints or remote.entrypoints):
                raise TypeError(f"{service.__name__} has no entrypoints")

    def before_request(self, check: RequestCheck) -> None:
        """Call `check` with each request for the API, whether or not there is such a route.

        The request passes if it returns None; it may also raise, or return a response.
        """
        self._router.before_request(check)

    def routes(self) -> Iterator[Route]:
        """Every method of every route, for the OpenAPI document."""
        return self._router.routes()

    def broker(self) -> bool:
        """Whether messages arrive; one of the checks of /readyz."""
        return self.messaging.answers()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        for container in self.containers:
            container.prepare()
        return self._middleware(environ, start_response)

    def _inside(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        return self.wsgi_app(environ, start_response)

    def start(self, listener: Any) -> None:
        """Accept connections, start the timers, and start connecting to the broker."""
        for container in self.containers:
            container.start()
        self._lives = [eventlet.spawn(container.wait) for container in self.containers]
        self._listener = Listener(self._middleware, self.settings, listener)
        self.messaging.start()

    @property
    def is_alive(self) -> bool:
        """Whether requests are handled; only a bug can end that."""
        return self._listener.is_alive and not any(life.dead for life in self._lives)

    def stop(self, seconds: float) -> None:
        """Accept nothing new, and wait up to `seconds` for everything in progress."""
        end = time.monotonic() + seconds
        self._listener.close()
        messages = eventlet.spawn(self.messaging.stop, seconds)
        while self._listener.is_busy and time.monotonic() < end:
            eventlet.sleep(0.05)
        with eventlet.Timeout(max(0.1, end - time.monotonic()), False):
            for container in self.containers:
                container.stop()
            messages.wait()
            self.tasks.wait()
        self.messaging.close(max(0.1, end - time.monotonic()))
        self.database.close()


def store(resource: Resource[Row, Sent]) -> AnnouncedStore[Row, Sent]:
    """An attribute of a service class: the rows of a resource."""
    return dependency(lambda service: AnnouncedStore(resource, service.database))


def read_query(resource: Resource[Row, Sent], request: Request) -> PageRequest:
    """The page requested by the query string."""
    return resource.read_query(request.query_string.decode(errors="replace"))


def read_content(resource: Resource[Row, Sent], request: Request) -> Sent:
    """Parse the request's body as the content of a resource."""
    encoding = request.headers.get("Content-Encoding")
    key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
    return resource.read(request.content_type, encoding, request.get_data(), key)


def read_patch(resource: Resource[Row, Sent], request: Request) -> dict[str, Any]:
    """Parse the request's body as a merge patch: the fields that it sets."""
    encoding = request.headers.get("Content-Encoding")
    return resource.read_patch(request.content_type, encoding, request.get_data())


def read_key(request: Request) -> str | None:
    """The request's Idempotency-Key, if it has one."""
    return idempotency_key(request.headers.get("Idempotency-Key"))


def read_revisions(request: Request) -> frozenset[str] | None:
    """The revisions that the request's If-Match permits; None if any will do."""
    return if_match(request.headers.get("If-Match"))


def answer(
    resource: Resource[Row, Sent],
    row: Row,
    request: Request,
    status: int = 200,
    location: str | None = None,
) -> Response:
    """A row with its entity tag, or 304 if the client has it already."""
    headers = {"ETag": entity_tag(row.revision)}
    if request.method in ("GET", "HEAD") and none_match(
        request.headers.get("If-None-Match"), row.revision
    ):
        return Response(status=304, headers=headers)
    if location is not None:
        headers["Location"] = request.root_path + location
    return _json(resource.encode(row), status, headers)


def answer_page(resource: Resource[Row, Sent], page: Page[Row], request: Request) -> Response:
    """A page of a list, with the link to the next one."""
    link = page.link(request.root_path + request.path)
    return _json(resource.encode_page(page), 200, {"Link": link} if link else {})


def _json(body: bytes, status: int, headers: dict[str, str]) -> Response:
    return Response(body, status, headers, content_type=JSON_CONTENT_TYPE)
