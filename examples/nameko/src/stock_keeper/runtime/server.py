"""The runner of the service, in WORKERS processes; Nameko's own needs an old setuptools."""

import gc
import signal
import socket
import sys
import time
from importlib import import_module
from typing import Any, Final

import eventlet
import structlog

from . import metrics
from .address import listen
from .bodies import give_memory_back
from .lifecycle import draining, on_start, stop_signals
from .settings import Settings
from .supervisor import supervise

IN_FLIGHT_SECONDS: Final = 30


def serve(
    settings: Settings, *, development: bool = False, listener: socket.socket | None = None
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; requests in flight are completed.

    A second signal cuts DRAIN_SECONDS short. With `development`, errors are shown to browsers; with
    `listener`, this is one of several workers.
    """
    if settings.workers > 1 and listener is None:
        supervise(settings)
    else:
        _serve(settings, development, listener or listen(settings.host, settings.port))


def _serve(settings: Settings, development: bool, listener: socket.socket) -> None:
    log = structlog.get_logger()
    signals: list[int] = []  # a signal handler must not switch green threads, so it only records
    for number in stop_signals():
        signal.signal(number, lambda number, _: signals.append(number))
    service: Any = import_module("..app", __package__).create_app(settings)
    if development:
        import_module(".development", __package__).show_errors(service)
    service.start(listener)
    metrics.start()
    for call in on_start:
        call()
    # Objects created so far live as long as the process, and scanning them takes tens of ms.
    gc.freeze()
    give_memory_back()
    log.info("listening", host=settings.host, port=settings.port)
    while service.is_alive and not signals:
        eventlet.sleep(0.05)
    if not signals:
        log.critical("server_ended")
        sys.exit(1)
    draining.set()
    end = time.monotonic() + settings.drain_seconds
    while time.monotonic() < end and len(signals) < 2:
        eventlet.sleep(0.05)
    service.stop(IN_FLIGHT_SECONDS)
    log.info("stopped")
