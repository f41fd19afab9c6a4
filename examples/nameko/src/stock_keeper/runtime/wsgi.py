"""The outermost layer of the service, which handles every request and response."""

import io
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from . import telemetry
from .bodies import LARGE, REQUEST_SECONDS, WAIT_SECONDS, Places
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

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONTEXT = "service.context"
REJECTED = "service.rejected"
PLACE = "service.place"  # the slot of a large body, to be released
# If more bodies than this take over a second to arrive, each has only CROWDED_SECONDS.
MAX_SLOW_BODIES: Final = 128
CROWDED_SECONDS: Final = 2
CONTENDED_SECONDS: Final = 6  # while a slow body has one of the slots and the others are taken
MAY_CLOSE = "service.may_close"  # set by servers that honour `Connection: close`
_CHUNK = 65_536
_MAX_MEDIA_TYPE = 1000
_CLOSE = ("Connection", "close")


class Progress:
    """The requests in progress, for ending slow connections."""

    def __init__(self) -> None:
        self.bodies: dict[int, float] = {}  # when reading them began
        self.answering: dict[int, tuple[str, float]] = {}  # the client and when handling began
        self.ended = 0.0  # when the server last cut off an arriving request

    def patience(self, now: float) -> float:
        """How long a request may take to arrive: less while slow bodies block others."""
        ages = [now - began for began in list(self.bodies.values())]
        if sum(age > 1 for age in ages) > MAX_SLOW_BODIES:
            return CROWDED_SECONDS
        if max(ages, default=0) > WAIT_SECONDS and places.is_full():
            return CONTENDED_SECONDS
        return REQUEST_SECONDS

    def is_answering(self, peer: tuple[str, int], earliest: float, latest: float) -> bool:
        """Whether a request that may be this client's has been in progress since then.

        Requests have their client's host but not the port.
        """
        return any(
            host.removeprefix("::ffff:") == peer[0] and earliest <= since <= latest
            for host, since in list(self.answering.values())
        )

    def note_end(self) -> None:
        """Record that the server cuts off a request, whose chunks might look complete."""
        self.ended = time.perf_counter()


progress: Final = Progress()
places: Final = Places()


class ServiceMiddleware:
    """WSGI middleware: request IDs, log line, metrics, limits on headers and body, endpoints."""

    def __init__(self, app: "WSGIApplication", settings: Settings, endpoints: Endpoints) -> None:
        self._app = app
        self._endpoints = endpoints
        self._max_body_bytes = settings.max_body_bytes
        self._allowed_hosts = settings.allowed_hosts
        self._root_path = settings.root_path

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        context = telemetry.begin(
            environ["REQUEST_METHOD"],
            path_of(environ),
            environ.get("HTTP_X_REQUEST_ID"),
            environ.get("HTTP_TRACEPARENT"),
        )
        environ[CONTEXT] = context
        # PEP 3333 forbids the header to applications; other servers close connections themselves.
        may_close = environ.get("SERVER_SOFTWARE") == "Granian" or MAY_CLOSE in environ
        response = _Response(start_response, context, may_close)
        try:
            return self._respond(environ, response, context)
        except Exception as error:
            return response.problem(problem_of(error))
        finally:
            progress.answering.pop(id(environ), None)
            if environ.pop(PLACE, False):
                environ["wsgi.input"] = io.BytesIO()
                places.release()
            context.route = context.route or self._endpoints.route_of(context.path)
            telemetry.finish(context, response.status)

    def _respond(
        self, environ: "WSGIEnvironment", response: "_Response", context: RequestContext
    ) -> Iterable[bytes]:
        rejected = self._rejected(environ, context)
        # The rest of the body is not read, and would be taken for the next request.
        response.closes = rejected is not None and _has_body(environ)
        if self._endpoints.has(context.path):
            if rejected is not None:
                raise rejected
            reply = self._endpoints.reply(environ["REQUEST_METHOD"], context.path)
            return response.reply(reply, environ["REQUEST_METHOD"])
        if rejected is not None:
            # The framework responds, so that its own hooks, such as CORS, see the response.
            environ[REJECTED] = rejected
            _set_body(environ, b"")
        if self._root_path:
            environ["SCRIPT_NAME"] = self._root_path
        progress.answering[id(environ)] = environ.get("REMOTE_ADDR", ""), time.perf_counter()
        return self._app(environ, response.start)

    def _rejected(self, environ: "WSGIEnvironment", context: RequestContext) -> Problem | None:
        """Why the request is rejected before it reaches the framework, if it is."""
        try:
            self._check(environ, context)
        except Problem as problem:
            return problem.with_traceback(None)  # which would keep what has been read of the body
        return None

    def _check(self, environ: "WSGIEnvironment", context: RequestContext) -> None:
        if not environ["REQUEST_METHOD"].isupper():  # methods are case-sensitive
            raise Problem(400)
        if _header_bytes(environ) > MAX_HEADER_BYTES:
            raise Problem(431)
        if self._allowed_hosts and context.path not in QUIET_PATHS:
            check_host(environ.get("HTTP_HOST", ""), self._allowed_hosts)
        if len(environ.get("CONTENT_TYPE") or "") > _MAX_MEDIA_TYPE:
            environ["CONTENT_TYPE"] = ""  # no valid one is so long, and parsing it is repeated
        if _has_body(environ):
            began = progress.bodies[id(environ)] = time.perf_counter()
            try:
                _buffer_body(environ, self._max_body_bytes, began)
            finally:
                del progress.bodies[id(environ)]


