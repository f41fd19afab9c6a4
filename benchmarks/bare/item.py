"""What the bare twins have in common: the query, as plainly as SQLAlchemy Core asks it.

A twin is `GET /v1/items/{item_id}` on the same framework, server and query as the generated
service, and nothing else: no ids, no log, no metrics, no bounds, no deadlines. It is run from the
root of this repository by the service's own interpreter, on a database that the service has
filled:

    DATABASE_URL=postgresql://... my-svc/.venv/bin/python -m benchmarks.bare.falcon
"""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    Integer,
    MetaData,
    String,
    Table,
    Uuid,
    create_engine,
    select,
)

from .environment import CONNECTIONS, DATABASE_URL

URL = DATABASE_URL.replace("postgresql://", "postgresql+psycopg://", 1)

items = Table(
    "items",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("name", String),
    Column("quantity", Integer),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
engine = create_engine(
    URL, isolation_level="AUTOCOMMIT", pool_size=CONNECTIONS, max_overflow=0, pool_timeout=30
)


def read(item_id: str) -> dict[str, Any] | None:
    """The item as it goes out as JSON, or nothing."""
    query = select(items).where(items.c.id == UUID(item_id))
    with engine.connect() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return {
        "id": str(row.id),
        "name": row.name,
        "quantity": row.quantity,
        "created_at": row.created_at.isoformat(),
        "updated_at": row.updated_at.isoformat(),
    }
