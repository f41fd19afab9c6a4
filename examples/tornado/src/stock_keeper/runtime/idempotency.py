"""Idempotency keys: a repeated request gets its first response."""

import json
from collections import namedtuple
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any, Final, Generic, TypeVar, cast, get_args, get_type_hints

from pydantic import TypeAdapter
from sqlalchemy import (
    Connection,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from . import InProgress, KeyReused, telemetry
from .content import Content
from .resource import Resource
from .tables import Base, Record

Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)

LIFETIME: Final = timedelta(hours=24)
# Each new key deletes up to this many old ones: more than are added, but little work at a time.
_DELETED_AT_ONCE = 20


class IdempotencyKey(Base):
    """A request that was carried out, and the row that it created."""

    __tablename__ = "idempotency_keys"

    # A hash of the resource and the key, so that neither reaches an index in full.
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    # A hash of what the client sent.
    fingerprint: Mapped[str] = mapped_column(String(64))
    # As it was when it was created.
    row: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(index=True)


class FirstRequest(Generic[Row, Sent]):
    """The first request with this key and this content, in the transaction of its write."""

    def __init__(self, resource: Resource[Row, Sent], key: str, content: Sent) -> None:
        self._table = resource.table
        self._digest = _digest(f"{resource.path} {telemetry.subject()!r} {key}")
        # Without unset fields, so that a new field with a default changes nothing.
        self._fingerprint = _digest(content.model_dump_json(exclude_unset=True))

    def row(self, connection: Connection) -> Row | None:
        """The row that it created, if it was sent before.

        Raises `InProgress`, or `KeyReused` if it had other content.
        """
        alone = self._lock(connection)
        values = {"digest": self._digest}
        found = connection.execute(_FIND, values).one_or_none()
        if found is not None and found.created_at > datetime.now(UTC) - LIFETIME:
            if found.fingerprint != self._fingerprint:
                raise KeyReused("It was sent with another body before.")
            return _decoded(self._table, found.row)
        if not alone:
            raise InProgress("A request with this Idempotency-Key is in progress.")
        if found is not None:
            connection.execute(_DELETE, values)
        return None

    def keep(self, connection: Connection, row: Row) -> None:
        """Store the row that it has created, and delete some old keys."""
        now = datetime.now(UTC)
        connection.execute(_DELETE_OLD, {"before": now - LIFETIME})
        kept = {
            "digest": self._digest,
            "fingerprint": self._fingerprint,
            "row": _encoded(self._table, row),
            "created_at": now,
        }
        connection.execute(_KEEP, kept)

    def _lock(self, connection: Connection) -> bool:
        """Whether no other transaction is using this key; SQLite has one writer anyway."""
        if connection.dialect.name == "sqlite":
            return True
        number = int(self._digest[:16], 16) - 2**63
        return bool(connection.scalar(_LOCK, {"number": number}))


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _encoded(table: type[Record], row: Any) -> str:
    values = {
        name: adapter.dump_python(value, mode="json", warnings=False)
        for (name, adapter), value in zip(_columns(table), tuple(row), strict=True)
    }
    return json.dumps(values)


def _decoded(table: type[Row], text: str) -> Row:
    """A row like those from the database; None for columns that did not exist then."""
    stored, columns = json.loads(text), _columns(table)
    values = (
        adapter.validate_python(stored[name]) if name in stored else None
        for name, adapter in columns
    )
    return cast(Row, _row_class(table)(*values))


@cache
def _columns(table: type[Record]) -> list[tuple[str, TypeAdapter[Any]]]:
    """Each column, and the Python type of its values."""
    hints = get_type_hints(table)
    return [
        (name, TypeAdapter(*(get_args(hints.get(name)) or (Any,))))
        for name in table.__table__.columns.keys()  # noqa: SIM118
    ]


@cache
def _row_class(table: type[Record]) -> Callable[..., Any]:
    return namedtuple(table.__name__, [name for name, _ in _columns(table)], rename=True)


_KEYS: Final = cast(Table, IdempotencyKey.__table__)
_OLD: Final = (
    select(_KEYS.c.digest)
    .where(_KEYS.c.created_at < bindparam("before"))
    .order_by(_KEYS.c.created_at)
    .limit(_DELETED_AT_ONCE)
    .with_for_update(skip_locked=True)
    .cte("old")
)
_LOCK: Final = select(func.pg_try_advisory_xact_lock(bindparam("number")))
_FIND: Final = select(_KEYS).where(_KEYS.c.digest == bindparam("digest"))
_KEEP: Final = insert(_KEYS)
_DELETE: Final = delete(_KEYS).where(_KEYS.c.digest == bindparam("digest"))
_DELETE_OLD: Final = delete(_KEYS).where(_KEYS.c.digest.in_(select(_OLD.c.digest)))