class _Response:
    """Records the status of a response and adds the common headers."""

    def __init__(
        self, start_response: "StartResponse", context: RequestContext, may_close: bool
    ) -> None:
        self._start_response = start_response
        self._context = context
        self._may_close = may_close
        self.closes = False
        self.status = 500

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self.status = int(status[:3])
        if self.status in BODILESS:
            headers = [header for header in headers if header[0].lower() != "content-type"]
        own = [*headers, ("X-Request-ID", self._context.request_id), NOSNIFF]
        # While draining, the client's next request goes to another replica.
        if (self.closes or draining.is_set()) and self._may_close:
            own.append(_CLOSE)
        return self._start_response(status, own, exc_info)

    def problem(self, problem: Problem) -> Iterable[bytes]:
        body = problem.body(self._context.path, self._context.request_id)
        return self.reply(Reply(problem.status, PROBLEM_CONTENT_TYPE, body, problem.headers))

    def reply(self, reply: Reply, method: str = "") -> Iterable[bytes]:
        headers = list(reply.headers.items())
        if reply.status not in BODILESS:
            headers.append(("Content-Length", str(len(reply.body))))
        if reply.content_type:
            headers.append(("Content-Type", reply.content_type))
        phrase = HTTPStatus(reply.status).phrase if reply.status in _PHRASES else "Error"
        self.start(f"{reply.status} {phrase}", headers)
        return [] if method == "HEAD" else [reply.body]


_PHRASES = frozenset(status.value for status in HTTPStatus)


def path_of(environ: "WSGIEnvironment") -> str:
    """The path as text, decoded as UTF-8 if it is UTF-8."""
    return str(environ["PATH_INFO"]).encode("latin-1").decode("utf-8", "replace")


def _has_body(environ: "WSGIEnvironment") -> bool:
    return bool(environ.get("CONTENT_LENGTH")) or "HTTP_TRANSFER_ENCODING" in environ


def _header_bytes(environ: "WSGIEnvironment") -> int:
    return len(environ.get("QUERY_STRING", "")) + sum(
        len(name) + len(value) for name, value in environ.items() if name.startswith("HTTP_")
    )


def _buffer_body(environ: "WSGIEnvironment", limit: int, began: float) -> None:
    """Read the body, up to the limit; the application then sees one with its length."""
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) > limit:
        raise Problem(413)
    wanted = int(length) if length.isdecimal() else limit + 1
    body = bytearray()
    while len(body) < wanted:
        if len(body) >= LARGE and PLACE not in environ:
            if not places.acquire():
                raise too_many_bodies()
            environ[PLACE] = True
            progress.bodies[id(environ)] = time.perf_counter()
        chunk = environ["wsgi.input"].read(min(_CHUNK, wanted - len(body)))
        if not chunk:
            break
        body += chunk
    if len(body) > limit:
        raise Problem(413)
    if progress.ended >= began and len(body) < wanted:
        raise Problem(408)
    if length.isdecimal() and len(body) < wanted:
        raise Problem(400, "The body ended before its Content-Length.")
    _set_body(environ, body)


def _set_body(environ: "WSGIEnvironment", body: bytes | bytearray) -> None:
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
