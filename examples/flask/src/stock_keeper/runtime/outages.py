"""Log each outage of the database once, and count its errors in the metrics."""

import sqlite3
import time
from typing import Final
from urllib.parse import quote, unquote

import psycopg
import structlog
from prometheus_client import Counter

from .deadlines import bulkheads
from .metrics import watch_gauge

OVER_SECONDS: Final = 5.0
_MAX_REASON: Final = 500
# By the first characters of PostgreSQL's SQLSTATE; without one the server was not reached.
_POSTGRESQL_KINDS: Final = {
    "08": "connection",
    "25006": "read_only",
    "40": "lock",
    "53": "resources",
    "55P03": "lock",
    "57": "shutdown",
}
_SQLITE_KINDS: Final = {
    sqlite3.SQLITE_BUSY: "lock",
    sqlite3.SQLITE_LOCKED: "lock",
    sqlite3.SQLITE_FULL: "resources",
    sqlite3.SQLITE_IOERR: "resources",
    sqlite3.SQLITE_READONLY: "read_only",
}
_log = structlog.get_logger()
_errors = Counter("database_errors", "Errors of the database by kind.", ["kind"])
watch_gauge(
    "database_connections_in_use",
    "Requests that have a connection to the database.",
    lambda: sum(one.in_use for one in tuple(bulkheads)),
)
watch_gauge(
    "database_requests_waiting",
    "Requests that wait for a connection to the database.",
    lambda: sum(one.waiting for one in tuple(bulkheads)),
)


class Outages:
    """Logs when the database becomes unavailable, and when it is available again.

    Each kind of error is logged once in an outage, with the driver's message but without the
    password in `url`. An outage is over when the database works, five seconds after the last error
    at the earliest: errors that alternate with successes are one outage.
    """

    def __init__(self, url: str) -> None:
        secret = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
        found = {secret, unquote(secret), quote(secret, safe="")} - {""}
        self._secrets = sorted(found, key=len, reverse=True)
        self._kinds: set[str] = set()
        self._latest = 0.0

    def failed(self, error: BaseException) -> None:
        """Count an error; log it if it is the first of its kind in this outage."""
        cause = driver_error(error)
        kind = kind_of(cause)
        _errors.labels(kind).inc()
        self._latest = time.monotonic()
        # An exhausted pool follows from an error that is logged already.
        if kind in self._kinds or (kind == "waiting" and self._kinds):
            return
        self._kinds.add(kind)
        _log.error("database_unavailable", kind=kind, reason=self._redacted(str(cause)))

    def worked(self) -> None:
        """Note that the database has responded; logged if that ends an outage."""
        if self._kinds and time.monotonic() - self._latest > OVER_SECONDS:
            self._kinds.clear()
            _log.info("database_available")

    def _redacted(self, reason: str) -> str:
        for secret in self._secrets:
            reason = reason.replace(secret, "***")
        return reason[:_MAX_REASON]


def count_unexpected() -> None:
    """Count a database error that is a bug and becomes a 500 response."""
    _errors.labels("other").inc()


def driver_error(error: BaseException) -> BaseException:
    """The driver's own error that caused this one."""
    while not isinstance(error, (psycopg.Error, sqlite3.Error)):
        inner = error.__cause__ or error.__context__
        if inner is None:
            return error
        error = inner
    return error


def kind_of(error: BaseException) -> str:
    """The kind under which an error is counted and logged."""
    if isinstance(error, sqlite3.Error):
        return _SQLITE_KINDS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "connection")
    if isinstance(error, psycopg.Error):
        state = error.sqlstate or "08"
        kinds = (kind for start, kind in _POSTGRESQL_KINDS.items() if state.startswith(start))
        return next(kinds, "other")
    return "waiting"
