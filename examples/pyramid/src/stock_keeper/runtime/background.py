"""Background work: tasks that outlive a response, and periodic jobs.

Both run in threads of the serving process. On shutdown it waits for them, for as long as it would
for a request in flight.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import structlog

from .lifecycle import draining, on_start

MAX_TASKS: Final = 4
_POLL_SECONDS: Final = 0.5

_log = structlog.get_logger()
_pool = ThreadPoolExecutor(MAX_TASKS, "task")


def submit(task: Callable[..., object], *arguments: Any) -> None:
    """Run a task in another thread, without waiting for it."""
    _pool.submit(_run, task, *arguments)


def every(seconds: float, job: Callable[[], object]) -> None:
    """Run a job periodically in every serving process; call this in `create_app`.

    It first runs after `seconds`. It does not run in tests or for command-line commands.
    """
    on_start.append(partial(_start, seconds, job))


def _start(seconds: float, job: Callable[[], object]) -> None:
    threading.Thread(target=_repeat, args=(seconds, job), name="job").start()


def _repeat(seconds: float, job: Callable[[], object]) -> None:
    while _is_due_after(seconds):
        _run(job)


def _is_due_after(seconds: float) -> bool:
    """Wait; False if the process is stopping before the time has passed."""
    due = time.monotonic() + seconds
    while (left := due - time.monotonic()) > 0:
        # The main thread ends when the server has stopped.
        if draining.wait(min(left, _POLL_SECONDS)) or not threading.main_thread().is_alive():
            return False
    return True


def _run(task: Callable[..., object], *arguments: Any) -> None:
    try:
        task(*arguments)
    except Exception:
        name = getattr(task, "__qualname__", repr(task))
        _log.exception("background_task_failed", task=name)
