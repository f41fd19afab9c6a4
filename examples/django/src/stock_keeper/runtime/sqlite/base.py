"""The connections of Django's backend for SQLite."""

import sqlite3
from typing import Any

from django.db.backends.sqlite3 import base

from .. import deadlines
from ..database import PooledWrapper

_UNBOUNDED_SECONDS = 600  # for a migration that waits for another one
_NEARLY_SECONDS = 0.05


class Connection(sqlite3.Connection):
    """A connection that remembers its busy timeout: setting it each time costs too much."""

    waits_seconds = 0.0

    def limit_waiting(self) -> None:
        """Let a statement wait for the file's lock until the deadline at most."""
        left = deadlines.remaining()
        seconds = _UNBOUNDED_SECONDS if left is None else left
        if abs(seconds - self.waits_seconds) > _NEARLY_SECONDS:
            self.execute(f"PRAGMA busy_timeout = {int(1000 * seconds)}")
            self.waits_seconds = seconds


class DatabaseWrapper(PooledWrapper, base.DatabaseWrapper):
    """SQLite, pooled; one writer at a time, the others queue."""

    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "factory": Connection}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.limit_waiting()
        return connection

    def open(self, conn_params: dict[str, Any]) -> Any:
        connection = super().open(conn_params)
        deadlines.enable_wal(connection, conn_params["timeout"])
        return connection

    def is_idle(self) -> bool:
        return not self.connection.in_transaction

    def _start_transaction_under_autocommit(self) -> None:
        self.take_place(self.shared.writers)
        self.connection.limit_waiting()
        super()._start_transaction_under_autocommit()  # type: ignore[misc]
