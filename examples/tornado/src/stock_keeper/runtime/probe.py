"""A separate connection that checks whether the database responds."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from . import Unavailable, deadlines
from .outages import Outages

QUESTION_SECONDS: Final = 1.0


class Probe:
    """Queries the database on a separate connection, which is opened on first use.

    The result therefore does not depend on how many requests wait for pooled connections.
    """

    def __init__(self, connect: Callable[[], Any], outages: Outages) -> None:
        self._connect = connect
        self._outages = outages
        self._turn = threading.Lock()
        self._connection: Any = None

    def answers(self) -> bool:
        """Whether the database responds within a second."""
        try:
            self.ask("SELECT 1", QUESTION_SECONDS)
        except Exception as error:
            self._outages.failed(error)
            return False
        return True

    def checks(
        self,
        seconds: float,
        revisions: str,
        are_new: Callable[[Sequence[Any]], bool],
        drop_pool: Callable[[], object],
    ) -> dict[str, bool]:
        """Check for readiness that the database is writable and that its schema is migrated.

        `revisions` is the query for the applied migrations. `drop_pool` is called if the server is
        a standby: after a switchover the address may already lead to another server.
        """
        try:
            with deadlines.deadline(seconds):
                self._check_writable(seconds)
                rows = self.ask(revisions, seconds)
        except (Unavailable, sqlite3.Error, psycopg.Error) as error:
            if not (isinstance(error, Unavailable) or deadlines.is_unavailable(error)):
                return {"database": True, "schema": False}  # there is no such table
            self._outages.failed(error)
            if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
                self.close()
                drop_pool()
            return {"database": False}
        self._outages.worked()
        return {"database": True} if are_new(rows) else {"database": True, "schema": False}

    def _check_writable(self, seconds: float) -> None:
        self.ask("SELECT 1", seconds)
        if isinstance(self._connection, psycopg.Connection):
            rows = self.ask("SELECT current_setting('transaction_read_only')", seconds)
            if rows != [("off",)]:
                raise psycopg.errors.ReadOnlySqlTransaction("the server is read-only: a standby")

    def ask(self, statement: str, seconds: float) -> Sequence[Any]:
        """The rows of a query; raises the driver's error, or `Unavailable` after `seconds`."""
        with deadlines.deadline(seconds), self._alone():
            is_new = self._connection is None
            try:
                return self._rows(statement)
            except Exception:
                if not getattr(self._connection, "closed", False):  # the database has responded
                    raise
                self._connection = None
                if is_new or not deadlines.remaining():
                    raise
            return self._rows(statement)  # the connection was closed while it was idle

    def close(self) -> None:
        """Close the connection; the next query opens another one."""
        with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=deadlines.remaining() or 0):
            raise Unavailable("the database did not answer in time")
        try:
            yield
        finally:
            self._turn.release()

    def _rows(self, statement: str) -> Sequence[Any]:
        if self._connection is None:
            self._connection = self._connect()
        rows: Sequence[Any] = self._connection.execute(statement).fetchall()
        return rows
