"""The connections of Django's backend for PostgreSQL."""

from typing import Any

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

from .. import deadlines
from ..database import PooledWrapper


class DatabaseWrapper(PooledWrapper, base.DatabaseWrapper):
    """PostgreSQL, pooled; a connection that misses the deadline is closed."""

    def open(self, conn_params: dict[str, Any]) -> deadlines.DeadlineConnection:
        return deadlines.connect(**conn_params)

    def is_idle(self) -> bool:
        status: TransactionStatus = self.connection.info.transaction_status
        return status == TransactionStatus.IDLE
