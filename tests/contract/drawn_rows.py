"""Run in a service: draw rows of all types; insert and read them by the driver and SQLAlchemy.

    DATABASE_URL=... python drawn_rows.py PACKAGE PLURAL,PLURAL SEED

The tables of the resources are there; one more is made, with types that an owner may use. Prints
how many rows and values were equal, by type, and how many connections of SQLAlchemy's own each way
of reading took: ``{"rows": 9, "values": {"Double": 8}, "nulls": {"Double": 1}, "observed": 9}``.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import mapped_column

ROWS, LIMIT = 60, 7
TEXT = "aZ09 \u00e9\u00df\u4e2d\u202e\U0001f49a'\"\\%:;{}"

draw = random.Random()


def text(length: int | None) -> str:
    return "".join(draw.choices(TEXT, k=draw.randint(1, min(length or 300, 300))))


def whole(bits: int) -> int:
    return draw.choice([0, 1, -1, 2 ** (bits - 1) - 1, 1 - 2 ** (bits - 1), draw.getrandbits(20)])


def double() -> float:
    edges = [0.0, -0.0, 7.0, 0.1, 1e308, 5e-324, 2.0**53, -1.5, 1 / 3]
    return draw.choice([*edges, draw.uniform(-1e6, 1e6)])


def exact(precision: int, scale: int) -> Decimal:
    digits = draw.choice([0, 1, 10**precision - 1, draw.randrange(10**precision)])
    return (draw.choice([1, -1]) * Decimal(digits)).scaleb(-scale)


def moment(zone: Any) -> datetime:
    micros = draw.choice([0, 1, 999_999, 120_000])
    days = draw.randrange(3_000_000)
    return datetime(2, 1, 1, 23, 59, 58, micros, tzinfo=zone) + timedelta(days=days)


def instant() -> datetime:
    return moment(draw.choice([UTC, timezone(timedelta(hours=-9, minutes=-30))]))


def document() -> Any:
    inner = {"a": None, "b": [1, 2.5, text(9)], "c": True}
    return draw.choice([inner, [], text(9), 7, [inner]])


def value_of(type_: sa.types.TypeEngine[Any]) -> Any:
    """A value of a column's type."""
    match type(type_).__name__:
        case "Instant":
            return instant()
        case "Exact":
            return exact(type_.precision, type_.scale)  # type: ignore[attr-defined]
        case "ARRAY":
            return [whole(32) for _ in range(draw.randrange(4))]
        case "Enum":
            return draw.choice(type_.enums)  # type: ignore[attr-defined]
    return next(make(type_) for kind, make in MAKERS if isinstance(type_, kind))


MAKERS: list[tuple[type[Any], Callable[[Any], Any]]] = [
    (sa.String, lambda one: text(one.length)),
    (sa.BigInteger, lambda _: whole(64)),
    (sa.Integer, lambda _: whole(32)),
    (sa.Float, lambda _: double()),
    (sa.Numeric, lambda one: exact(12, 4) if one.asdecimal else round(double() % 1e6, 4)),
    (sa.Boolean, lambda _: draw.random() < 0.5),
    (sa.DateTime, lambda one: moment(UTC if one.timezone else None)),
    (sa.Date, lambda _: date.fromordinal(draw.randint(1, date.max.toordinal()))),
    (sa.Time, lambda _: time(23, 59, draw.randrange(60), draw.randrange(10**6))),
    (sa.Interval, lambda _: timedelta(days=draw.randint(-9, 9), microseconds=draw.randrange(99))),
    (sa.Uuid, lambda _: uuid.UUID(int=draw.getrandbits(128))),
    (sa.LargeBinary, lambda _: draw.randbytes(draw.randrange(40))),
    (sa.JSON, lambda _: document()),
]


