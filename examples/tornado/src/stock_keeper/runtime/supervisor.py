"""Serve one socket from several processes, for servers without workers of their own.

A worker that dies is replaced. Signals that stop the service are handled by this process only: it
stops the workers, each of which drains by itself.
"""

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from importlib import import_module
from typing import Final

from . import lifecycle
from .address import listen
from .cli import start
from .settings import Settings
from .workers import forget

STOP: Final = signal.SIGUSR1
_STOP_SECONDS: Final = 35  # for requests in flight, after DRAIN_SECONDS
_CRASH_LOOP_SECONDS: Final = 5.0
_DEATH_OF_PARENT: Final = 1  # PR_SET_PDEATHSIG of prctl(2)
_log = logging.getLogger(__name__)


class _Worker:
    """A serving process; `is_replacement` says that it replaces one that died."""

    def __init__(self, listener: socket.socket, *, is_replacement: bool = False) -> None:
        descriptor = listener.fileno()
        self.is_replacement = is_replacement
        self.began = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", __name__, str(descriptor)], pass_fds=[descriptor]
        )


def supervise(settings: Settings) -> None:
    """Serve from WORKERS processes until a signal; the exit code is 1 if they keep dying."""
    stop_signals = lifecycle.stop_signals()
    # They stay blocked in the workers, which are stopped by another signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, (*stop_signals, signal.SIGCHLD))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    listener = listen(settings.host, settings.port)
    workers = [_Worker(listener) for _ in range(settings.workers)]
    failed = False
    try:
        while not failed and signal.sigwait((*stop_signals, signal.SIGCHLD)) == signal.SIGCHLD:
            failed = not _replace_dead(workers, listener)
        listener.close()
        _stop(workers, (*stop_signals, signal.SIGCHLD), settings.drain_seconds + _STOP_SECONDS)
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.wait()
    if failed:
        sys.exit(1)


def _replace_dead(workers: list[_Worker], listener: socket.socket) -> bool:
    """Replace each worker that has died; False if a replacement died right after its start."""
    for index, worker in enumerate(workers):
        code = worker.process.poll()
        if code is None:
            continue
        forget(worker.process.pid)
        _log.error("worker %d has died with exit code %d", worker.process.pid, code)
        if worker.is_replacement and time.monotonic() - worker.began < _CRASH_LOOP_SECONDS:
            return False
        workers[index] = _Worker(listener, is_replacement=True)
    return True


def _stop(workers: list[_Worker], signals: tuple[signal.Signals, ...], seconds: float) -> None:
    """Make the workers drain, and wait for them; a second signal is passed on."""
    end = time.monotonic() + seconds
    _tell(workers)
    while any(worker.process.poll() is None for worker in workers):
        left = end - time.monotonic()
        found = signal.sigtimedwait(signals, left) if left > 0 else None
        if found is None:
            return
        if found.si_signo != signal.SIGCHLD:
            _tell(workers)


def _tell(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.process.send_signal(STOP)


def _serve(descriptor: int, parent: int, settings: Settings) -> None:
    """Serve as one of the workers."""
    if sys.platform == "linux":
        # If the parent is killed, nothing else would stop this process.
        ctypes.CDLL(None).prctl(_DEATH_OF_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        return
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    lifecycle.own_signals[:] = [STOP]
    server = import_module(".server", __package__)
    server.serve(settings, listener=socket.socket(fileno=descriptor))


if __name__ == "__main__":
    start(partial(_serve, int(sys.argv[1]), os.getppid()), listens=False)
