"""The server: Tornado's own, in one process."""

import asyncio
import gc
import logging
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final

from tornado import autoreload
from tornado.httpserver import HTTPServer

from .lifecycle import draining
from .settings import Settings

if TYPE_CHECKING:
    from .service import Service

IN_FLIGHT_SECONDS: Final = 30
# For the whole head of a request, including the idle time before it, and again for its body.
REQUEST_SECONDS: Final = 30
MAX_HEAD_BYTES: Final = 131_072  # the middleware rejects much less, with a response
BACKLOG: Final = 1_024


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are completed."""
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    service: Service = import_module("..app", __package__).create_app(settings)
    server = http_server(service)
    stopping, at_once = _on_signals(settings.drain_seconds)
    server.listen(settings.port, settings.host, backlog=BACKLOG)
    service.start()
    if "tornado.autoreload" in sys.orig_argv:
        autoreload.start()  # otherwise it would wait for the process to end
    # Objects made until now live as long as the process. Scanning them takes tens of milliseconds.
    gc.freeze()
    logging.getLogger(__name__).info("listening on %s:%d", settings.host, settings.port)
    await stopping.wait()
    server.stop()
    endings = [asyncio.create_task(service.end()), asyncio.create_task(at_once.wait())]
    await asyncio.wait(endings, timeout=IN_FLIGHT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    service.close()


def http_server(service: "Service") -> HTTPServer:
    """The server of an application; the middleware limits the size of bodies."""
    return HTTPServer(
        service,
        idle_connection_timeout=REQUEST_SECONDS,
        body_timeout=REQUEST_SECONDS,
        max_header_size=MAX_HEAD_BYTES,
        max_body_size=sys.maxsize,
    )


def _on_signals(drain_seconds: float) -> tuple[asyncio.Event, asyncio.Event]:
    """Events for when to close the listener, and for when to wait no longer: a second signal."""
    loop, stopping, at_once = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def drain() -> None:
        if draining.is_set():
            stopping.set()
            at_once.set()
        draining.set()
        loop.call_later(drain_seconds, stopping.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain)
    return stopping, at_once
