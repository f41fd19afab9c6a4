"""Explain which constraint a write has violated, in terms of the resource."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Connection,
    Index,
    Table,
    UniqueConstraint,
    select,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.exc import IntegrityError

from . import Duplicate, InvalidContent, StillReferenced, UnknownReference
from .database import Database
from .tables import name_in_database, unique_constraints

Columns = tuple[str, ...]

# SQLite names the columns, or the index if it is one of expressions.
_UNIQUE = re.compile(r"UNIQUE constraint failed: (?:index '(?P<index>.+)'|(?P<columns>.+))")
_FOREIGN_KEY = "FOREIGN KEY constraint failed"
_CHECK = re.compile("CHECK constraint failed: (.+)")


@dataclass(frozen=True, slots=True)
class Write:
    """A failed write: `values` by column, and the ID of the row that it was meant to change."""

    name: str
    table: Table
    values: Mapping[str, Any]
    row_id: UUID | None = None


@dataclass(slots=True)
class _Violations:
    unique: dict[Columns, None] = field(default_factory=dict)
    missing: dict[Columns, None] = field(default_factory=dict)
    referring: dict[str, None] = field(default_factory=dict)


def explained(error: IntegrityError, write: Write, database: Database) -> Exception:
    """The exception that explains why a write failed; `error` if the cause is not the client's."""
    if (violated := _rule(error, write)) is not None:
        return violated
    found = _reported(error, write)
    if found is None:
        return error
    if not (database.in_transaction() and hasattr(error.orig, "sqlstate")):
        # A driver reports at most one violated constraint, and there may be more. But PostgreSQL
        # accepts no query in a failed transaction.
        with database.reading() as connection:
            _complete(found, write, connection)
    if found.missing:
        return UnknownReference(name for columns in found.missing for name in columns)
    if found.unique:
        return Duplicate(f"Another {write.name} has this {_and(map(_told, found.unique))}.")
    if write.values and not found.referring:
        return UnknownReference(c.name for c in write.table.columns if c.foreign_keys)
    by = f" by {_and(found.referring)}" if found.referring else ""
    return StillReferenced(f"The {write.name} is still referred to{by}.")


def _rule(error: IntegrityError, write: Write) -> Exception | None:
    """The exception for a check or exclusion constraint of the table, if it is one.

    The constraint's `info` may have a `detail` for the client.
    """
    match = _CHECK.search(str(error.orig))
    name = match[1] if match else _diagnosed(error, "constraint_name")
    if name is None or _diagnosed(error, "table_name") not in (None, write.table.name):
        return None
    for one in write.table.constraints:
        detail = one.info.get("detail")
        if name_in_database(one.name) != name:
            continue
        if isinstance(one, CheckConstraint):
            field = [c.key for c in one.columns] if len(one.columns) == 1 else []
            short = name.removeprefix(f"ck_{write.table.name}_")
            return InvalidContent([(field, detail or f"It violates the constraint {short}.")])
        if isinstance(one, ExcludeConstraint):
            return Duplicate(detail or f"It conflicts with another {write.name}.")
    return None


def _diagnosed(error: IntegrityError, what: str) -> str | None:
    """What PostgreSQL reports beside the message."""
    return getattr(getattr(error.orig, "diag", None), what, None)


def _reported(error: IntegrityError, write: Write) -> _Violations | None:
    """What the driver reports: PostgreSQL the constraint, SQLite mostly the columns."""
    found = _Violations()
    message = str(error.orig)
    match = _UNIQUE.search(message)
    if match and match["columns"]:
        places = [place.rpartition(".") for place in match["columns"].split(", ")]
        found.unique[tuple(column for _, _, column in places)] = None
        # An override of `changed` may write to another table.
        return found if places[0][0] == write.table.name else None
    if _FOREIGN_KEY in message:
        return found
    name = match["index"] if match else _diagnosed(error, "constraint_name")
    for columns, constraint in unique_constraints(write.table):
        if name_in_database(constraint.name) == name:
            found.unique[columns] = None
            return found
    # A table that refers to itself: only the written row may refer to a missing one.
    for key in write.table.foreign_key_constraints if write.values else ():
        if name_in_database(key.name) == name:
            found.missing[tuple(key.column_keys)] = None
            return found
    for other in write.table.metadata.tables.values():
        if any(name_in_database(key.name) == name for key in other.foreign_key_constraints):
            found.referring[other.name] = None
            return found
    return None


def _complete(found: _Violations, write: Write, connection: Connection) -> None:
    """Add the write's other violations."""
    if found.unique:
        for columns, constraint in unique_constraints(write.table):
            if not _is_partial(constraint) and _is_taken(columns, write, connection):
                found.unique[columns] = None
    for key in write.table.foreign_key_constraints:
        values = [write.values.get(name) for name in key.column_keys]
        targets = [element.column for element in key.elements]
        if None not in values and not _exists(connection, targets, values):
            found.missing[tuple(key.column_keys)] = None
    if not (found.unique or found.missing) and write.row_id is not None:
        for name in _referring(write, connection):
            found.referring[name] = None


def _is_taken(columns: Columns, write: Write, connection: Connection) -> bool:
    values = [write.values.get(name) for name in columns]
    if None in values:
        return False
    others = [] if write.row_id is None else [write.table.c.id != write.row_id]
    return _exists(connection, [write.table.c[name] for name in columns], values, *others)


def _referring(write: Write, connection: Connection) -> Iterator[str]:
    """The names of the tables with rows that refer to this one."""
    for other in write.table.metadata.tables.values():
        for key in other.foreign_key_constraints:
            if key.referred_table is write.table:
                columns = [element.parent for element in key.elements]
                if _exists(connection, columns, [write.row_id]):
                    yield other.name


def _exists(
    connection: Connection,
    columns: Iterable[ColumnElement[Any]],
    values: Iterable[Any],
    *conditions: ColumnElement[bool],
) -> bool:
    equal = [column == value for column, value in zip(columns, values, strict=True)]
    return connection.execute(select(1).where(*equal, *conditions).limit(1)).first() is not None


def _is_partial(constraint: UniqueConstraint | Index) -> bool:
    """Whether it is an index of some rows only."""
    options = constraint.dialect_options
    return any(options[name].get("where") is not None for name in ("sqlite", "postgresql"))


def _told(columns: Columns) -> str:
    return columns[0] if len(columns) == 1 else f"combination of {_and(columns)}"


def _and(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
