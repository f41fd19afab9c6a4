"""The server: granian, with WORKERS worker processes."""

import ctypes
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from granian import _signals
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from . import metrics
from .address import BACKLOG, listen
from .asgi import is_answering
from .bodies import give_memory_back
from .connections import ConnectionGuard
from .lifecycle import draining, on_start, stop_signals
from .logs import configure_logs, logging_config
from .settings import Settings, load_settings
from .workers import forget

INTERFACE: Final = Interfaces.ASGI
THREADS: Final = 1
IN_FLIGHT_SECONDS: Final = 30
# The main process stops its worker with this signal; systemd, for one, sends SIGTERM to both.
STOP: Final = signal.SIGUSR1
_DEATH_OF_PARENT: Final = 1  # PR_SET_PDEATHSIG of prctl(2)


def serve(settings: Settings, *, development: bool = False) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; requests in flight are completed.

    A second signal cuts DRAIN_SECONDS short. With `development`, errors are shown to browsers, and
    requests in flight have one second.
    """
    _prepare_for_workers()
    # In development, granian's six lines for each reload would hide the requests.
    quiet = development and settings.log_level == "info"
    _DrainingServer(
        f"{__package__}.development:application" if development else f"{__name__}:application",
        drain_seconds=settings.drain_seconds,
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=INTERFACE,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            # For headers and the idle time before them: the guard limits the headers separately.
            header_read_timeout=int(settings.keepalive_seconds * 1000),
            max_buffer_size=65_536,
        ),
        blocking_threads=THREADS,
        workers=settings.workers,
        respawn_failed_workers=settings.workers > 1,
        workers_kill_timeout=1 if development else IN_FLIGHT_SECONDS,
        log_level=LogLevels.warning if quiet else LogLevels(settings.log_level),
        log_dictconfig=logging_config(settings.log_level, settings.log_format),
    ).serve()


def _prepare_for_workers() -> None:
    """Set up what the workers inherit from this process."""
    # A worker that is still starting must survive the signal to drain.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    signal.signal(STOP, lambda *_: os._exit(0))  # a worker that is still starting just exits
    logging.getLogger("_granian").addFilter(_unexpected)


def application() -> Callable[..., Any]:
    """Create the application in the worker process."""
    # Ctrl-C is for the main process, which then stops this one.
    os.setpgid(0, 0)
    vars(_signals)["_get_signals"] = lambda: [STOP]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    if sys.platform == "linux":
        # If the parent is killed, nothing else would stop this process.
        ctypes.CDLL(None).prctl(_DEATH_OF_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGUSR2, lambda *_: draining.set())
    # CPython leaves a signal pending if it arrives just as the main thread starts to wait; a no-op
    # timer every second gets it handled.
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    app: Callable[..., Any] = import_module("..app", __package__).create_app(settings)
    for call in (metrics.start, give_memory_back, *on_start):
        call()
    if sys.platform == "linux":
        _guard(settings.port).start()
    # Objects created so far live as long as the process, and scanning them takes tens of ms.
    gc.freeze()
    return app


def _guard(port: int) -> ConnectionGuard:
    return ConnectionGuard(port, is_answering, exact=True)


def _unexpected(record: logging.LogRecord) -> bool:
    """Drop granian's warning about many threads per core: most of them wait for the database."""
    return "Python threads" not in record.getMessage()


class _DrainingServer(MPServer):
    """Keeps the listener open for `drain_seconds` after SIGTERM, while readiness fails."""

    def __init__(self, *args: Any, drain_seconds: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._drain_seconds = drain_seconds
        self._heeds_hangup = signal.SIGHUP in stop_signals()
        # Otherwise a collection in a worker copies memory that both share: 13 MB in FastAPI.
        gc.freeze()

    def signal_handler_interrupt(self, *args: Any, **options: Any) -> None:
        stop: Callable[[], None] = super().signal_handler_interrupt
        if self._drain_seconds == 0 or draining.is_set():
            stop()
            return
        draining.set()
        for worker in self.wrks:
            with suppress(ProcessLookupError):  # it has died and is being replaced
                os.kill(worker.inner.pid, signal.SIGUSR2)
        timer = threading.Timer(self._drain_seconds, stop)
        timer.daemon = True
        timer.start()

    def signal_handler_reload(self, *args: Any, **options: Any) -> None:
        if self._heeds_hangup:
            self.signal_handler_interrupt()

    def _init_shared_socket(self) -> None:
        # granian's own socket accepts neither host names nor, at `::`, IPv4.
        self._sso = listen(self.bind_addr, self.bind_port)
        held = SocketHolder(self._sso.fileno(), False, BACKLOG)  # type: ignore[call-arg]
        self._shd = held  # type: ignore[assignment]

    def _respawn_workers(self, workers: list[int], *args: Any, **options: Any) -> None:
        """Replace workers that have died; a single worker is left to whoever runs the service."""
        for index in workers:
            forget(self.wrks[index].inner.pid)
        super()._respawn_workers(workers, *args, **options)

    def _stop_workers(self) -> None:
        for worker in self.wrks:
            if worker.inner.is_alive():
                worker.interrupt_by_parent = True
                os.kill(worker.inner.pid, STOP)
        # This waits for the workers, which ignore the SIGTERM that it sends.
        super()._stop_workers()  # type: ignore[no-untyped-call]
