"""Explain which constraint a write has violated, in terms of the resource."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DataError, IntegrityError, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from . import Duplicate, InvalidContent, StillReferenced, UnknownReference

_KEEPING = (models.PROTECT, models.RESTRICT, models.DO_NOTHING)

Columns = tuple[str, ...]

_UNIQUE = re.compile(r"UNIQUE constraint failed: (.+)")
_FOREIGN_KEY = "FOREIGN KEY constraint failed"
_CHECK = re.compile("CHECK constraint failed: (.+)")
# PostgreSQL's SQLSTATE codes
_UNIQUE_VIOLATION, _FOREIGN_KEY_VIOLATION = "23505", "23503"
_CHECK_VIOLATION, _EXCLUSION_VIOLATION = "23514", "23P01"


@dataclass(slots=True)
class Write:
    """A write in progress: the row as it will be, or the row to be deleted."""

    row: models.Model | None = None
    deletes: bool = False


@contextmanager
def storing(database: str) -> Iterator[Write]:
    """Run a transaction, and explain violated constraints.

    The block has to set `row` on the yielded object as soon as it has the row. Raises `Duplicate`,
    `UnknownReference`, `StillReferenced` or `InvalidContent`; a violation that the client did not
    cause stays an `IntegrityError`.
    """
    connection = transaction.get_connection(database)
    nested, write = connection.in_atomic_block, Write()
    try:
        with transaction.atomic(database):
            yield write
            if nested:  # Django would check these at the commit, too late to explain them
                _check_now(write, connection)
    except IntegrityError as error:
        explained = explain(error, write, database)
        if explained is error:
            raise
        raise explained from error
    except (DataError, OverflowError) as error:  # the serializer did not reject it
        raise InvalidContent([((), "A value is outside of what can be stored.")]) from error


def _check_now(write: Write, connection: BaseDatabaseWrapper) -> None:
    if connection.vendor == "postgresql":
        connection.check_constraints()
    elif write.row is not None and not write.deletes and _missing(write.row, connection.alias):
        raise IntegrityError(_FOREIGN_KEY)


def explain(
    error: IntegrityError, write: Write | None = None, database: str = DEFAULT_DB_ALIAS
) -> Exception:
    """The exception that explains why a write failed; `error` if the cause is not the client's."""
    write = write or Write()
    row = getattr(error, "row", None) or write.row or _unexplained(error, database)
    if row is None or transaction.get_connection(database).needs_rollback:
        return error
    return _rule(error, row) or _conflict(error, write, row, database) or error


def _conflict(
    error: IntegrityError, write: Write, row: models.Model, database: str
) -> Exception | None:
    """The exception for a violated unique constraint or reference, if it is one."""
    columns = _reported_unique(error, row, database)
    if columns is not None:
        if missing := _missing(row, database):  # reported before a conflict
            return UnknownReference(missing)
        found, known = {columns, *_taken(row, database)}, unique_columns(type(row))
        taken = [*(one for one in known if one in found), *(found - set(known))]
        name = row._meta.verbose_name
        return Duplicate(f"Another {name} has this {_and(map(_told, taken))}.")
    state = getattr(error.__cause__, "sqlstate", None)
    if state != _FOREIGN_KEY_VIOLATION and _FOREIGN_KEY not in str(error):
        return None
    if write.deletes:
        return still_referenced(row, list(referring(row, database)))
    return UnknownReference(_missing(row, database) or _references(row))


def _rule(error: IntegrityError, row: models.Model) -> Exception | None:
    """The exception for a violated check or exclusion constraint of the row's table."""
    cause: Any = error.__cause__
    state = getattr(cause, "sqlstate", None)
    if match := _CHECK.search(str(error)):
        name = match[1]
    elif state in (_CHECK_VIOLATION, _EXCLUSION_VIOLATION):
        name = cause.diag.constraint_name if cause.diag.table_name == row._meta.db_table else ""
    else:
        return None
    known = next((one for one in row._meta.constraints if one.name == name), None)
    # The check of a field, such as a PositiveIntegerField, has no name in SQLite.
    if known is None and not (state and name):
        if not any(f'"{field.column}"' in name for field in row._meta.concrete_fields):
            return None
        name = "of a field"
    detail = ""
    if known and known.violation_error_message != known.default_violation_error_message:
        detail = str(known.get_violation_error_message())
    if state == _EXCLUSION_VIOLATION:
        return Duplicate(detail or f"It conflicts with another {row._meta.verbose_name}.")
    return InvalidContent([((), detail or f"It violates the constraint {name}.")])


