"""The server: Sanic's own, in one process."""

import asyncio
import gc
import logging
import signal
from importlib import import_module
from typing import TYPE_CHECKING, Final

from .settings import Settings

if TYPE_CHECKING:
    from .service import Service

BACKLOG: Final = 1_024


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are completed."""
    app: Service = import_module("..app", __package__).create_app(settings)
    app.started = asyncio.Event()
    app.after_server_start(_handle_signals)
    # Objects made until now live as long as the process. Scanning them takes tens of milliseconds.
    gc.freeze()
    app.run(
        settings.host,
        settings.port,
        single_process=True,
        backlog=BACKLOG,
        access_log=False,
        motd=False,
    )


async def _handle_signals(app: "Service") -> None:
    """Keep a signal that arrives in the last turns of Sanic's start: Sanic would lose it."""
    signalled = asyncio.Event()
    for number in signal.SIGTERM, signal.SIGINT:
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
    app.stop(terminate=False)
