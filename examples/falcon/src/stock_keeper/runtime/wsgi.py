"""The outermost layer: what holds for every answer, whatever is inside and whatever is sent."""

import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from . import telemetry
from .document import route_of
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

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

EXCHANGE = "service.exchange"
_CHUNK = 65_536
_HANG_UP = {"Connection": "close"}


class Edge:
    """A WSGI application around another: ids, log line, metrics, bounds on headers and body."""

    def __init__(self, app: "WSGIApplication", settings: Settings) -> None:
        self._app = app
        self._max_body_bytes = settings.max_body_bytes
        self._allowed_hosts = settings.allowed_hosts

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        exchange = telemetry.begin(
            environ["REQUEST_METHOD"],
            path_of(environ),
            environ.get("HTTP_X_REQUEST_ID"),
            environ.get("HTTP_TRACEPARENT"),
        )
        environ[EXCHANGE] = exchange
        answer = _Answer(start_response, exchange)
        try:
            self._check(environ, exchange)
            return self._app(environ, answer.start)
        except Exception as error:
            return answer.problem(problem_of(error))
        finally:
            exchange.route = exchange.route or route_of(exchange.path)
            telemetry.finish(exchange, answer.status)

    def _check(self, environ: "WSGIEnvironment", exchange: Exchange) -> None:
        if not environ["REQUEST_METHOD"].isupper():  # methods tell upper from lower case
            raise Problem(400)
        if _header_bytes(environ) > MAX_HEADER_BYTES:
            raise Problem(431)
        if self._allowed_hosts and exchange.path not in QUIET_PATHS:
            check_host(environ.get("HTTP_HOST", ""), self._allowed_hosts)
        if environ.get("CONTENT_LENGTH") or "HTTP_TRANSFER_ENCODING" in environ:
            _buffer_body(environ, self._max_body_bytes)


class _Answer:
    """The answer as it goes out: remembers its status, adds the headers that all have."""

    def __init__(self, start_response: "StartResponse", exchange: Exchange) -> None:
        self._start_response = start_response
        self._exchange = exchange
        self.status = 500

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self.status = int(status[:3])
        if self.status in BODILESS:
            headers = [header for header in headers if header[0].lower() != "content-type"]
        own = [*headers, ("X-Request-ID", self._exchange.request_id), NOSNIFF]
        if draining.is_set():
            own += _HANG_UP.items()  # the client's next request is another replica's
        return self._start_response(status, own, exc_info)

    def problem(self, problem: Problem) -> Iterable[bytes]:
        body = problem.body(self._exchange.path, self._exchange.request_id)
        headers = [
            ("Content-Type", PROBLEM_CONTENT_TYPE),
            ("Content-Length", str(len(body))),
            *problem.headers.items(),
        ]
        self.start(f"{problem.status.value} {problem.status.phrase}", headers)
        return [body]


def path_of(environ: "WSGIEnvironment") -> str:
    """The path as text, decoded as UTF-8 where it is that."""
    return str(environ["PATH_INFO"]).encode("latin-1").decode("utf-8", "replace")


def _header_bytes(environ: "WSGIEnvironment") -> int:
    return len(environ.get("QUERY_STRING", "")) + sum(
        len(name) + len(value) for name, value in environ.items() if name.startswith("HTTP_")
    )


def _buffer_body(environ: "WSGIEnvironment", limit: int) -> None:
    """Read the body here, bounded; what is inside then sees a plain one with its length."""
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) > limit:
        raise Problem(413, headers=_HANG_UP)  # what is left of it is not read
    wanted = int(length) if length.isdecimal() else limit + 1
    body = bytearray()
    while len(body) < wanted:
        chunk = environ["wsgi.input"].read(min(_CHUNK, wanted - len(body)))
        if not chunk:
            break
        body += chunk
    if len(body) > limit:
        raise Problem(413, headers=_HANG_UP)  # what is left of it is not read
    if length.isdecimal() and len(body) < wanted:
        raise Problem(400, "The body ended before its Content-Length.")
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
