"""The connections of Django's backend for SQLite."""

from django.db.backends.sqlite3 import base

from .. import deadlines
from ..database import PooledWrapper

_UNBOUNDED_SECONDS = 600  # a migration waits for another one


class DatabaseWrapper(PooledWrapper, base.DatabaseWrapper):
    """SQLite, pooled; of those who write, one is let in and the rest queue outside."""

    def is_idle(self) -> bool:
        return not self.connection.in_transaction

    def _start_transaction_under_autocommit(self) -> None:
        self.take_place(self.shared.writers)
        left = deadlines.remaining()
        milliseconds = int(1000 * (_UNBOUNDED_SECONDS if left is None else left))
        self.connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
        super()._start_transaction_under_autocommit()  # type: ignore[misc]