def owned_class(record: type[Any], on_postgresql: bool) -> type[Any]:
    """A table of types that no declaration has, each of which may be null."""
    kinds = {
        "json": sa.JSON(),
        "binary": sa.LargeBinary(),
        "numeric": sa.Numeric(12, 4),
        "rounded": sa.Numeric(12, 4, asdecimal=False),
        "single": sa.Float(asdecimal=True),
        "at": sa.Time(),
        "naive": sa.DateTime(),
        "lasts": sa.Interval(),
        "choice": sa.Enum("one", "two", name="choice"),
        "digits": sa.Uuid(as_uuid=False),
    }
    if on_postgresql:
        kinds["binary_json"] = postgresql.JSONB()
        kinds["numbers"] = postgresql.ARRAY(sa.Integer())
    columns = {name: mapped_column(kind, nullable=True) for name, kind in kinds.items()}
    renamed = mapped_column("stored_as", sa.String(20), key="called", nullable=True)
    body = {"__tablename__": "owned", "__module__": __name__, **columns, "called": renamed}
    return type("Owned", (record,), body)


def row_of(table: sa.Table, ids: dict[str, list[uuid.UUID]], at: int) -> dict[str, Any]:
    """Values of a new row: each that may be null is so in the first row, and now and then."""
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.key == "position":
            continue
        if column.nullable and (at == 0 or draw.random() < 0.25):
            row[column.key] = None
        elif column.foreign_keys:
            (reference,) = column.foreign_keys
            there = ids.get(reference.column.table.name, [])
            row[column.key] = (
                (there.pop() if column.unique else draw.choice(there)) if there else None
            )
        elif isinstance(column.type, sa.Uuid) and not column.type.as_uuid:
            row[column.key] = str(uuid.UUID(int=draw.getrandbits(128)))
        elif isinstance(column.type, sa.String) and column.unique:
            row[column.key] = f"{at}{text(column.type.length)}"[: column.type.length]
        elif column.unique and isinstance(column.type, sa.Integer):
            row[column.key] = 10**9 - at
        else:
            row[column.key] = value_of(column.type)
    return row


def computed(database: Any, record: type[Any], insert: Any) -> list[Any]:
    """The values of columns with defaults in Python, of a row that was inserted without them."""
    columns = {
        "plain": mapped_column(sa.String(9), default="plain"),
        "called": mapped_column(sa.Integer, default=lambda: 7),
        "own": mapped_column(sa.String(9), server_default="own"),
    }
    body = {"__tablename__": "computed", "__module__": __name__, **columns}
    table = type("Computed", (record,), body).__table__  # type: ignore[attr-defined]
    with database.writing() as connection:
        table.create(connection)
    row = {name: one for name, one in row_of(table, {}, 1).items() if name not in columns}
    made = database.insert(insert(table), row)
    return [getattr(made, name) for name in columns]


def fill(
    database: Any, table: sa.Table, statement: Any, ids: dict[str, list[uuid.UUID]], now: list[str]
) -> list[uuid.UUID]:
    """Inserts rows, in turn by SQLAlchemy and by the driver, which returns the same row."""
    made = []
    for at in range(ROWS):
        row = row_of(table, ids, at)
        made.append(row["id"])
        now[:] = ["filling"]
        with database.writing() as connection:
            expected = connection.execute(statement, row).one()
            if at % 2:
                continue
            connection.execute(sa.delete(table).where(table.c.id == row["id"]))
        now[:] = ["inserting"]
        returned = database.insert(statement, row)
        assert returned.position != expected.position
        assert exactly(returned[1:], returned) == exactly(expected[1:], expected)
    ids[table.name] = list(made)
    return made


def read_all(store: Any, made: list[uuid.UUID], filters: list[dict[str, Any]]) -> list[Any]:
    """Every row by its ID and in every list: each order in pages, each filter."""
    resource = importlib.import_module(type(store.resource).__module__)
    table = store.resource.table
    rows = [store.get(row_id) for row_id in made]
    orders = [resource.Order(name, down) for name in table.sorts for down in (False, True)]
    for order in [None, *orders]:
        rows += walked(store, resource.PageRequest(LIMIT, order=order))
    for values in filters:
        rows += store.page(resource.PageRequest(LIMIT, filters=values)).rows
    return rows


