"""A database that hangs or is gone costs a request its deadline, never the service.

A PostgreSQL server that was stopped still acknowledges TCP, and its own timeouts do nothing; so
the client gives up by its own clock, and only so many requests wait at a time.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

from . import Unavailable

Result = TypeVar("Result")

_MIN_CONNECT_SECONDS = 2  # libpq's own floor
_STALL_SECONDS = 1.0
_SQLITE_OUT_OF_REACH = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    }
)
# PostgreSQL's classes 08 (connection), 53 (resources) and 57 (operator intervention).
_POSTGRESQL_OUT_OF_REACH = ("08", "53", "57")
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Whatever asks the database inside has at most `seconds` for it all together.

    Inside another deadline the earlier one counts.
    """
    end, outer = time.monotonic() + seconds, _deadline.get()
    token = _deadline.set(end if outer is None else min(end, outer))
    try:
        yield
    finally:
        _deadline.reset(token)


def remaining() -> float | None:
    """Seconds until the deadline, never below 0; None where there is none."""
    end = _deadline.get()
    return None if end is None else max(0.0, end - time.monotonic())


class DeadlineConnection(psycopg.Connection[psycopg.rows.TupleRow]):
    """A connection to PostgreSQL that is closed when the deadline passes before the answer."""

    def wait(
        self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None
    ) -> Result:
        left = remaining()
        if left is None or (timeout is not None and timeout < left):
            return super().wait(gen, interval, timeout)
        end = time.monotonic() + left
        try:
            return super().wait(gen, interval, left)
        except psycopg.OperationalError as error:
            if time.monotonic() < end:
                raise
            self.pgconn.finish()  # an answer may still come: it must not be read as another's
            raise psycopg.OperationalError("the database did not answer in time") from error


def connect(url: str = "", **parameters: Any) -> DeadlineConnection:
    """A new connection to PostgreSQL, within what is left of the deadline."""
    left = remaining()
    if left is not None and left < _MIN_CONNECT_SECONDS - 1:
        raise psycopg.OperationalError("no time is left to connect")
    seconds = 10 if left is None else max(_MIN_CONNECT_SECONDS, int(left))
    return DeadlineConnection.connect(url, **{**parameters, "connect_timeout": seconds})


def log_ahead(connection: sqlite3.Connection, seconds: float) -> None:
    """Have an SQLite file keep a write-ahead log, which it does from then on.

    Where several change a new file at once, SQLite refuses all but one without any waiting.
    """
    left = remaining()
    end = time.monotonic() + (seconds if left is None else left)
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                raise
        time.sleep(0.01)


def out_of_reach(error: BaseException | None) -> bool:
    """Whether a driver's error says that the database cannot be asked, rather than what it says."""
    if isinstance(error, sqlite3.Error):
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _SQLITE_OUT_OF_REACH
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return error.sqlstate is None or error.sqlstate.startswith(_POSTGRESQL_OUT_OF_REACH)
    return False


class Bulkhead:
    """At most `places` callers at a time; the rest wait in the order in which they came.

    A caller gives up (`Unavailable`) at its deadline, or at once when every place is taken and
    nobody has finished for a second: then the database hangs, and waiting would only take threads
    away from what can still be answered.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._free = places
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()
        self._progress = time.monotonic()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one place."""
        self.enter()
        finished = False
        try:
            yield
            finished = True
        finally:
            self.leave(finished)

    def enter(self) -> None:
        """Take a place; who got it has to `leave`."""
        with self._lock:
            if self._free == self._places:
                self._progress = time.monotonic()
            if self._free:
                self._free -= 1
                return
            if self._stalled():
                raise Unavailable("the database has stopped answering")
            turn = threading.Event()
            self._queue.append(turn)
        while not turn.wait(0.2):
            if remaining() == 0 or self._stalled():
                self._give_up(turn)
                return

    def _give_up(self, turn: threading.Event) -> None:
        with self._lock:
            if turn.is_set():  # the place was handed over in this very moment
                return
            self._queue.remove(turn)
        raise Unavailable("no connection became free in time")

    def leave(self, finished: bool) -> None:
        """Give the place back; `finished` says that the database did answer."""
        with self._lock:
            if finished:
                self._progress = time.monotonic()
            if self._queue:
                self._queue.popleft().set()  # handed over, so that no newcomer overtakes
            else:
                self._free += 1

    def _stalled(self) -> bool:
        return time.monotonic() - self._progress > _STALL_SECONDS
