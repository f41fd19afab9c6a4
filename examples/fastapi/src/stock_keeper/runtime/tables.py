"""Tables: the columns that every resource has, and column types that behave the same everywhere."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Dialect, Index, Integer, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

# Without names, constraints could neither be dropped by a migration nor named in an error.
_NAMES: Final = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Instant(TypeDecorator[datetime]):
    """A point in time with a time zone, stored in UTC and returned in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a datetime without a time zone does not name a point in time")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base class of all tables of the service."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: Instant}


class Record(Base):
    """Base class of a resource's table: an ID, a revision and timestamps come with it.

    `filters` names the columns that a list can be filtered by, `sorts` those that it can be sorted
    by; each gets an index.
    """

    __abstract__ = True

    filters: ClassVar[tuple[str, ...]] = ()
    sorts: ClassVar[tuple[str, ...]] = ()

    # The order of creation. It is never reused, so that pagination can rely on it.
    position: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, sort_order=-2
    )
    id: Mapped[UUID] = mapped_column(unique=True, sort_order=-1)
    # Replaced by each write; the entity tag.
    revision: Mapped[str] = mapped_column(String(16), sort_order=1)
    created_at: Mapped[datetime] = mapped_column(sort_order=2)
    updated_at: Mapped[datetime] = mapped_column(sort_order=3)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        table = cls.__dict__.get("__table__")
        if table is not None:
            table.dialect_options["sqlite"]["autoincrement"] = True
            for name in dict.fromkeys((*cls.filters, *cls.sorts)):
                Index(None, table.c[name], table.c.position)
