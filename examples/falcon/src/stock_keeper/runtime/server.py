"""The server: granian with one worker process."""

import ctypes
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Final

from granian import wsgi
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from .lifecycle import draining, on_start
from .logs import configure_logs, logging_config
from .settings import Settings, load_settings

INTERFACE: Final = Interfaces.WSGI
# A request that waits for the database holds a thread; this many leave some free for probes.
THREADS: Final = 256
IN_FLIGHT_SECONDS: Final = 30
_DEATH_OF_PARENT: Final = 1  # PR_SET_PDEATHSIG of prctl(2)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are completed."""
    # A worker that is still starting must survive the signal that tells it to drain.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    logging.getLogger("_granian").addFilter(_unexpected)
    _DrainingServer(
        f"{__name__}:application",
        drain_seconds=settings.drain_seconds,
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=INTERFACE,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=30_000, max_buffer_size=65_536),
        blocking_threads=THREADS,
        workers_kill_timeout=IN_FLIGHT_SECONDS,
        log_level=LogLevels(settings.log_level),
        log_dictconfig=logging_config(settings.log_level),
    ).serve()


def application() -> Callable[..., Any]:
    """Create the application in the worker process."""
    # A signal to the whole group, such as Ctrl-C, must reach the main process alone.
    os.setpgid(0, 0)
    if sys.platform == "linux":
        # If the parent is killed, nobody else would stop this process.
        ctypes.CDLL(None).prctl(_DEATH_OF_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGUSR2, lambda *_: draining.set())
    # CPython leaves a signal pending if it arrives just as the main thread starts to wait; a no-op
    # timer every second gets it handled.
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    settings = load_settings()
    # granian adds all variables of the environment to those of a request, CONTENT_LENGTH for one.
    vars(wsgi)["os"] = SimpleNamespace(environ={})
    configure_logs(settings.log_level)
    app: Callable[..., Any] = import_module("..app", __package__).create_app(settings)
    for call in on_start:
        call()
    # Objects made until now live as long as the process. Scanning them takes tens of milliseconds.
    gc.freeze()
    return app


def _unexpected(record: logging.LogRecord) -> bool:
    """Drop granian's warning of many threads per core: here most of them wait for the database."""
    return "Python threads" not in record.getMessage()


class _DrainingServer(MPServer):
    """Keeps the listener open for `drain_seconds` after SIGTERM, while readiness fails."""

    def __init__(self, *args: Any, drain_seconds: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._drain_seconds = drain_seconds

    def signal_handler_interrupt(self, *args: Any, **options: Any) -> None:
        stop: Callable[[], None] = super().signal_handler_interrupt
        if self._drain_seconds == 0 or draining.is_set():
            stop()
            return
        draining.set()
        for worker in self.wrks:
            os.kill(worker.inner.pid, signal.SIGUSR2)
        timer = threading.Timer(self._drain_seconds, stop)
        timer.daemon = True
        timer.start()