def walked(store: Any, request: Any) -> Iterator[Any]:
    while True:
        page = store.page(request)
        yield from page.rows
        if page.cursor is None:
            return
        last, order = page.rows[-1], request.order
        after = (last.position, getattr(last, order.column) if order else None)
        request = replace(request, after=after)


@contextmanager
def observed(engine: sa.Engine) -> Iterator[list[str]]:
    """While somebody listens to the statements of an engine."""
    heard: list[str] = []

    def hear(_: Any, __: Any, statement: str, *___: Any) -> None:
        heard.append(statement)

    sa.event.listen(engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        sa.event.remove(engine, "before_cursor_execute", hear)


def exactly(cells: Any, row: Any) -> str:
    """All that can be told of the last cells of a row: their names, their values with types."""
    values = [(type(value).__name__, repr(value)) for value in cells]
    by_name = [repr(getattr(row, name)) for name in row._fields[-len(cells) :]]
    return f"{type(row)} {row._fields} {values} {by_name}"


def main(package: str, plurals: str, seed: str) -> None:
    draw.seed(seed)
    runtime = {
        name: importlib.import_module(f"{package}.runtime.{name}")
        for name in ("content", "database", "resource", "settings", "store", "tables")
    }
    database = runtime["database"].Database(runtime["settings"].load_settings())
    engine = database._engine
    resources = [
        next(
            value
            for value in vars(importlib.import_module(f"{package}.{plural}.model")).values()
            if isinstance(value, runtime["resource"].Resource)
        )
        for plural in plurals.split(",")
    ]
    on_postgresql = os.environ["DATABASE_URL"].startswith("postgresql")
    owned = owned_class(runtime["tables"].Record, on_postgresql)
    with engine.begin() as connection:
        owned.__table__.create(connection)
    resources.append(runtime["resource"].Resource(owned, runtime["content"].Content))
    found = compared(database, runtime["store"], resources)
    insert = runtime["store"]._insert
    found["computed"] = computed(database, runtime["tables"].Record, insert)
    print(json.dumps(found))


def compared(database: Any, stores: Any, resources: list[Any]) -> dict[str, Any]:
    values: Counter[str] = Counter()
    nulls: Counter[str] = Counter()
    connections: Counter[str] = Counter()
    now = ["unobserved"]
    sa.event.listen(database._engine, "engine_connect", lambda _: connections.update(now))
    count, ids = 0, dict[str, list[uuid.UUID]]()
    for resource in resources:
        table = resource.table.__table__
        made = fill(database, table, stores._insert(table), ids, now)
        store = stores.Store(resource, database)
        now[:] = ["observed"]
        filters = filters_of(store, made)
        with observed(database._engine) as heard:
            expected = read_all(store, made, filters)
        assert heard, "a listener hears of each statement"
        now[:] = ["unobserved"]
        found = read_all(store, made, filters)
        assert [exactly(row, row) for row in found] == [exactly(row, row) for row in expected]
        for row in found:
            assert json.loads(resource.encode(row)) == resource.show(row)
        count += len(found)
        for column, cell in (
            (c, v) for row in found for c, v in zip(table.columns, row, strict=True)
        ):
            (nulls if cell is None else values)[type(column.type).__name__] += 1
    return {"rows": count, "values": values, "nulls": nulls, **connections}


def filters_of(store: Any, made: list[uuid.UUID]) -> list[dict[str, Any]]:
    rows = [store.get(row_id) for row_id in made[:20]]
    names = store.resource.table.filters
    single = [{name: getattr(row, name)} for row in rows for name in names]
    both = [{name: getattr(row, name) for name in names} for row in rows]
    return [one for one in [*single, *both] if one and None not in one.values()]


if __name__ == "__main__":
    main(*sys.argv[1:])
