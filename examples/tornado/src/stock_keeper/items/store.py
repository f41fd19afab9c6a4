"""Items: what they are and how they are kept. Nothing here knows of HTTP."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn
from uuid import UUID, uuid4

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Integer,
    Row,
    String,
    Table,
    Uuid,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from ..runtime import Duplicate, NotFound, Outdated
from ..runtime.database import Database, metadata

ASCII_WHITE_SPACE = " \t\n\r\f\v"

items = Table(
    "items",
    metadata,
    # The order of the list; never used twice, so that a page walk can rely on it.
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("quantity", Integer, nullable=False),
    Column("revision", String(16), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    sqlite_autoincrement=True,
)

# Written down once: to build a query takes longer than to run it (SQLite: 55 of 90 microseconds).
_one = select(items).where(items.c.id == bindparam("item_id"))
_new = insert(items).returning(items)
_some = select(items).where(items.c.position > bindparam("after")).order_by(items.c.position)


def _trimmed(name: str) -> str:
    name = name.strip(ASCII_WHITE_SPACE)
    if not 1 <= len(name) <= 100:
        raise ValueError("must have 1 to 100 characters beside white space around it")
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in name):
        raise ValueError("must not contain control characters")
    return name


class ItemContent(BaseModel):
    """What a caller says of an item. Nothing is converted, and nothing unknown is let through."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: Annotated[str, AfterValidator(_trimmed)]
    quantity: Annotated[int, Field(ge=0, le=1_000_000)] = 0


@dataclass(frozen=True, slots=True)
class Item:
    """An item as it is stored; `revision` is another one after each change."""

    position: int
    id: UUID
    name: str
    quantity: int
    revision: str
    created_at: datetime
    updated_at: datetime

    def representation(self) -> dict[str, Any]:
        """The item as callers see it; times are RFC 3339 in UTC."""
        return {
            "id": str(self.id),
            "name": self.name,
            "quantity": self.quantity,
            "created_at": _rfc3339(self.created_at),
            "updated_at": _rfc3339(self.updated_at),
        }


class ItemStore:
    """Items in a database; every change is one transaction, stored before it is acknowledged."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, content: ItemContent) -> Item:
        """Store a new item; `Duplicate` if its name is taken."""
        now = datetime.now(UTC)
        values = {"id": uuid4(), "created_at": now, **_changed(content, now)}
        with _unique_names(), self._database.writing() as connection:
            return _item(connection.execute(_new, values).one())

    def get(self, item_id: UUID) -> Item:
        """The item of this id, or `NotFound`."""
        with self._database.reading() as connection:
            row = connection.execute(_one, {"item_id": item_id}).one_or_none()
        if row is None:
            raise NotFound
        return _item(row)

    def page(self, limit: int, after: int) -> tuple[list[Item], int | None]:
        """At most `limit` items after a position, oldest first, and where the next page starts."""
        with self._database.reading() as connection:
            rows = connection.execute(_some.limit(limit + 1), {"after": after}).all()
        found = [_item(row) for row in rows[:limit]]
        return found, found[-1].position if len(rows) > limit else None

    def replace(
        self, item_id: UUID, content: ItemContent, revisions: frozenset[str] | None
    ) -> Item:
        """Change an item if its revision is one of `revisions` (None: whatever it is)."""
        query = update(items).where(*_this(item_id, revisions))
        values = _changed(content, datetime.now(UTC))
        with _unique_names(), self._database.writing() as connection:
            row = connection.execute(query.values(values).returning(items)).one_or_none()
            return _item(row or _nothing(connection, item_id))

    def delete(self, item_id: UUID, revisions: frozenset[str] | None) -> Item:
        """Remove an item if its revision is one of `revisions`, and return what it was."""
        query = delete(items).where(*_this(item_id, revisions))
        with self._database.writing() as connection:
            row = connection.execute(query.returning(items)).one_or_none()
            return _item(row or _nothing(connection, item_id))


def _this(item_id: UUID, revisions: frozenset[str] | None) -> list[ColumnElement[bool]]:
    matching = [] if revisions is None else [items.c.revision.in_(revisions)]
    return [items.c.id == item_id, *matching]


def _nothing(connection: Connection, item_id: UUID) -> NoReturn:
    """Nothing was changed: because the item is gone, or because it is another by now?"""
    if connection.execute(select(items.c.id).where(items.c.id == item_id)).first() is None:
        raise NotFound
    raise Outdated("The item was changed since you read it.")


def _changed(content: ItemContent, now: datetime) -> dict[str, Any]:
    return {**content.model_dump(), "revision": secrets.token_hex(8), "updated_at": now}


@contextmanager
def _unique_names() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise Duplicate("Another item has this name.") from error


def _item(row: Row[Any]) -> Item:
    # By place: seven look-ups by name take as long as all the rest of this.
    position, item_id, name, quantity, revision, created_at, updated_at = tuple(row)
    return Item(position, item_id, name, quantity, revision, _utc(created_at), _utc(updated_at))


def _utc(time: datetime) -> datetime:
    """SQLite gives times back without their zone; PostgreSQL in the session's."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _rfc3339(time: datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")
