"""Work beside requests: timers, and tasks that run after a response."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import structlog
from eventlet.greenpool import GreenPool
from nameko.timer import Timer

Method = TypeVar("Method", bound=Callable[..., Any])

TASKS: Final = 100
_log = structlog.get_logger()


def timer(interval: float, *, eager: bool = False) -> Callable[[Method], Method]:
    """Call a method of a service class every `interval` seconds; with `eager` at the start too.

    Every replica does so. An error is logged, and the next call takes place as scheduled.
    """
    decorator: Callable[[Method], Method] = Timer.decorator(interval=interval, eager=eager)
    return decorator


class Tasks:
    """Runs functions in the background; when the service stops, it waits for them."""

    def __init__(self) -> None:
        self._pool = GreenPool(TASKS)

    def spawn(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in a green thread of its own; its log lines have the request's IDs.

        It does not take part in an open transaction. Waits while `TASKS` others run.
        """
        ids = structlog.contextvars.get_contextvars()
        self._pool.spawn_n(_run, ids, function, arguments)

    def wait(self) -> None:
        """Wait for all that are running."""
        self._pool.waitall()


def _run(ids: dict[str, Any], function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    structlog.contextvars.bind_contextvars(**ids)
    try:
        function(*arguments)
    except Exception as error:
        _log.error("task_failed", task=getattr(function, "__qualname__", ""), exc_info=error)
