"""The connections of Django's backend for SQLite."""

import sqlite3
from typing import Any

from django.db.backends.sqlite3 import base

from .. import deadlines
from ..database import PooledWrapper

_UNBOUNDED_SECONDS = 600  # a migration waits for another one


class DatabaseWrapper(PooledWrapper, base.DatabaseWrapper):
    """SQLite, pooled; of those who write, one is let in and the rest queue outside."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        limit_waiting(connection)
        return connection

    def is_idle(self) -> bool:
        return not self.connection.in_transaction

    def _start_transaction_under_autocommit(self) -> None:
        self.take_place(self.shared.writers)
        limit_waiting(self.connection)
        super()._start_transaction_under_autocommit()  # type: ignore[misc]


def limit_waiting(connection: sqlite3.Connection) -> None:
    """Let a statement wait for the file's lock no longer than until the deadline."""
    left = deadlines.remaining()
    milliseconds = int(1000 * (_UNBOUNDED_SECONDS if left is None else left))
    connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
