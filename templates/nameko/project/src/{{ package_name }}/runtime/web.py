"""The HTTP entrypoint: Nameko's, with a server that bears slow, broken and hostile clients."""

import os
import re
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

import eventlet
from eventlet import hubs, wsgi
from nameko.web.handlers import HttpRequestHandler
from nameko.web.server import HttpOnlyProtocol
from nameko.web.server import WebServer as NamekoWebServer
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map
from werkzeug.wrappers import Request, Response

from .http import PROBLEM_CONTENT_TYPE, Problem
from .wsgi import EXCHANGE, Edge, path_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Method = TypeVar("Method", bound=Callable[..., Any])

# A client that connects while all others do waits here, not for its kernel to try again.
BACKLOG: Final = 1024
CLIENT_SECONDS: Final = 30  # for a whole request to arrive, idle time before it included
STALLED_SECONDS: Final = 60  # for a client that reads nothing of its answer
LINGER_SECONDS: Final = 2
_MAX_LINE: Final = 65_536  # the outermost layer refuses far less, but as a problem
_HANG_UP: Final = ("Connection", "close")

wsgi.MAX_HEADER_LINE = _MAX_LINE


def http(method: str, url: str, *, worker: bool = True) -> Callable[[Method], Method]:
    """Let a method of a service answer a route: it takes the request, and returns a response.

    With `worker=False` it is called at once, whether or not there is a worker to spare; it must
    not wait then, and has none of the service's dependencies.
    """
    decorator: Callable[[Method], Method] = Http.decorator(method, url, worker=worker)
    return decorator


class Head:
    """The lines of a request's head; knows whether the empty one at its end came."""

    def __init__(self, lines: Any) -> None:
        self._lines = lines
        self.whole = False

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._lines.readline(size)
        self.whole = line in (b"\r\n", b"\n")
        return line