def _unexplained(error: IntegrityError, database: str) -> Any:
    """The row of a transaction whose reference to a missing one was found at the commit."""
    rows = getattr(error, "rows", ())
    return next((row for row in rows if _missing(row, database)), None)


def still_referenced(row: models.Model, names: Sequence[str]) -> StillReferenced:
    """The error for deleting a row that rows of these tables refer to."""
    by = f" by {_and(names)}" if names else ""
    return StillReferenced(f"The {row._meta.verbose_name} is still referred to{by}.")


def referring(row: models.Model, database: str, *on_delete: Any) -> Iterator[str]:
    """The names of the tables with rows that refer to this one."""
    for relation in _relations(type(row)):
        if on_delete and relation.on_delete not in on_delete:
            continue
        field = relation.field
        value = getattr(row, field.target_field.attname)
        rows = relation.related_model._base_manager.using(database)
        if relation.related_model is type(row):
            rows = rows.exclude(pk=row.pk)
        if rows.filter(**{field.name: value}).exists():
            yield relation.related_model._meta.db_table


def is_referred_to(model: type[models.Model]) -> bool:
    """Whether references from other rows may prevent the deletion of a row."""
    return any(relation.on_delete in _KEEPING for relation in _relations(model))


def _relations(model: type[models.Model]) -> Iterator[Any]:
    for relation in model._meta.get_fields(include_hidden=True):
        if isinstance(relation, models.ManyToOneRel):
            yield relation


def _references(row: models.Model) -> list[str]:
    return [field.attname for field in row._meta.concrete_fields if field.is_relation]


def _missing(row: models.Model, database: str) -> list[str]:
    """The references of the row to missing rows."""
    found = []
    fields: Iterable[Any] = row._meta.concrete_fields
    for field in fields:
        value = getattr(row, field.attname)
        if field.is_relation and value is not None:
            rows = field.related_model._base_manager.using(database)
            if not rows.filter(**{field.target_field.attname: value}).exists():
                found.append(field.attname)
    return found


def _reported_unique(error: IntegrityError, row: models.Model, database: str) -> Columns | None:
    """What the driver reports: PostgreSQL the constraint, SQLite the columns."""
    if match := _UNIQUE.search(str(error)):
        if match[1].startswith("index "):  # an index on an expression
            return ()
        columns = [name.rpartition(".")[2] for name in match[1].split(", ")]
    elif getattr(error.__cause__, "sqlstate", None) == _UNIQUE_VIOLATION:
        name = error.__cause__.diag.constraint_name  # type: ignore[union-attr]
        connection = transaction.get_connection(database)
        with connection.cursor() as cursor:
            found = connection.introspection.get_constraints(cursor, row._meta.db_table)
        columns = found.get(name, {}).get("columns") or []
    else:
        return None
    names = {field.column: field.attname for field in row._meta.concrete_fields}
    return tuple(names[column] for column in columns if column in names)


def _taken(row: models.Model, database: str) -> Iterator[Columns]:
    """The unique values of the row that another row already has."""
    others = type(row)._base_manager.using(database).exclude(pk=row.pk)
    for names in unique_columns(type(row)):
        values = {name: getattr(row, name) for name in names}
        if None not in values.values() and others.filter(**values).exists():
            yield names


def unique_columns(model: type[models.Model]) -> list[Columns]:
    """The unique constraints that a client can violate, each as its columns."""
    meta: Any = model._meta
    found: list[Columns] = [
        (field.attname,)
        for field in meta.concrete_fields
        if field.unique and field.editable and not field.primary_key
    ]
    together = [tuple(names) for names in meta.unique_together]
    together += [
        tuple(one.fields)
        for one in meta.constraints
        if isinstance(one, models.UniqueConstraint) and one.condition is None and one.fields
    ]
    return found + [tuple(meta.get_field(name).attname for name in names) for names in together]


def _told(columns: Columns) -> str:
    if not columns:
        return "value"
    return columns[0] if len(columns) == 1 else f"combination of {_and(columns)}"


def _and(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
