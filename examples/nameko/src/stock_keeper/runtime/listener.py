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

from .http import PROBLEM_CONTENT_TYPE, Problem
from .settings import Settings
from .wsgi import MAY_CLOSE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CLIENT_SECONDS: Final = 30  # for a whole request to arrive
STALLED_SECONDS: Final = 60  # for a client that does not read its response
LINGER_SECONDS: Final = 2
_MAX_LINE: Final = 65_536  # the middleware already rejects much shorter lines, with a problem
_ORIGIN: Final = re.compile(r"^https?://[^/?]*", re.I)
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(;[^\r\n]*)?\r\n")
_CONTROL: Final = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
_CLOSE: Final = ("Connection", "close")

wsgi.MAX_HEADER_LINE = _MAX_LINE


class Head:
    """The lines of a request's head; knows whether the empty line at its end has come."""

    def __init__(self, lines: Any) -> None:
        self._lines = lines
        self.complete = False
        self.has_controls = False

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._lines.readline(size)
        self.complete = line in (b"\r\n", b"\n")
        self.has_controls = self.has_controls or _CONTROL.search(line) is not None
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


class ChunkedBody:
    """The rest of a connection as a chunked body is read from it; every line has to be exact.

    eventlet accepts anything that `int()` does as a size, and any line as the end of a chunk.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left: int | None = None  # bytes left in a chunk; None if a size comes next
        self._is_over = False

    def read(self, size: int) -> bytes:
        data: bytes = self._file.read(size)
        if self._left is not None:
            self._left -= len(data)
        return data

    def readline(self) -> bytes:
        """The end of a chunk, the size of the next one, or a trailer; `ValueError` otherwise."""
        line: bytes = self._file.readline(_MAX_LINE)
        size = None
        if self._left == 0:
            is_valid = line == b"\r\n"
        elif self._is_over:
            is_valid = line.endswith(b"\r\n")
        else:
            size = _CHUNK_SIZE.fullmatch(line)
            is_valid = size is not None
        if not is_valid:
            raise ValueError("the body is not framed as HTTP requires")
        self._left = int(size[1], 16) or None if size else None
        self._is_over = self._is_over or (size is not None and self._left is None)
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
        is_whole = self.raw_requestline.endswith(b"\n") and head.complete
        if is_whole and not head.has_controls and self._is_unambiguous():
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
        source.rfile = ChunkedBody(source.rfile)
        environ["wsgi.input"] = Body(source)
        environ[MAY_CLOSE] = True
        return environ

    def handle_one_response(self) -> None:
        self.application = self._heeding(self.application)
        super().handle_one_response()

    def _heeding(self, app: "WSGIApplication") -> "WSGIApplication":
        """The application; `Connection: close` is honoured, and a response to HEAD has no body."""

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

    def __init__(self, app: "WSGIApplication", settings: Settings, listener: Any) -> None:
        self._connections: list[list[Any]] = []
        self._socket = listener
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
