"""Other services that this one depends on: their limits, availability and metrics."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from prometheus_client import Counter, Gauge, Histogram

from ..http import Problem

OVER_SECONDS: Final = 5.0
_MAX_REASON: Final = 500
# As in gRPC: a failure costs a token, a success earns a tenth of one, and nothing is retried once
# half of them are spent. Otherwise retries would triple the load on a failing service.
_MAX_TOKENS: Final = 10.0
_EARNED: Final = 0.1
_STATUS: Final = {"timeout": 504, "refused": 503, "limited": 503}
_DETAIL: Final = {
    "timeout": "A service that this one depends on did not answer in time.",
    "refused": "Too many requests wait for a service that this one depends on.",
    "limited": "A service that this one depends on takes no more requests at the moment.",
    "unreachable": "A service that this one depends on cannot be reached.",
}
_OTHER_DETAIL: Final = "A service that this one depends on did not answer as expected."
# Failures that say nothing about the state of the other service.
_NO_OUTAGE: Final = ("refused", "limited", "rejected")

_log = structlog.get_logger()
_durations = Histogram(
    "http_client_request_duration_seconds",
    "Duration of calls of other services, repeats included, by service and outcome.",
    ["dependency", "outcome"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)
_active = Gauge(
    "http_client_active_requests",
    "Calls of other services in progress.",
    ["dependency"],
    multiprocess_mode="livesum",
)
_repeats = Counter(
    "http_client_repeats", "Calls of other services that were sent again.", ["dependency"]
)


class CallFailed(Problem):
    """A call to another service has failed; unless it is caught, the client gets 502, 503 or 504.

    `kind` is `unreachable`, `timeout`, `failed` (an error of the service, or an invalid response),
    `rejected` (a status that is not accepted), `limited` (429) or `refused` (too many calls wait).
    `again` is the number of seconds after which the call may be retried, None for never.
    """

    def __init__(self, kind: str, reason: str, again: float | None = None) -> None:
        status = _STATUS.get(kind, 502)
        headers = {"Retry-After": str(max(1, round(again or 0)))} if status == 503 else None
        super().__init__(status, _DETAIL.get(kind, _OTHER_DETAIL), headers=headers)
        self.kind = kind
        self.reason = reason
        self.again = again


class Dependency:
    """One other service as this process sees it; `name` is its label in metrics and log.

    At most `limit` calls wait for it, so a service that hangs cannot take all threads or memory.
    """

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._places = threading.BoundedSemaphore(limit)
        self._tokens = _MAX_TOKENS
        self._kinds: set[str] = set()
        self._latest = 0.0

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count a call and observe how it ends; `CallFailed` at once if too many are waiting."""
        began, outcome = time.perf_counter(), "cancelled"
        if not self._places.acquire(blocking=False):
            _durations.labels(self._name, "refused").observe(0)
            raise CallFailed("refused", "too many calls wait")
        _active.labels(self._name).inc()
        try:
            yield
            outcome = "answered"
        except CallFailed as error:
            outcome = error.kind
            self._note(error)
            raise
        finally:
            self._places.release()
            _active.labels(self._name).dec()
            _durations.labels(self._name, outcome).observe(time.perf_counter() - began)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Observe one attempt of a call."""
        try:
            yield
        except CallFailed as error:
            if error.kind not in _NO_OUTAGE:
                self._tokens = max(0.0, self._tokens - 1)
            raise
        self._tokens = min(_MAX_TOKENS, self._tokens + _EARNED)
        self._worked()

    def may_repeat(self) -> bool:
        """Whether a failed call may be retried: not if most calls have failed recently."""
        return self._tokens > _MAX_TOKENS / 2

    def count_repeat(self) -> None:
        """Count a retry."""
        _repeats.labels(self._name).inc()

    def _note(self, error: CallFailed) -> None:
        """Log an error if it is the first of its kind in this outage."""
        self._latest = time.monotonic()
        if error.kind in self._kinds or error.kind in _NO_OUTAGE:
            return
        self._kinds.add(error.kind)
        reason = error.reason[:_MAX_REASON]
        _log.error("dependency_unavailable", dependency=self._name, kind=error.kind, reason=reason)

    def _worked(self) -> None:
        """Note that it has responded; logged if that ends an outage."""
        if self._kinds and time.monotonic() - self._latest > OVER_SECONDS:
            self._kinds.clear()
            _log.info("dependency_available", dependency=self._name)
