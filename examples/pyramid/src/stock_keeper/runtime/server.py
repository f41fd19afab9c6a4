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
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from .logs import configure_logs, logging_config
from .settings import Settings, load_settings

INTERFACE: Final = Interfaces.WSGI
# A request that waits for the database holds a thread: enough that probes always find a free one.
THREADS: Final = 128
IN_FLIGHT_SECONDS: Final = 30
_DEATH_OF_PARENT: Final = 1  # PR_SET_PDEATHSIG of prctl(2)

draining = threading.Event()


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; what is in flight then gets its answer."""
    # A worker that is still starting must not die of the signal that tells it to drain.
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
    """What the worker process runs."""
    # A signal to the whole group, such as Ctrl-C, is for the main process alone to act on.
    os.setpgid(0, 0)
    if sys.platform == "linux":
        # Without its parent nobody would ever stop this process.
        ctypes.CDLL(None).prctl(_DEATH_OF_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGUSR2, lambda *_: draining.set())
    # Python hears a signal that comes just as its main thread begins to wait with the next one.
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    settings = load_settings()
    configure_logs(settings.log_level)
    app: Callable[..., Any] = import_module("..app", __package__).create_app(settings)
    # What was made until now stays. To look at all of it for garbage takes tens of milliseconds.
    gc.freeze()
    return app


def _unexpected(record: logging.LogRecord) -> bool:
    """Granian warns of many threads per core; here most of them wait, and that is meant."""
    return "Python threads" not in record.getMessage()


class _DrainingServer(MPServer):
    """Between SIGTERM and closing the listener, readiness says no for `drain_seconds`."""

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