class Body:
    """The body of a request as `wsgi.input`: what is wrong with it is the client's fault."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self._source.read(size)
        except (ValueError, OSError) as error:
            raise Problem(
                400, "The body is not sent as HTTP asks.", headers=dict([_HANG_UP])
            ) from error
        return data


class BoundedLines:
    """A file whose lines end after some bytes at the latest, as those between chunks must."""

    def __init__(self, file: Any) -> None:
        self.read = file.read
        self._file = file

    def readline(self) -> bytes:
        line: bytes = self._file.readline(_MAX_LINE)
        if len(line) == _MAX_LINE:
            raise ValueError("a line is too long")
        return line


class Protocol(HttpOnlyProtocol):  # type: ignore[misc]
    """One connection: a request that is late, cut off or ambiguous is refused, never answered."""

    rfile: Any
    application: "WSGIApplication"
    lingers = False

    def handle_one_request(self) -> None:
        late = hubs.get_hub().schedule_call_global(CLIENT_SECONDS, self._stop_reading)
        try:
            super().handle_one_request()
        finally:
            late.cancel()

    def parse_request(self) -> bool:
        head = self.rfile = Head(self.rfile)
        try:
            if not super().parse_request():
                return False
        except (wsgi.HeaderLineTooLong, wsgi.HeadersTooLarge):
            self.send_error(431)
            return False
        if self.raw_requestline.endswith(b"\n") and head.whole and self._is_unambiguous():
            self.path = self.requestline.split()[1]  # the base class forgives a doubled first slash
            return True
        self.send_error(400)
        return False

    def _is_unambiguous(self) -> bool:
        lengths = self.headers.get_all("Content-Length", [])
        encodings = self.headers.get_all("Transfer-Encoding", [])
        return (
            self.request_version != "HTTP/0.9"
            and len(lengths) + len(encodings) <= 1
            and all(re.fullmatch("[0-9]{1,18}", length) for length in lengths)
            and all(encoding.lower() == "chunked" for encoding in encodings)
        )

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request as a problem; the base class would send HTML."""
        problem, request_id = Problem(code), os.urandom(16).hex()
        body = problem.body("", request_id)
        head = (
            f"HTTP/1.1 {problem.status.value} {problem.status.phrase}\r\n"
            f"Content-Type: {PROBLEM_CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n"
            f"X-Request-ID: {request_id}\r\nX-Content-Type-Options: nosniff\r\n"
            "Connection: close\r\n\r\n"
        )
        self.wfile.write(head.encode() + body)
        self.close_connection = self.lingers = True

    def get_environ(self) -> "WSGIEnvironment":
        environ: WSGIEnvironment = super().get_environ()
        source = environ["wsgi.input"]
        source.rfile = BoundedLines(source.rfile)
        environ["wsgi.input"] = Body(source)
        return environ

    def handle_one_response(self) -> None:
        self.application = self._heeding(self.application)
        super().handle_one_response()

    def _heeding(self, app: "WSGIApplication") -> "WSGIApplication":
        """The application, whose wish to hang up is heeded, and whose HEAD has no body."""

        def call(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                if _HANG_UP in headers:
                    headers.remove(_HANG_UP)
                    self.close_connection = self.lingers = True
                return start_response(status, headers, exc_info)

            answer = app(environ, start)
            return [] if self.command == "HEAD" else answer

        return call

    def _stop_reading(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RD)

    def finish(self) -> None:
        if self.lingers:
            with suppress(OSError), eventlet.Timeout(LINGER_SECONDS, False):
                self._linger()
        super().finish()

    def _linger(self) -> None:
        """Take what the client still sends: to close before would make it lose the answer."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        while self.connection.recv(_MAX_LINE):
            pass


class WebServer(NamekoWebServer):  # type: ignore[misc]
    """Listens, and calls the entrypoint that a request is for."""

    def __init__(self) -> None:
        super().__init__()
        self._connections: list[list[Any]] = []
        self._url_map = Map()

    def start(self) -> None:
        settings = self.container.config["settings"]
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        self._sock = eventlet.listen(
            (settings.host, settings.port), family, backlog=BACKLOG, reuse_port=False
        )
        self._serv = wsgi.Server(
            self._sock,
            self._sock.getsockname(),
            self.get_wsgi_app(),
            protocol=Protocol,
            log_output=False,
            debug=False,
            url_length_limit=_MAX_LINE,
            socket_timeout=STALLED_SECONDS,
        )
        self._gt = self.container.spawn_managed_thread(self.run)

    def run(self) -> None:
        while True:
            try:
                sock, address = self._sock.accept()
            except OSError:  # too many open files, perhaps: some will be closed
                eventlet.sleep(0.1)
                continue
            eventlet.spawn(self.process_request, sock, address)

    def process_request(self, sock: Any, address: Any) -> None:
        """Serve one connection; none of its errors may reach the container, which would end."""
        connection = [address, sock, wsgi.STATE_IDLE]
        self._connections.append(connection)
        try:
            with suppress(OSError, ValueError):
                self._serv.process_request(connection)
        finally:
            self._connections.remove(connection)
            sock.close()

    def close(self) -> None:
        """Take no new connection, and end each with the answer to its request."""
        self._gt.kill()
        self._sock.close()
        self._serv.keepalive = False

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered, or on its way in."""
        return any(state == wsgi.STATE_REQUEST for _, _, state in self._connections)

    def get_wsgi_app(self) -> "WSGIApplication":
        self._url_map = Map(merge_slashes=False)
        for provider in self._providers:
            rule = provider.get_url_rule()
            rule.endpoint = provider
            self._url_map.add(rule)
        return Edge(self.answer, self.container.config["settings"])

    def answer(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Let the entrypoint of the request's route answer it."""
        response = self._respond(Request(environ), path_of(environ))
        return response(environ, start_response)

    def _respond(self, request: Request, path: str) -> Response:
        if path.startswith("//"):  # Werkzeug forgives it
            raise Problem(404)
        try:
            routes = self._url_map.bind("", path_info=path)
            provider, request.path_values = routes.match(method=request.method)  # type: ignore[attr-defined]
        except MethodNotAllowed as error:
            allow = ", ".join(sorted({*(error.valid_methods or ()), "OPTIONS"}))
            if request.method != "OPTIONS":
                raise Problem(405, headers={"Allow": allow}) from None
            return Response(status=204, headers={"Allow": allow})
        except HTTPException:
            raise Problem(404) from None
        request.environ[EXCHANGE].route = re.sub(r"<(\w+)>", r"{\1}", provider.url)
        response: Response = provider.handle_request(request)
        return response

    def context_data_from_headers(self, request: Request) -> dict[str, str]:
        """What goes with every call and event that the request leads to."""
        exchange = request.environ[EXCHANGE]
        return {"request_id": exchange.request_id, "trace_id": exchange.trace_id}


class Http(HttpRequestHandler):  # type: ignore[misc]
    """A route of a service."""

    server = WebServer()

    def __init__(self, method: str, url: str, *, worker: bool) -> None:
        super().__init__(method, url)
        self.worker = worker

    def handle_request(self, request: Request) -> Response:
        if not self.worker:
            method = getattr(self.container.service_cls(), self.method_name)
            response: Response = method(request)
            return response
        self.container.service_cls.check(request)
        return super().handle_request(request)  # type: ignore[no-any-return]

    def response_from_result(self, result: Response) -> Response:
        return result

    def response_from_exception(self, exc: Exception) -> Response:
        raise exc  # the outermost layer makes a problem of it
