"""The HTTP server: eventlet's, made to withstand slow, broken and hostile clients."""

import os
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import eventlet
from eventlet import hubs, wsgi
from nameko.web.server import HttpOnlyProtocol

from .address import listen
from .http import PROBLEM_CONTENT_TYPE, Problem
from .settings import Settings
from .wsgi import MAY_CLOSE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CLIENT_SECONDS: Final = 30  # for a whole request to arrive
STALLED_SECONDS: Final = 60  # for a client that does not read its response
LINGER_SECONDS: Final = 2
_MAX_LINE: Final = 65_536  # the middleware rejects far less, but as a problem
_ORIGIN: Final = re.compile(r"^https?://[^/?]*", re.I)
_CLOSE: Final = ("Connection", "close")

wsgi.MAX_HEADER_LINE = _MAX_LINE


class Head:
    """The lines of a request's head; knows whether the empty line at its end has come."""

    def __init__(self, lines: Any) -> None:
        self._lines = lines
        self.complete = False

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._lines.readline(size)
        self.complete = line in (b"\r\n", b"\n")
        return line


class Body:
    """A request's body as `wsgi.input`; raises a `Problem` with 400 if it is malformed."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self._source.read(size)
        except (ValueError, OSError) as error:
            raise Problem(400, "The body is not framed as HTTP requires.") from error
        return data


class BoundedLines:
    """A file whose lines have a maximum length, as those between chunks must."""

    def __init__(self, file: Any) -> None:
        self.read = file.read
        self._file = file

    def readline(self) -> bytes:
        line: bytes = self._file.readline(_MAX_LINE)
        if len(line) == _MAX_LINE:
            raise ValueError("a line is too long")
        return line


class Protocol(HttpOnlyProtocol):  # type: ignore[misc]
    """One connection; a request that is late, truncated or ambiguous is rejected."""

    rfile: Any
    application: "WSGIApplication"
    lingers = False

    def handle_one_request(self) -> None:
        with self._limited(self.server.idle_seconds):
            self.rfile.peek(1)
        with self._limited(CLIENT_SECONDS):
            super().handle_one_request()

    @contextmanager
    def _limited(self, seconds: float) -> Iterator[None]:
        """Stop reading unless the block is done within `seconds`."""
        late = hubs.get_hub().schedule_call_global(seconds, self._stop_reading)
        try:
            yield
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
        if self.raw_requestline.endswith(b"\n") and head.complete and self._is_unambiguous():
            # The base class collapses leading slashes; a proxy may send the whole URL.
            self.path = _ORIGIN.sub("", self.requestline.split()[1]) or "/"
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
        """Respond with a problem to what is not a valid request; the base class sends HTML."""
        problem, request_id = Problem(code), os.urandom(16).hex()
        body = problem.body("", request_id)
        head = (
            f"HTTP/1.1 {problem.status} {problem.title}\r\n"
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
        environ[MAY_CLOSE] = True
        return environ

    def handle_one_response(self) -> None:
        self.application = self._heeding(self.application)
        super().handle_one_response()

    def _heeding(self, app: "WSGIApplication") -> "WSGIApplication":
        """The application; `Connection: close` is heeded, and a response to HEAD has no body."""

        def call(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                if _CLOSE in headers:
                    headers.remove(_CLOSE)
                    self.close_connection = self.lingers = True
                return start_response(status, headers, exc_info)

            response = app(environ, start)
            return [] if self.command == "HEAD" else response

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
        """Read what the client still sends; closing earlier would lose the response."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        while self.connection.recv(_MAX_LINE):
            pass


class Listener:
    """Accepts connections and serves a WSGI application to them."""

    def __init__(self, app: "WSGIApplication", settings: Settings) -> None:
        self._connections: list[list[Any]] = []
        self._socket: Any = listen(settings.host, settings.port)
        self._server = wsgi.Server(
            self._socket,
            self._socket.getsockname(),
            app,
            protocol=Protocol,
            log_output=False,
            debug=False,
            url_length_limit=_MAX_LINE,
            socket_timeout=STALLED_SECONDS,
        )
        self._server.idle_seconds = settings.keepalive_seconds
        self._accepting = eventlet.spawn(self._accept)

    def close(self) -> None:
        """Accept no more connections, and close each one after its current response."""
        self._accepting.kill()
        self._socket.close()
        self._server.keepalive = False

    @property
    def is_alive(self) -> bool:
        """Whether connections are accepted."""
        return not self._accepting.dead

    @property
    def is_busy(self) -> bool:
        """Whether a request is in progress or being received."""
        return any(state == wsgi.STATE_REQUEST for _, _, state in self._connections)

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._socket.accept()
            except OSError:  # too many open files, for example: some will be closed
                eventlet.sleep(0.1)
                continue
            eventlet.spawn(self._serve, connection, address)

    def _serve(self, connection: Any, address: Any) -> None:
        served = [address, connection, wsgi.STATE_IDLE]
        self._connections.append(served)
        try:
            with suppress(OSError, ValueError):
                self._server.process_request(served)
        finally:
            self._connections.remove(served)
            connection.close()
