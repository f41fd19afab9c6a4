"""Health probes: what /livez and /readyz report."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from threading import Thread
from typing import Any, Final

import structlog

from .database import READINESS_SECONDS
from .lifecycle import draining

CONTENT_TYPE: Final = "application/health+json"
LIVENESS: Final = b'{"status": "pass"}'

Check = Callable[[], bool]

_log = structlog.get_logger()


class Checks:
    """The readiness checks: those of the database, and the service's own.

    A check that raises, or takes longer than two seconds, has failed. Probes that arrive while a
    check is running wait for the same run, so a check that hangs takes up only one thread.
    """

    def __init__(self, database: Callable[[], Mapping[str, bool]], own: Iterable[Check]) -> None:
        self._database = database
        self._own = tuple(own)
        self._running: dict[Callable[[], Any], Future[Any]] = {}
        self._lock = threading.Lock()

    def run(self) -> dict[str, bool]:
        """The outcome of each check by its name; blocks for about two seconds at most."""
        end = time.monotonic() + READINESS_SECONDS
        started = [(check.__name__, self._start(check)) for check in self._own]
        database = self._start(self._database)
        outcomes: dict[str, bool] = {}
        try:
            outcomes.update(database.result(max(0.0, end - time.monotonic())))
        except TimeoutError:
            outcomes["database"] = False
        for name, outcome in started:
            try:
                found = outcome.result(max(0.0, end - time.monotonic()))
                if not isinstance(found, bool):  # a coroutine, for example, would count as success
                    raise TypeError(f"a check must return a bool, not {type(found).__name__}")
                outcomes[name] = found
            except Exception as error:
                _log.warning("check_failed", check=name, error=repr(error))
                outcomes[name] = False
        return outcomes

    def _start(self, check: Callable[[], Any]) -> Future[Any]:
        with self._lock:
            outcome = self._running.get(check)
            if outcome is None or outcome.done():
                outcome = self._running[check] = Future()
                Thread(target=_settle, args=(outcome, check), daemon=True).start()
            return outcome


def _settle(outcome: Future[Any], check: Callable[[], Any]) -> None:
    try:
        outcome.set_result(check())
    except Exception as error:
        outcome.set_exception(error)


def report(checks: Mapping[str, bool]) -> tuple[int, bytes]:
    """The status and the body of /readyz: 200 if every check passes, otherwise 503."""
    word = {True: "pass", False: "fail"}
    if draining.is_set():
        checks = {**checks, "draining": False}
    healthy = all(checks.values())
    body = {
        "status": word[healthy],
        "checks": {name: {"status": word[passed]} for name, passed in checks.items()},
    }
    return (200 if healthy else 503), json.dumps(body).encode()
