"""What the raw twins have in common: SQL by hand, on the driver itself.

A raw twin is what somebody writes for speed alone: the four requests that are measured, on the
fastest driver that the framework's people use, with no ORM and nothing of a contract. The WSGI
frameworks and Nameko run the baseline's routes on these queries (`QUERIES=raw`): psycopg with
psycopg_pool, statements prepared at once, and `sqlite3`. The asynchronous frameworks have twins of
their own on asyncpg, and Django has plain views.

    QUERIES=raw DATABASE_URL=postgresql://... my-svc/.venv/bin/python -m benchmarks.bare.falcon

What goes out is what the service sends, byte for byte the same values.
"""

import secrets
import sqlite3
import threading
from collections import deque
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID, uuid4

from ..bare.environment import CONNECTIONS, DATABASE_URL

LIVE = {"status": "pass"}
ON_SQLITE = DATABASE_URL.startswith("sqlite:")
MARK = "?" if ON_SQLITE else "%s"
COLUMNS = "position, id, name, quantity, revision, created_at, updated_at"
SOME = f"SELECT {COLUMNS} FROM items WHERE position > {MARK} ORDER BY position LIMIT {MARK}"
ONE = f"SELECT {COLUMNS} FROM items WHERE id = {MARK}"
NEW = (
    "INSERT INTO items (id, name, quantity, revision, created_at, updated_at)"
    f" VALUES ({', '.join([MARK] * 6)}) RETURNING {COLUMNS}"
)
_idle: deque[sqlite3.Connection] = deque()
_one_writer = threading.Lock()


def read(item_id: str) -> dict[str, Any] | None:
    """The item as it goes out as JSON, or nothing."""
    given = UUID(item_id)
    rows = _rows(ONE, (given.hex if ON_SQLITE else given,))
    return represented(rows[0]) if rows else None


def page(query: str) -> dict[str, Any]:
    """A page of the list as it goes out as JSON; `query` is what stands behind the `?`."""
    limit, after = asked(query)
    return represented_page(_rows(SOME, (after, limit + 1)), limit)


def create(content: dict[str, Any]) -> dict[str, Any]:
    """Store a new item; as it goes out as JSON."""
    if not ON_SQLITE:
        return represented(_rows(NEW, values(content))[0])
    item_id, name, quantity, revision, now, _ = values(content)
    text = now.strftime("%Y-%m-%d %H:%M:%S.%f")
    with _one_writer:
        return represented(_rows(NEW, (item_id.hex, name, quantity, revision, text, text))[0])


def asked(query: str) -> tuple[int, int]:
    """The limit of a page, and the position after which it begins."""
    given = {name: found[0] for name, found in parse_qs(query).items()}
    return int(given.get("limit", 50)), int(given.get("cursor", "0"), 16)


def values(content: dict[str, Any]) -> tuple[Any, ...]:
    """What is stored of a new item."""
    now = datetime.now(UTC)
    name, quantity = content["name"], content.get("quantity", 0)
    return uuid4(), name, quantity, secrets.token_hex(8), now, now


def represented_page(rows: list[Any], limit: int) -> dict[str, Any]:
    """Rows, of which the last one says only that there are more, as they go out as JSON."""
    following = f"{rows[limit - 1][0]:016x}" if len(rows) > limit else None
    return {"items": [represented(row) for row in rows[:limit]], "next_cursor": following}


def represented(row: Any) -> dict[str, Any]:
    """A row as it goes out as JSON."""
    _, item_id, name, quantity, _, created, updated = row
    return {
        "id": _dashed(item_id) if ON_SQLITE else str(item_id),
        "name": name,
        "quantity": quantity,
        "created_at": _time(created),
        "updated_at": _time(updated),
    }


def _dashed(text: str) -> str:
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _time(moment: Any) -> str:
    if ON_SQLITE:
        return f"{moment.replace(' ', 'T')}Z"
    text: str = moment.isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


def _rows(statement: str, given: tuple[Any, ...]) -> list[Any]:
    if not ON_SQLITE:
        with _pool().connection() as connection:
            found: list[Any] = connection.execute(statement, given).fetchall()
        return found
    try:
        lent = _idle.pop()
    except IndexError:
        lent = _opened()
    rows = lent.execute(statement, given).fetchall()
    _idle.append(lent)
    return rows


def _opened() -> sqlite3.Connection:
    path = DATABASE_URL.removeprefix("sqlite:///")
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


@cache
def _pool() -> Any:
    """Opened by the first request: the worker is a fork, which has no threads of its parent."""
    _connections.open()
    return _connections


if not ON_SQLITE:
    from psycopg_pool import ConnectionPool

    _connections = ConnectionPool(
        DATABASE_URL,
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        kwargs={"autocommit": True, "prepare_threshold": 0, "options": "-c timezone=UTC"},
        open=False,
    )
