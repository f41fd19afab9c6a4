"""Tables: common columns, and column types that behave the same on both databases."""

import enum
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal, cast
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    Enum,
    FromClause,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

# Unnamed constraints could not be dropped by a migration or identified in an error.
_NAMES: Final = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
_PREPARER: Final = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]


class Instant(TypeDecorator[datetime]):
    """A timestamp with a time zone, stored and returned in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a datetime without a time zone does not name a point in time")
        return None if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Replaces the impl's own: parsing text, then changing its zone, is six times slower."""
        return _from_text if dialect.name == "sqlite" else _in_utc


def _from_text(text: str | None) -> datetime | None:
    """A timestamp that SQLite stores as text; without a time zone it is UTC."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(f"{text}+00:00")
    except ValueError:  # it already has a time zone
        found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _in_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


class Exact(TypeDecorator[Decimal]):
    """An exact number: NUMERIC, or in SQLite an integer in units of the last digit.

    `Exact(10, 2)` has 10 digits, 2 of them after the point; at most 18 fit in SQLite, whose own
    NUMERIC may be a double.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision, scale)
        self.precision = precision
        self.scale = scale

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        on_sqlite = dialect.name == "sqlite"
        return dialect.type_descriptor(BigInteger() if on_sqlite else self.impl_instance)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return int(value.scaleb(self.scale))

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None or dialect.name != "sqlite":
            return cast("Decimal | None", value)
        return Decimal(value).scaleb(-self.scale)


class Base(DeclarativeBase):
    """Base class of all tables of the service."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: Instant,
        float: Double,
        Literal: Enum(enum.Enum, native_enum=False),
    }


def new_revision() -> str:
    """A new, unique revision of a row."""
    return secrets.token_hex(8)


def _now() -> datetime:
    return datetime.now(UTC)


class Record(Base):
    """Base class of a resource's table: an ID, a revision and timestamps come with it.

    `filters` names the columns by which a list can be filtered, `sorts` those by which it can be
    sorted. Each gets an index, and so does each reference: without one, deleting a row that others
    may refer to would read the whole table.
    """

    __abstract__ = True

    filters: ClassVar[tuple[str, ...]] = ()
    sorts: ClassVar[tuple[str, ...]] = ()

    # The order of creation; never reused, so that pagination can rely on it.
    position: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, sort_order=-2
    )
    id: Mapped[UUID] = mapped_column(default=uuid4, unique=True, sort_order=-1)
    # Replaced by each write, through a store or not; used as the entity tag.
    revision: Mapped[str] = mapped_column(
        String(16), default=new_revision, onupdate=new_revision, sort_order=1
    )
    created_at: Mapped[datetime] = mapped_column(default=_now, sort_order=2)
    updated_at: Mapped[datetime] = mapped_column(default=_now, onupdate=_now, sort_order=3)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        table = cls.__dict__.get("__table__")
        if table is not None:
            table.dialect_options["sqlite"]["autoincrement"] = True
            refers = [one.key for one in table.c if one.foreign_keys and not one.unique]
            for name in dict.fromkeys((*cls.filters, *cls.sorts, *refers)):
                Index(None, table.c[name], table.c.position)
            for column in table.columns:
                if isinstance(column.type, Enum):
                    table.append_constraint(
                        CheckConstraint(column.in_(column.type.enums), name=column.name)
                    )


def unique_constraints(
    table: FromClause,
) -> Iterator[tuple[tuple[str, ...], UniqueConstraint | Index]]:
    """Everything that is unique in a table, each with its columns."""
    if isinstance(table, Table):
        for constraint in (*table.constraints, *table.indexes):
            if isinstance(constraint, UniqueConstraint) or (
                isinstance(constraint, Index) and constraint.unique
            ):
                yield tuple(column.key for column in constraint.columns), constraint


def name_in_database(name: Any) -> str | None:
    """The name of a constraint as PostgreSQL has it: it cuts long ones."""
    return None if name is None else _PREPARER.truncate_and_render_constraint_name(name)
