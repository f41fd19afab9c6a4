"""The server: Sanic's own, in one process."""

import asyncio
import gc
import logging
import signal
from importlib import import_module
from typing import TYPE_CHECKING, Final

from sanic.http import Stage
from sanic.server.protocols.websocket_protocol import WebSocketProtocol

from .settings import Settings
from .web import Edge, draining

if TYPE_CHECKING:
    from ..app import App

BACKLOG: Final = 1_024


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; what is in flight then gets its answer."""
    app: App = import_module("..app", __package__).create_app(settings)
    app.ctx.started = asyncio.Event()
    app.after_server_start(_hear_signals)
    app.before_server_stop(_drain)
    # What was made until now stays. To look at all of it for garbage takes tens of milliseconds.
    gc.freeze()
    app.run(
        settings.host,
        settings.port,
        single_process=True,
        protocol=Protocol,
        backlog=BACKLOG,
        access_log=False,
        motd=False,
    )


class Protocol(WebSocketProtocol):
    """A connection whose clock for a request begins with its first byte, not anew with each."""

    HTTP_CLASS = Edge

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[no-untyped-call]
        self.app.ctx.connections = self.connections

    async def connection_task(self) -> None:
        """Sanic listens before it heeds signals: who is answered earlier may end it too hard."""
        if started := getattr(self.app.ctx, "started", None):
            await started.wait()
        await super().connection_task()  # type: ignore[no-untyped-call]

    def data_received(self, data: bytes) -> None:
        began, http = self._time, self.http
        super().data_received(data)  # type: ignore[no-untyped-call]
        if http is not None and (http.stage is Stage.REQUEST or http.request_body):
            self._time = began


async def _hear_signals(app: "App") -> None:
    """A signal that Sanic hears in the last turns of its start is lost: it is kept until then."""
    told = asyncio.Event()
    for number in signal.SIGTERM, signal.SIGINT:
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    app.ctx.serving = asyncio.create_task(_answer(app, asyncio.current_task(), told))


async def _answer(app: "App", starting: "asyncio.Task[None] | None", told: asyncio.Event) -> None:
    if starting is not None:
        await asyncio.wait([starting])
    settings: Settings = app.ctx.settings
    app.ctx.started.set()
    logging.getLogger(__name__).info("listening on %s:%d", settings.host, settings.port)
    await told.wait()
    app.stop(terminate=False)


async def _drain(app: "App") -> None:
    """Sanic listens on until this ends; a second signal changes nothing."""
    draining.set()
    await asyncio.sleep(app.ctx.settings.drain_seconds)
    await app.ctx.stream.end(seconds=2)
    app.ctx.closing = asyncio.create_task(_close_idle(app))


async def _close_idle(app: "App") -> None:
    """From Python 3.12 a listener is closed only once its last connection is."""
    while True:
        await asyncio.sleep(0.2)  # whoever has just connected may still be sending
        for connection in list(getattr(app.ctx, "connections", ())):
            connection.close_if_idle()
