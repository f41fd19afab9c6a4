"""R7: with 100,000 rows each filter and each order is read by an index."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg import sql

from scaffold.resources.model import Field, Resource
from tests.contract.conftest import NewDatabase
from tests.contract.databases import Database, PostgresDatabase, SqliteDatabase
from tests.contract.declarations import EXAMPLE
from tests.contract.declared import in_query, path_of
from tests.contract.resources.test_pages import filters, many, sorts
from tests.contract.rows import Rows
from tests.servers import as_admin
from tests.services import Project

pytestmark = [pytest.mark.contract("R7"), pytest.mark.slow, pytest.mark.alone]

COPIES = 100_000
MOST_READ = 2_000
"""Rows and entries of indexes that a page of 50 may look at, out of 100,000."""


@pytest.fixture
def filled(
    declaration: str,
    declared_project: Project,
    new_database: NewDatabase,
    resource: Resource,
    resources: tuple[Resource, ...],
) -> Iterator[tuple[Rows, Database]]:
    """A service of its own with that many rows of one resource, copies of a few mixed ones."""
    if declaration == EXAMPLE:
        pytest.skip("it has neither filters nor orders")
    database = new_database()
    declared_project.migrate({"DATABASE_URL": database.url})
    with declared_project.service({"DATABASE_URL": database.url}) as service:
        rows = Rows(service.http, resources)
        kept = many(rows, resource, 50)
        FILL[type(database)](database, resource, COPIES // len(kept))  # type: ignore[arg-type]
        yield rows, database


def copied(field: Field, number: str) -> str | None:
    """The value of a field in a copy, as SQL; None if it is that of the row that is copied."""
    if not field.unique:
        return None
    if field.optional:
        return "null"
    assert field.type in ("str", "int"), "a unique field of another type is not copied yet"
    return f"cast({number} as varchar(20))" if field.type == "str" else f"500 + {number}"


def selection(resource: Resource, number: str, new_id: str) -> tuple[str, str]:
    """The columns of a copy and their values."""
    same = [*(field.column for field in resource.fields), "revision", "created_at", "updated_at"]
    changed = {f.column: copied(f, number) for f in resource.fields}
    values = [changed.get(name) or f't."{name}"' for name in same]
    return ", ".join(f'"{name}"' for name in ("id", *same)), ", ".join([new_id, *values])


def fill_sqlite(database: SqliteDatabase, resource: Resource, times: int) -> None:
    names, values = selection(
        resource, "10000 + row_number() over ()", "lower(hex(randomblob(16)))"
    )
    with closing(sqlite3.connect(database.path, timeout=30)) as connection:
        connection.execute(
            f'insert into "{resource.plural}" ({names}) with recursive n(i) as'
            f" (select 1 union all select i + 1 from n where i < {times})"
            f' select {values} from "{resource.plural}" t, n'
        )
        connection.commit()
        connection.execute("analyze")
        connection.commit()


def fill_postgres(database: PostgresDatabase, resource: Resource, times: int) -> None:
    names, values = selection(resource, "10000 + row_number() over ()", "gen_random_uuid()")
    with psycopg.connect(
        as_admin(database.admin_url, database.name), autocommit=True
    ) as connection:
        connection.execute(
            f'insert into "{resource.plural}" ({names}) select {values}'  # type: ignore[arg-type]
            f' from "{resource.plural}" t, generate_series(1, {times})'
        )
        connection.execute(sql.SQL("vacuum analyze {}").format(sql.Identifier(resource.plural)))


FILL: dict[type, Callable[..., None]] = {
    SqliteDatabase: fill_sqlite,
    PostgresDatabase: fill_postgres,
}


def test_each_filter_and_order_is_read_by_an_index(
    filled: tuple[Rows, Database], resource: Resource
) -> None:
    rows, database = filled
    first = rows.client.get(f"{path_of(resource)}?limit=9").json()[resource.plural]
    queries = [{}, *({"sort": f"{sign}{f.column}"} for f in sorts(resource) for sign in ("", "-"))]
    for field in filters(resource):
        value = next((row[field.column] for row in first if row[field.column] is not None), None)
        if value is not None:
            queries.append({field.column: in_query(value)})
    for query in queries:
        if isinstance(database, PostgresDatabase):
            assert_little_read(rows, database, resource, query)
        else:
            assert_planned(database, resource, query)


def assert_little_read(
    rows: Rows, database: PostgresDatabase, resource: Resource, query: dict[str, str]
) -> None:
    """By PostgreSQL's own counters; what a session has read is counted when it is idle or ends."""
    asked = query
    of_one_row = any(field.unique and field.column in query for field in resource.fields)
    for _ in range(1 if of_one_row else 2):
        before = settled(database, resource)
        answer = rows.client.get(f"{path_of(resource)}?{urlencode(asked)}")
        assert answer.status_code == 200
        assert len(answer.json()[resource.plural]) == (1 if of_one_row else 50)
        read = settled(database, resource, above=before) - before
        assert read <= MOST_READ, f"{asked} has read {read} rows"
        asked = query | {"cursor": answer.json()["next_cursor"]}


def settled(database: PostgresDatabase, resource: Resource, above: int = -1) -> int:
    """How many rows and entries of indexes were read so far, when the count no longer changes."""
    last, still = -1, 0
    deadline = time.monotonic() + 15
    with psycopg.connect(
        as_admin(database.admin_url, database.name), autocommit=True
    ) as connection:
        while time.monotonic() < deadline:
            row = connection.execute(
                "select t.seq_tup_read + coalesce((select sum(i.idx_tup_read) from"
                " pg_stat_user_indexes i where i.relid = t.relid), 0)"
                " from pg_stat_user_tables t where t.relname = %s",
                [resource.plural],
            ).fetchone()
            now = int(row[0]) if row else 0
            still = still + 1 if now == last and now > above else 0
            if still >= 5:
                return now
            last = now
            time.sleep(0.1)
    pytest.fail("the counters do not move: the test proves nothing")


def assert_planned(database: SqliteDatabase, resource: Resource, query: dict[str, str]) -> None:
    """SQLite counts nothing: what it would do with such a query, by the indexes that there are."""
    sort = query.get("sort", "")
    name, down = sort.removeprefix("-"), " desc" if sort.startswith("-") else ""
    wheres = [f'"{column}" = ?' for column in query if column != "sort"]
    if name:
        wheres.append(f'"{name}" is not null')
    where = f" where {' and '.join(wheres)}" if wheres else ""
    order = f'"{name}"{down}, "position"{down}' if name else '"position"'
    statement = f'select * from "{resource.plural}"{where} order by {order} limit 51'
    with closing(sqlite3.connect(database.path)) as connection:
        values = [value for column, value in query.items() if column != "sort"]
        plan = connection.execute(f"explain query plan {statement}", values).fetchall()
    told = " ".join(str(row[3]) for row in plan)
    assert "TEMP B-TREE" not in told, f"{query}: {told}"
    assert "INDEX" in told or not query, f"{query}: {told}"
