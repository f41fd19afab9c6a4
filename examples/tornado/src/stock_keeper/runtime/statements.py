"""Statements that are compiled once and run on the driver's own cursor.

For a statement about one row, SQLAlchemy takes longer than PostgreSQL: each time it looks up the
statement and creates a description of the result and a reader for it.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar, cast

from sqlalchemy import Dialect, Engine, Select, event
from sqlalchemy.engine import result_tuple
from sqlalchemy.exc import StatementError
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.dml import ReturningInsert

Arguments = ParamSpec("Arguments")
Process = Callable[[Any], Any]
Kept = TypeVar("Kept", Select[Any], ReturningInsert[Any])

_kept: Final[set[Any]] = set()


def kept(build: Callable[Arguments, Kept]) -> Callable[Arguments, Kept]:
    """Build and compile each query or insertion only once.

    Its parameters must have names but no values, none may be a list, and the function's arguments
    must be hashable.
    """

    @cache
    def built(*args: Any, **kwargs: Any) -> Kept:
        statement = build(*args, **kwargs)
        _kept.add(statement)
        return statement

    return cast("Callable[Arguments, Kept]", built)


def is_kept(statement: Select[Any] | ReturningInsert[Any]) -> bool:
    """Whether a statement was built by a function with `kept`."""
    return statement in _kept


class Statement:
    """A statement compiled for the driver; it returns the same rows as SQLAlchemy.

    `columns` are those that an insertion has values for. `is_whole` is false if SQLAlchemy computes
    the values of others.
    """

    def __init__(
        self,
        statement: Select[Any] | ReturningInsert[Any],
        dialect: Dialect,
        columns: Sequence[str] | None = None,
    ) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
        self.text = str(compiled)
        self.is_whole = not getattr(compiled, "insert_prefetch", ())
        self._dialect = dialect
        self._order = compiled.positiontup  # None if the driver uses named parameters
        # Values added by SQLAlchemy itself, such as SQLite's OFFSET.
        self._added = {
            name: parameter.value
            for name, parameter in compiled.binds.items()
            if not parameter.required
        }
        self._bound = [
            (name, process)
            for name, parameter in compiled.binds.items()
            if (process := parameter.type.dialect_impl(dialect).bind_processor(dialect))
        ]
        self._types = [column.type.dialect_impl(dialect) for column in statement.exported_columns]
        self._reader: _Reader | None = None

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """The values in the form that the driver expects; raises StatementError, as SQLAlchemy."""
        if self._added or self._bound:
            values = {**self._added, **values}
            for name, process in self._bound:
                try:
                    values[name] = process(values[name])
                except Exception as error:
                    raise StatementError(str(error), self.text, None, error) from error
        return values if self._order is None else [values[name] for name in self._order]

    def rows(self, connection: Any, parameters: Any) -> Sequence[Any]:
        """Run the statement on a driver connection and return its rows."""
        with closing(connection.cursor()) as cursor:
            cursor.execute(self.text, parameters)
            if (reader := self._reader) is None:
                reader = self._reader = self._new_reader(cursor.description)
            found = cursor.fetchall()
        return [reader.row(reader.values(row)) for row in found]

    def _new_reader(self, description: Sequence[Sequence[Any]]) -> "_Reader":
        """Create the row reader, which depends on the column types reported by the database."""
        processes = [
            (index, process)
            for index, (type_, column) in enumerate(zip(self._types, description, strict=True))
            if (process := type_.result_processor(self._dialect, column[1]))
        ]
        return _Reader(result_tuple([column[0] for column in description]), processes)


class _Reader(NamedTuple):
    row: Callable[[Sequence[Any]], Any]
    processes: Sequence[tuple[int, Process]]

    def values(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for index, process in self.processes:
            values[index] = process(values[index])
        return values


class Spares:
    """Connections that stay out of the pool between two statements, which makes those much cheaper.

    Whoever uses the pool itself has to `release` one first. Together there are then never more
    connections than there are slots, because a statement takes a spare one if there is one. If any
    connection is invalidated, all spare ones are closed.
    """

    def __init__(
        self, engine: Engine, is_usable: Callable[[PoolProxiedConnection, float], bool]
    ) -> None:
        self._engine = engine
        self._is_usable = is_usable
        self._idle: deque[tuple[PoolProxiedConnection, float]] = deque()
        self.generation = 0  # how often they were closed
        event.listen(engine, "invalidate", lambda *_: self.close())

    def take(self) -> PoolProxiedConnection:
        """A spare connection that is still usable, or one from the pool."""
        while self._idle:
            try:
                connection, since = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if self._is_usable(connection, time.monotonic() - since):
                return connection
            connection.invalidate()
        return self._engine.raw_connection()

    def keep(self, connection: PoolProxiedConnection, generation: int) -> None:
        """Keep a connection that has no transaction, and was taken in that generation."""
        self._idle.append((connection, time.monotonic()))
        if generation != self.generation:
            self.close()

    def release(self) -> None:
        """Return one to the pool, which then takes it for one that was just used."""
        try:
            connection, since = self._idle.pop()
        except IndexError:
            return
        if self._is_usable(connection, time.monotonic() - since):
            connection.close()
        else:
            connection.invalidate()

    def close(self) -> None:
        """Close all of them."""
        self.generation += 1
        while self._idle:
            try:
                connection, _ = self._idle.pop()
            except IndexError:
                return
            connection.invalidate()
