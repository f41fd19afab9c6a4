"""The store of a resource: its rows in the database."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Generic, Literal, NoReturn, TypeVar, cast
from uuid import UUID, uuid4

from pydantic import ValidationError
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    bindparam,
    delete,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import DataError, IntegrityError, StatementError
from sqlalchemy.sql.dml import ReturningDelete, ReturningInsert, ReturningUpdate

from . import InvalidContent, NotFound, StaleRevision
from .constraints import Write, explained
from .content import Content, merged
from .database import Database
from .idempotency import FirstRequest
from .resource import Order, Page, PageRequest, Resource
from .statements import kept
from .tables import Record, new_revision

Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)
Statement = TypeVar("Statement", Select[Any], ReturningUpdate[Any], ReturningDelete[Any])
Change = Literal["created", "updated", "deleted"]

_END = 2**63 - 1  # after every position


class Store(Generic[Row, Sent]):
    """Creates, reads, changes and deletes the rows of a resource.

    Each method is a transaction, or part of the current one (`Database.writing`). Otherwise a
    write is committed when it returns. Returned rows have the attributes of the table's class and
    cannot be changed.
    """

    def __init__(self, resource: Resource[Row, Sent], database: Database) -> None:
        self.resource = resource
        self.database = database
        self._table = cast(Table, resource.table.__table__)

    def create(self, content: Sent, *, idempotency_key: str | None = None, **columns: Any) -> Row:
        """Insert a row. `columns` are values that the client does not send.

        If the `idempotency_key` was used before, return the row that was created then, and roll
        back everything else in the transaction.

        Raises `Duplicate` or `UnknownReference` if the content cannot be stored, `InProgress` or
        `KeyReused` if the key cannot be used.
        """
        first = idempotency_key and FirstRequest(self.resource, idempotency_key, content)
        now = datetime.now(UTC)
        values = content.model_dump() | columns
        values |= {"id": uuid4(), "revision": new_revision(), "created_at": now, "updated_at": now}
        with self._explaining(values):
            if not first and type(self).changed is Store.changed:
                return self._row(self.database.insert(_insert(self._table), values))
            with self.database.writing() as connection:
                if first and (earlier := first.row(connection)) is not None:
                    self.database.undo()
                    return earlier
                row = self._row(connection.execute(_insert(self._table), values).one())
                if first:
                    first.keep(connection, row)
                self.changed("created", row)
                return row

    def get(self, row_id: UUID) -> Row:
        """Read a row; raises `NotFound` if there is none."""
        with self.database.querying() as rows:
            found = rows(self._visible(_by_id(self._table)), {"row_id": row_id})
        return self._row(found[0] if found else self._missing())

    def page(self, request: PageRequest) -> Page[Row]:
        """Read a page of the list."""
        with self._explaining({}), self.database.querying() as rows:
            found = [*rows(*self._selected(request))]
            if (rest := self._without_value(request, len(found))) is not None:
                found += rows(*self._selected(rest))
        return self.resource.page([self._row(row) for row in found], request)

    def replace(self, row_id: UUID, content: Sent, revisions: frozenset[str] | None = None) -> Row:
        """Replace the content of a row if its revision is one of `revisions` (None: any).

        Raises `NotFound`, `StaleRevision`, `Duplicate` or `UnknownReference`.
        """
        values = content.model_dump()
        with self._explaining(values, row_id), self.database.writing() as connection:
            return self._update(connection, row_id, values, revisions)

    def patch(
        self, row_id: UUID, changes: Mapping[str, Any], revisions: frozenset[str] | None = None
    ) -> Row:
        """Change some fields of a row if its revision is one of `revisions` (None: any).

        A field that is an object is merged (RFC 7396). The content as a whole is validated again.
        Raises what `replace` raises, or `InvalidContent`.
        """
        with self._explaining(changes, row_id), self.database.writing() as connection:
            row = self._locked(connection, row_id, revisions)
            fields = self.resource.content.model_fields
            before = {name: getattr(row, name) for name in fields}
            patched = {name: merged(before.get(name), changes[name]) for name in changes}
            after = self._valid(before | patched).model_dump()
            if after == before:
                return row
            return self._update(connection, row_id, after, None)

    def delete(self, row_id: UUID, revisions: frozenset[str] | None = None) -> Row:
        """Delete a row if its revision is one of `revisions` (None: any), and return it.

        Raises `NotFound`, `StaleRevision` or `StillReferenced`.
        """
        with self._explaining({}, row_id), self.database.writing() as connection:
            if revisions is not None:
                self._locked(connection, row_id, revisions)
            statement = self._visible(_delete(self._table))
            found = connection.execute(statement, {"row_id": row_id}).one_or_none()
            row = self._row(found or self._missing())
            self.changed("deleted", row)
            return row

    def update_columns(
        self, row_id: UUID, revisions: frozenset[str] | None = None, **columns: Any
    ) -> Row:
        """Change columns of a row, those that a client does not send as well.

        Without columns the row only gets a new revision, as when rows shown with it have changed.
        Raises what `replace` raises.
        """
        with self._explaining(columns, row_id), self.database.writing() as connection:
            return self._update(connection, row_id, columns, revisions)

    def changed(self, change: Change, row: Row) -> None:
        """Called in the transaction of each change; override it to record or announce it."""

    def visible(self) -> ColumnElement[bool] | None:
        """The condition for rows to exist for this store; override it to hide the others.

        A hidden row is not listed, and is `NotFound` for all other methods. None hides none.
        """
        return None

    def selection(self, request: PageRequest) -> tuple[Select[Any], dict[str, Any]]:
        """The query of a page and its values; override it to restrict the list alone."""
        order = request.order
        part = "first" if request.after is None else "later"
        values = {f"filter_{name}": value for name, value in request.filters.items()}
        values["limit"] = request.limit + 1
        values["after"] = 0
        if request.after is not None:
            values["after"] = request.after[0]
            if order is not None and request.after[1] is None:
                part = "without"
            elif order is not None:
                values["after_value"] = request.after[1]
        return _list(self._table, frozenset(request.filters), order, part), values

    def _selected(self, request: PageRequest) -> tuple[Select[Any], dict[str, Any]]:
        query, values = self.selection(request)
        return self._visible(query), values

    def _visible(self, statement: Statement) -> Statement:
        condition = self.visible()
        return statement if condition is None else statement.where(condition)

    def _without_value(self, request: PageRequest, found: int) -> PageRequest | None:
        """The rest of a page: rows without a value in its order come last.

        A single query for both kinds of rows could not use the index.
        """
        order = request.order
        if order is None or found > request.limit or not self._table.c[order.column].nullable:
            return None
        if request.after is not None and request.after[1] is None:
            return None
        start = _END if order.descending else 0
        return replace(request, limit=request.limit - found, after=(start, None))

    def _valid(self, content: Mapping[str, Any]) -> Sent:
        try:
            return self.resource.content.model_validate(content)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            raise InvalidContent((one["loc"], one["msg"]) for one in found) from None

    def _update(
        self,
        connection: Connection,
        row_id: UUID,
        values: Mapping[str, Any],
        revisions: frozenset[str] | None,
    ) -> Row:
        if revisions is not None:
            self._locked(connection, row_id, revisions)
        changed = {**values, "revision": new_revision(), "updated_at": datetime.now(UTC)}
        statement = self._visible(_update(self._table))
        found = connection.execute(statement, {**changed, "row_id": row_id})
        row = self._row(found.one_or_none() or self._missing())
        self.changed("updated", row)
        return row

    def _locked(
        self, connection: Connection, row_id: UUID, revisions: frozenset[str] | None
    ) -> Row:
        """The row, locked until the transaction ends."""
        statement = self._visible(_lock(self._table))
        row = connection.execute(statement, {"row_id": row_id}).one_or_none()
        found = self._row(row or self._missing())
        if revisions is not None and found.revision not in revisions:
            raise StaleRevision(f"The {self.resource.name} has changed since you read it.")
        return found

    def _missing(self) -> NoReturn:
        raise NotFound

    @contextmanager
    def _explaining(self, values: Mapping[str, Any], row_id: UUID | None = None) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            write = Write(self.resource.name, self._table, values, row_id)
            raise explained(error, write, self.database) from error
        except StatementError as error:
            if isinstance(error.orig, InvalidContent):
                raise error.orig from None
            # A value that the content model allows but the column cannot hold.
            if isinstance(error, DataError) or isinstance(error.orig, ValueError | OverflowError):
                why = "A value is outside of what can be stored."
                raise InvalidContent([((), why)]) from error
            raise

    def _row(self, row: Any) -> Row:
        # A row, not an instance of the class: creating one would cost more than the query.
        return cast(Row, row)


# Each statement is built once: building one takes longer than running it.


@kept
def _by_id(table: Table) -> Select[Any]:
    return select(table).where(table.c.id == bindparam("row_id"))


@cache
def _lock(table: Table) -> Select[Any]:
    return select(table).where(table.c.id == bindparam("row_id")).with_for_update()


@kept
def _insert(table: Table) -> ReturningInsert[Any]:
    return insert(table).returning(table)


@cache
def _update(table: Table) -> ReturningUpdate[Any]:
    return update(table).where(table.c.id == bindparam("row_id")).returning(table)


@cache
def _delete(table: Table) -> ReturningDelete[Any]:
    return delete(table).where(table.c.id == bindparam("row_id")).returning(table)


@kept
def _list(table: Table, filters: frozenset[str], order: Order | None, part: str) -> Select[Any]:
    """A part of a list: the `first` page, `later` pages, or the rows `without` a value."""
    query = select(table).limit(bindparam("limit", type_=Integer()))
    for name in sorted(filters):
        query = query.where(table.c[name] == bindparam(f"filter_{name}"))
    position = table.c.position
    after = bindparam("after", type_=position.type)
    if order is None:
        return query.where(position > after).order_by(position)
    column = table.c[order.column]
    if part == "without":
        query = query.where(column.is_(None))
        query = query.where(position < after if order.descending else position > after)
        return query.order_by(position.desc() if order.descending else position)
    if part == "later":
        here = tuple_(column, position)
        there = tuple_(bindparam("after_value", type_=column.type), after)
        query = query.where(here < there if order.descending else here > there)
    elif column.nullable:
        query = query.where(column.is_not(None))
    if order.descending:
        return query.order_by(column.desc(), position.desc())
    return query.order_by(column, position)
