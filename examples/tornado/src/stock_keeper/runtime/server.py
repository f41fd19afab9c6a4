"""The server: Tornado's own, in WORKERS processes."""

import asyncio
import errno
import gc
import logging
import socket
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from tornado import autoreload
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream

from . import metrics
from .address import listen
from .bodies import give_memory_back
from .lifecycle import draining, stop_signals
from .settings import Settings
from .supervisor import supervise

if TYPE_CHECKING:
    from .service import Service

IN_FLIGHT_SECONDS: Final = 30
REQUEST_SECONDS: Final = 30  # for the headers of a request, and again for its body
MAX_HEAD_BYTES: Final = 131_072  # the middleware rejects much less, with a response
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_SECONDS: Final = 0.5


def serve(
    settings: Settings, *, development: bool = False, listener: socket.socket | None = None
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; requests in flight are completed.

    A second signal cuts DRAIN_SECONDS short. With `development`, errors are shown to browsers. With
    `listener`, this is one of several workers.
    """
    if settings.workers > 1 and listener is None:
        supervise(settings)
    else:
        found = listener or listen(settings.host, settings.port)
        asyncio.run(_serve(settings, development, found))


async def _serve(settings: Settings, development: bool, found: socket.socket) -> None:
    service: Service = import_module("..app", __package__).create_app(settings)
    if development:
        import_module(".development", __package__).show_errors(service)
    server = http_server(service)
    stopping = _on_signals(settings.drain_seconds)
    listener = _Listener(fileno=found.detach())
    listener.setblocking(False)
    server.add_socket(listener)
    service.start()
    metrics.start()
    if "tornado.autoreload" in sys.orig_argv:
        autoreload.start()  # otherwise it would wait for the process to end
    # Objects created so far live as long as the process, and scanning them takes tens of ms.
    gc.freeze()
    give_memory_back()
    logging.getLogger(__name__).info("listening on %s:%d", settings.host, settings.port)
    await stopping.wait()
    server.stop()
    await asyncio.wait([asyncio.create_task(service.end())], timeout=IN_FLIGHT_SECONDS)
    service.close()


def http_server(service: "Service") -> HTTPServer:
    """The server of an application; the middleware limits the size of bodies."""
    return _Server(
        service,
        idle_connection_timeout=service.service_settings.keepalive_seconds,
        body_timeout=REQUEST_SECONDS,
        max_header_size=MAX_HEAD_BYTES,
        max_body_size=sys.maxsize,
    )


class _Server(HTTPServer):
    """Limits the time for headers from their first byte on; Tornado would include idle time."""

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        _HeadTimer(stream)
        super().handle_stream(stream, address)


class _HeadTimer:
    """Closes a connection whose headers take longer than `REQUEST_SECONDS` to arrive."""

    def __init__(self, stream: IOStream) -> None:
        self._stream = stream
        self._is_reading_head = False
        self._timer: asyncio.TimerHandle | None = None
        self._read_until_regex, self._read_from_fd = stream.read_until_regex, stream.read_from_fd
        vars(stream).update(read_until_regex=self._read_head, read_from_fd=self._read)

    def _read_head(self, *args: Any, **options: Any) -> Any:
        self._is_reading_head = True
        head: Any = self._read_until_regex(*args, **options)
        head.add_done_callback(self._end)
        return head

    def _read(self, buffer: bytearray | memoryview) -> int | None:
        size = self._read_from_fd(buffer)
        if size and self._is_reading_head and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(REQUEST_SECONDS, self._stream.close)
        return size

    def _end(self, _: object) -> None:
        self._is_reading_head = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Listener(socket.socket):
    """A listening socket that pauses when file descriptors run out; Tornado would busy-loop."""

    def accept(self) -> tuple[socket.socket, Any]:
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            logging.getLogger(__name__).warning("cannot accept connections: %s", error.strerror)
            loop = IOLoop.current()
            loop.update_handler(self, 0)
            loop.call_later(_PAUSE_SECONDS, self._go_on, loop)
            raise BlockingIOError from error  # Tornado takes this as nothing to accept

    def _go_on(self, loop: IOLoop) -> None:
        if self.fileno() != -1:
            loop.update_handler(self, IOLoop.READ)


def _on_signals(drain_seconds: float) -> asyncio.Event:
    """Set when the listener is to be closed: after DRAIN_SECONDS, or at a second signal."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()

    def drain() -> None:
        if draining.is_set():
            stopping.set()
        draining.set()
        loop.call_later(drain_seconds, stopping.set)

    for number in stop_signals():
        loop.add_signal_handler(number, drain)
    return stopping
