"""The server: Sanic's own, in WORKERS processes."""

import asyncio
import gc
import logging
import os
import socket
from importlib import import_module
from typing import TYPE_CHECKING

from . import metrics
from .address import listen
from .bodies import give_memory_back
from .lifecycle import stop_signals
from .settings import Settings
from .supervisor import supervise

if TYPE_CHECKING:
    from .service import Service


def serve(
    settings: Settings, *, development: bool = False, listener: socket.socket | None = None
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, and complete the requests in flight.

    A second signal ends DRAIN_SECONDS. With `development`, browsers are shown errors; with
    `listener`, this process is one of several workers.
    """
    if settings.workers > 1 and listener is None:
        supervise(settings)
        return
    app: Service = import_module("..app", __package__).create_app(settings)
    if development:
        import_module(".development", __package__).show_errors(app)
    app.started = asyncio.Event()
    app.after_server_start(_handle_signals)
    # Objects created so far live as long as the process, and scanning them takes tens of ms.
    gc.freeze()
    give_memory_back()
    metrics.start()
    # `dev` itself says that it is not for production.
    os.environ["SANIC_IGNORE_PRODUCTION_WARNING"] = "1"
    listener = listener or listen(settings.host, settings.port)
    app.run(sock=listener, single_process=True, access_log=False, motd=False)


async def _handle_signals(app: "Service") -> None:
    """Hold back a signal that arrives during Sanic's startup, which would lose it."""
    app.signalled = signalled = asyncio.Event()
    for number in stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, signalled.set)
    app.ctx.serving = asyncio.create_task(_serve(app, asyncio.current_task(), signalled))


async def _serve(
    app: "Service", starting: "asyncio.Task[None] | None", signalled: asyncio.Event
) -> None:
    if starting is not None:
        await asyncio.wait([starting])
    if app.started is not None:
        app.started.set()
    address = app.settings.host, app.settings.port
    logging.getLogger(__name__).info("listening on %s:%d", *address)
    await signalled.wait()
    signalled.clear()  # the next signal cuts DRAIN_SECONDS short
    app.stop(terminate=False)
