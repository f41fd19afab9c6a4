"""Deadlines for everything that waits for the database.

If a PostgreSQL server hangs, its machine's kernel still acknowledges TCP, and the server's own
timeouts have no effect. So the client has its own deadline, and the number of requests that wait at
the same time is limited.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from math import ceil
from typing import Any, Final, TypeVar
from weakref import WeakSet

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict

from . import Unavailable

Result = TypeVar("Result")

# For each kind of call; a server has more threads, so that some stay free for probes.
MAX_WAITING: Final = 220

_CONNECT_SECONDS = 10  # without a deadline
_PING_SECONDS = 1.0
_TRUSTED_SECONDS = 10.0  # a connection idle for longer is tested before it is used
_PREPARE_THRESHOLD = 5  # psycopg's own
# Firewalls drop idle connections silently, some after minutes.
_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
# A name lookup cannot be interrupted, so attempts may outlive their callers.
_attempts = threading.BoundedSemaphore(24)
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
# SQLSTATE classes: 08 connection, 53 resources, 57 operator intervention, 40 deadlocks and
# serialization failures; 55P03 is a lock timeout, 25006 a standby.
_POSTGRESQL_UNAVAILABLE = ("08", "53", "57", "40", "55P03", "25006")
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
    """Open a connection to PostgreSQL before the deadline."""
    options = {**_KEEPALIVE, **conninfo_to_dict(url), **parameters}
    left = remaining()
    if left is None:
        return _open(options, _CONNECT_SECONDS)
    end = time.monotonic() + left
    if not _attempts.acquire(timeout=left):
        raise psycopg.OperationalError("no time is left to connect")
    outcome: Future[DeadlineConnection] = Future()
    threading.Thread(target=_attempt, args=(outcome, options, left), daemon=True).start()
    try:
        return outcome.result(max(0.0, end - time.monotonic()))
    except TimeoutError:
        outcome.add_done_callback(_close)
        raise psycopg.OperationalError("the database did not accept a connection in time") from None


def _attempt(
    outcome: Future[DeadlineConnection], options: Mapping[str, Any], seconds: float
) -> None:
    try:
        with deadline(seconds):
            outcome.set_result(_open(options, seconds))
    except Exception as error:
        outcome.set_exception(error)
    finally:
        _attempts.release()


def _close(outcome: Future[DeadlineConnection]) -> None:
    """Close a connection that was opened too late."""
    if outcome.exception() is None:
        outcome.result().close()


def _open(options: Mapping[str, Any], seconds: float) -> DeadlineConnection:
    autocommit = options.get("autocommit", False)
    settings = {"connect_timeout": max(2, ceil(seconds)), "prepare_threshold": None}
    connection = DeadlineConnection.connect(**{**options, **settings, "autocommit": True})
    try:
        # A pooler shares sessions, and prepared statements have names within a session.
        if options.get("prepare_threshold", _PREPARE_THRESHOLD) and is_direct(connection):
            connection.prepare_threshold = _PREPARE_THRESHOLD
        connection.autocommit = autocommit
    except BaseException:
        connection.close()
        raise
    return connection


def is_direct(connection: psycopg.Connection[Any]) -> bool:
    """Whether a connection leads to PostgreSQL itself rather than to a pooler.

    A pooler reports process IDs of its own.
    """
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return row is not None and tuple(row) == (connection.info.backend_pid,)


def is_usable(connection: psycopg.Connection[Any], idle_seconds: float) -> bool:
    """Whether an idle connection is still open; queries the server only after ten seconds."""
    try:
        connection.pgconn.consume_input()  # the server's closing message, if any
        connection.pgconn.consume_input()  # the end of the stream behind it
        if idle_seconds > _TRUSTED_SECONDS:
            with deadline(_PING_SECONDS):
                connection.execute("SELECT 1")
                if not connection.autocommit:
                    connection.rollback()
    except psycopg.Error:
        return False
    return True


def enable_wal(connection: sqlite3.Connection, seconds: float) -> None:
    """Switch an SQLite file to write-ahead logging, permanently.

    If several processes do this to a new file at once, all but one fail immediately in SQLite.
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
    """Whether a driver's error means that the database is currently unavailable."""
    if isinstance(error, sqlite3.Error):
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _SQLITE_UNAVAILABLE
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        return error.sqlstate.startswith(_POSTGRESQL_UNAVAILABLE)
    return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))


def is_lock_timeout(error: BaseException | None) -> bool:
    """Whether a driver's error means that another transaction held a lock for too long."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
    return isinstance(error, psycopg.errors.LockNotAvailable)


class Bulkhead:
    """Limit concurrent callers; the rest wait in FIFO order.

    A caller gets `Unavailable` when its deadline passes, or at once if too many are waiting. If
    every slot is taken and no call has completed for half a second, `answers` checks whether the
    database responds at all: calls may simply be waiting for a lock or a slow query. If it does
    not respond, all waiting callers get `Unavailable`, because waiting would tie up threads that
    could serve other requests.
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
        bulkheads.add(self)

    @property
    def in_use(self) -> int:
        """How many callers have a slot."""
        return self._limit - self._free

    @property
    def waiting(self) -> int:
        """How many callers wait for a slot."""
        return len(self._queue)

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
            if turn.is_set():  # the slot was handed over at this moment
                return
            self._queue.remove(turn)
        raise Unavailable("no connection became free in time")

    def release(self, answered: bool) -> None:
        """Return the slot; `answered` tells whether the database has responded."""
        with self._lock:
            if answered:
                self._progress = time.monotonic()
                self._has_failed = False
            if self._queue:
                self._queue.popleft().set()  # handed over, so that no newcomer overtakes
            else:
                self._free += 1

    def _is_hopeless(self) -> bool:
        """Whether the last check found the database hanging; checks again if it is due."""
        stalled = time.monotonic() - max(self._progress, self._asked) > _STALL_SECONDS
        if stalled and self._question.acquire(blocking=False):
            self._asked = time.monotonic()
            # In a thread, because the check must not share a request's deadline.
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


# The bulkheads of this process, for its metrics.
bulkheads: Final[WeakSet[Bulkhead]] = WeakSet()
