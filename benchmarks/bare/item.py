"""What the baselines have in common: the queries, as plainly as SQLAlchemy Core asks them.

A twin is the four requests that are measured (`GET /livez`, `GET /v1/items/{item_id}`, `GET
/v1/items`, `POST /v1/items`) on the same framework and server as the generated service, and nothing
else: no ids, no log, no metrics, no bounds, no deadlines, no checks of what is sent. It is run from
the root of this repository by the service's own interpreter, on a database that the service has
made:

    DATABASE_URL=postgresql://... my-svc/.venv/bin/python -m benchmarks.bare.falcon

What both have alike, so that the rest can be compared: the table, the statements, ten connections
in autocommit, a transaction for each POST (`BEGIN IMMEDIATE` on SQLite), and on SQLite
`journal_mode = WAL`, `synchronous = FULL`, `foreign_keys = ON`, five seconds for a lock, and one
writer at a time in a process. A twin builds a statement where it asks it, as it is mostly written;
with STATEMENTS=once it keeps those that only read, as a generated service does.
"""

import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    Row,
    Select,
    String,
    Table,
    Uuid,
    bindparam,
    create_engine,
    event,
    insert,
    select,
)

from .environment import CONNECTIONS, DATABASE_URL, STATEMENTS_ONCE

LIVE = {"status": "pass"}
URL = DATABASE_URL.replace("postgresql://", "postgresql+psycopg://", 1)
ON_SQLITE = URL.startswith("sqlite:")

items = Table(
    "items",
    MetaData(),
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", Uuid),
    Column("name", String),
    Column("quantity", Integer),
    Column("revision", String),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
    sqlite_autoincrement=True,
)


def _one() -> Select[Any]:
    return select(items).where(items.c.id == bindparam("item_id"))


def _some() -> Select[Any]:
    return select(items).where(items.c.position > bindparam("after")).order_by(items.c.position)


if STATEMENTS_ONCE:
    _one, _some = cache(_one), cache(_some)

engine = create_engine(
    URL, isolation_level="AUTOCOMMIT", pool_size=CONNECTIONS, max_overflow=0, pool_timeout=30
)
_transactions = None if ON_SQLITE else engine.execution_options(isolation_level="READ COMMITTED")
_one_writer = threading.Lock()

if ON_SQLITE:

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        with closing(connection.cursor()) as cursor:
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                cursor.execute(f"PRAGMA {pragma}")


def read(item_id: str) -> dict[str, Any] | None:
    """The item as it goes out as JSON, or nothing."""
    with engine.connect() as connection:
        row = connection.execute(_one(), {"item_id": UUID(item_id)}).one_or_none()
    return None if row is None else _represented(row)


def page(query: str) -> dict[str, Any]:
    """A page of the list as it goes out as JSON; `query` is what stands behind the `?`."""
    given = {name: values[0] for name, values in parse_qs(query).items()}
    limit, after = int(given.get("limit", 50)), int(given.get("cursor", "0"), 16)
    with engine.connect() as connection:
        rows = connection.execute(_some().limit(limit + 1), {"after": after}).all()
    following = f"{rows[limit - 1].position:016x}" if len(rows) > limit else None
    return {"items": [_represented(row) for row in rows[:limit]], "next_cursor": following}


def create(content: dict[str, Any]) -> dict[str, Any]:
    """Store a new item; as it goes out as JSON."""
    now = datetime.now(UTC)
    values = {
        "id": uuid4(),
        "name": content["name"],
        "quantity": content["quantity"],
        "revision": secrets.token_hex(8),
        "created_at": now,
        "updated_at": now,
    }
    with _writing() as connection:
        return _represented(connection.execute(insert(items).values(values).returning(items)).one())


@contextmanager
def _writing() -> Iterator[Connection]:
    if _transactions is not None:
        with _transactions.begin() as connection:
            yield connection
        return
    with _one_writer, engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.exec_driver_sql("COMMIT")


def _represented(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "name": row.name,
        "quantity": row.quantity,
        "created_at": row.created_at.isoformat(),
        "updated_at": row.updated_at.isoformat(),
    }
