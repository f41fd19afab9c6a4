"""Deadlines for everything that waits for the database.

The kernel of a machine acknowledges TCP for a PostgreSQL server that hangs, and the server's own
timeouts do nothing then. So the client gives up by its own clock, and the number of requests that
wait at the same time is limited.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen

from . import Unavailable

Result = TypeVar("Result")

# Of one kind of calls; the threads of a server are more, so that some are free for probes.
MAX_WAITING: Final = 220

_MIN_CONNECT_SECONDS = 2  # libpq's own floor
_STALL_SECONDS = 0.5
_SQLITE_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    }
)
# Classes of SQLSTATE: 08 connection, 53 resources, 57 operator intervention, 40 deadlocks and
# serialization failures, and 55P03, a lock that was not granted in time.
_POSTGRESQL_UNAVAILABLE = ("08", "53", "57", "40", "55P03")
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Give all database calls inside the block at most `seconds` in total.

    If deadlines are nested, the earliest one applies.
    """
    end, outer = time.monotonic() + seconds, _deadline.get()
    token = _deadline.set(end if outer is None else min(end, outer))
    try:
        yield
    finally:
        _deadline.reset(token)


def remaining() -> float | None:
    """Seconds until the deadline, never below 0; None if there is no deadline."""
    end = _deadline.get()
    return None if end is None else max(0.0, end - time.monotonic())


class DeadlineConnection(psycopg.Connection[psycopg.rows.TupleRow]):
    """A connection to PostgreSQL that is closed if the deadline passes before a result arrives."""

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
            self.pgconn.finish()  # a late result must not be read as that of another query
            raise psycopg.OperationalError("the database did not answer in time") from error


def connect(url: str = "", **parameters: Any) -> DeadlineConnection:
    """Open a connection to PostgreSQL within what is left of the deadline."""
    left = remaining()
    if left is not None and left < _MIN_CONNECT_SECONDS - 1:
        raise psycopg.OperationalError("no time is left to connect")
    seconds = 10 if left is None else max(_MIN_CONNECT_SECONDS, int(left))
    return DeadlineConnection.connect(url, **{**parameters, "connect_timeout": seconds})


def enable_wal(connection: sqlite3.Connection, seconds: float) -> None:
    """Switch an SQLite file to write-ahead logging, permanently.

    If several processes do this to a new file at once, SQLite fails all but one without waiting.
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


def is_unavailable(error: BaseException | None) -> bool:
    """Whether a driver's error means that the database cannot be used at all right now."""
    if isinstance(error, sqlite3.Error):
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _SQLITE_UNAVAILABLE
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return error.sqlstate is None or error.sqlstate.startswith(_POSTGRESQL_UNAVAILABLE)
    return False


class Bulkhead:
    """Limit concurrent callers; the rest wait in FIFO order.

    A caller gets `Unavailable` when its deadline passes, or at once if too many wait already. If
    every slot is taken and no call has completed for half a second, the database is asked whether
    it `answers`: calls that wait for a lock or for a slow query are no sign of trouble. Only if it
    does not answer, nobody waits any longer, as that would tie up threads that could serve other
    requests.
    """

    def __init__(self, limit: int, answers: Callable[[], bool]) -> None:
        self._limit = limit
        self._free = limit
        self._answers = answers
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()
        self._question = threading.Lock()
        self._progress = self._asked = time.monotonic()
        self._has_failed = False

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one slot. Any error but `Unavailable` counts as progress: the database answered."""
        self.acquire()
        answered = False
        try:
            yield
            answered = True
        except Exception as error:
            answered = not isinstance(error, Unavailable)
            raise
        finally:
            self.release(answered)

    def acquire(self) -> None:
        """Take a slot, which the caller has to `release`."""
        with self._lock:
            if self._free == self._limit:
                self._progress = time.monotonic()
            if self._free:
                self._free -= 1
                return
            if self._is_hopeless():
                raise Unavailable("the database has stopped answering")
            if len(self._queue) >= MAX_WAITING:
                raise Unavailable("too many requests wait for the database")
            turn = threading.Event()
            self._queue.append(turn)
        while not turn.wait(0.2):
            if remaining() == 0 or self._is_hopeless():
                self._give_up(turn)
                return

    def _give_up(self, turn: threading.Event) -> None:
        with self._lock:
            if turn.is_set():  # the slot was handed over in this very moment
                return
            self._queue.remove(turn)
        raise Unavailable("no connection became free in time")

    def release(self, answered: bool) -> None:
        """Return the slot; `answered` tells whether the database has answered."""
        with self._lock:
            if answered:
                self._progress = time.monotonic()
                self._has_failed = False
            if self._queue:
                self._queue.popleft().set()  # handed over, so that no newcomer overtakes
            else:
                self._free += 1

    def _is_hopeless(self) -> bool:
        """Whether the database did not answer when it was asked; asks it if it is time to."""
        stalled = time.monotonic() - max(self._progress, self._asked) > _STALL_SECONDS
        if stalled and self._question.acquire(blocking=False):
            self._asked = time.monotonic()
            # In a thread, because the question must not share the deadline of a request.
            threading.Thread(target=self._ask, daemon=True).start()
        return self._has_failed

    def _ask(self) -> None:
        try:
            if self._answers():
                self._progress, self._has_failed = time.monotonic(), False
            elif self._progress < self._asked:
                self._has_failed = True
        finally:
            self._question.release()
