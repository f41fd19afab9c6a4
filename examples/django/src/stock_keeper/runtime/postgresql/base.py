"""The connections of Django's backend for PostgreSQL."""

from typing import Any

from django.db.backends.postgresql import base, creation
from psycopg.pq import TransactionStatus

from .. import deadlines
from ..database import PooledWrapper


class DatabaseCreation(creation.DatabaseCreation):
    """Creates and drops the database of Django's own tests."""

    connection: PooledWrapper  # type: ignore[assignment]

    def _destroy_test_db(self, *args: Any) -> None:
        self.connection.find_pool().close()  # PostgreSQL does not drop a database in use
        super()._destroy_test_db(*args)  # type: ignore[misc]


class DatabaseWrapper(PooledWrapper, base.DatabaseWrapper):
    """PostgreSQL, pooled; a connection that misses the deadline is closed."""

    creation_class = DatabaseCreation

    def is_still_open(self, idle: deadlines.DeadlineConnection, seconds: float) -> bool:
        return deadlines.is_usable(idle, seconds)

    def open(self, conn_params: dict[str, Any]) -> deadlines.DeadlineConnection:
        return deadlines.connect(**conn_params)

    def open_apart(self) -> deadlines.DeadlineConnection:
        return deadlines.connect(**self.get_connection_params(), autocommit=True)

    def is_idle(self) -> bool:
        status: TransactionStatus = self.connection.info.transaction_status
        return status == TransactionStatus.IDLE
