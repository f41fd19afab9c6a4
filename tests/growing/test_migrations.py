"""Migrations of a service that grew, on real databases: rows stay, and down and up is the same."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.databases import PostgresDatabase
from tests.growing.services import Service, made, program
from tests.servers import any_postgres_url
from tests.services import install
from tests.tool.lineage import commit

pytestmark = pytest.mark.slow

ROOM = (
    "room name:str:1..100:unique seats:int:1..500:default=2 "
    "state:enum=open,shut:default=open:filter"
)
STEPS = (
    ("add", "resource", "guest email:email:unique name:str:sort"),
    ("add", "resource", "booking room:ref guest:ref:optional starts_at:datetime:sort"),
    ("add", "field", "booking", "paid:bool:default=false:filter"),
    ("add", "field", "room", "price:decimal:8.2:default=12.5:sort"),
    ("add", "field", "room", "since:datetime:default='2027-01-01T10:00:00+02:00':filter"),
    ("add", "field", "room", "above:ref=room:optional:unique"),
    ("add", "field", "room", "last:ref=booking:optional:filter"),
    ("add", "field", "room", "kind:enum=big,small:default=small:filter"),
    ("add", "field", "room", r"""note:text:default="50% of \"it\": isn't" """.strip()),
    ("add", "field", "room", "built:date:default=2027-01-31"),
    ("add", "field", "room", "key:uuid:default=6f1c2d9e-52f1-4a3b-8a57-0c9d1e2f3a4b"),
    ("add", "field", "room", "height:float:-10..10:default=-1.5"),
    ("add", "field", "room", "warm:bool:default=true:filter"),
    ("remove", "field", "room", "last"),
    ("remove", "field", "room", "state"),
    ("remove", "field", "room", "seats"),
    ("remove", "field", "booking", "starts_at"),
    ("remove", "resource", "booking"),
)
# The tables as they are, what is in the first of them, and a first row.
LOOK = """
import json, os, sqlalchemy as sa
engine = sa.create_engine(os.environ["URL"])
found = sa.inspect(engine)
def plain(things, *keys):
    return sorted(({key: str(one.get(key)) for key in keys} for one in things), key=str)
tables = {}
for name in found.get_table_names():
    if name in ("alembic_version", "django_migrations"):
        continue
    tables[name] = {
        "columns": plain(found.get_columns(name), "name", "type", "nullable", "default"),
        "indexes": plain(found.get_indexes(name), "name", "column_names", "unique"),
        "unique": plain(found.get_unique_constraints(name), "name", "column_names"),
        "references": plain(
            found.get_foreign_keys(name), "name", "constrained_columns", "referred_table"
        ),
        "checks": plain(found.get_check_constraints(name), "name", "sqltext"),
    }
with engine.connect() as connection:
    rows = [dict(row) for row in connection.execute(sa.text("SELECT * FROM rooms")).mappings()]
    if engine.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%' ORDER BY name"
        tables["autoincrement"] = [row[0] for row in connection.execute(sa.text(query))]
print(json.dumps({"tables": tables, "rows": rows}, default=str))
"""
FILL = """
import os, sqlalchemy as sa
engine = sa.create_engine(os.environ["URL"])
for name in ("Porto", "Faro"):
    values = {"name": name, "seats": 3, "state": "shut", "id": os.urandom(16).hex(),
              "at": "2027-01-01 00:00:00.000000", "revision": "a" * 16}
    with engine.begin() as connection:
        connection.execute(sa.text(
            "INSERT INTO rooms (id, name, seats, state, revision, created_at, updated_at) "
            "VALUES (:id, :name, :seats, :state, :revision, :at, :at)"), values)
"""


@dataclass(frozen=True)
class Migrated:
    """A service with a database, and how its migrations are run."""

    service: Service
    url: str

    def run(self, *arguments: str) -> str:
        url = self.url.replace("postgresql://", "postgresql+psycopg://")
        return program(self.service.folder, *arguments, DATABASE_URL=self.url, URL=url)

    def up(self) -> None:
        self.run("hotel", "migrate")

    def down(self) -> None:
        self.run("alembic", "downgrade", "-1")

    def check(self) -> None:
        """What the code says is what the database has."""
        self.run("alembic", "check")

    def look(self) -> tuple[Any, list[dict[str, Any]]]:
        found = json.loads(self.run("python", "-c", LOOK))
        return found["tables"], found["rows"]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Makes an empty database, and says its address."""
    with ExitStack() as stack:
        if request.param == "postgresql":
            admin = stack.enter_context(any_postgres_url())

        def made_url() -> str:
            name = f"grow_{uuid.uuid4().hex}"
            if request.param == "sqlite":
                return f"sqlite:///{tmp_path / name}.db"
            database = PostgresDatabase.create(admin, name)
            return database.url

        yield made_url


def test_rows_stay_and_down_and_up_is_the_same(new_url: Any, tmp_path: Path) -> None:
    service = made(tmp_path / "grown", "flask", [ROOM])
    install(service.folder)
    commit(service.folder)
    migrated = Migrated(service, new_url())
    migrated.up()
    migrated.run("python", "-c", FILL)
    before, rows = migrated.look()
    for step in STEPS:
        service.grow(*step)
        migrated.up()
        migrated.check()
        after, now = migrated.look()
        assert after != before, step
        common = set(rows[0]) & set(now[0])
        kept = [{key: row[key] for key in common} for row in rows]
        assert [{key: row[key] for key in common} for row in now] == kept, step
        migrated.down()
        back, returned = migrated.look()
        assert back == before, step
        assert len(returned) == len(rows), step
        migrated.up()
        again, rows = migrated.look()
        assert again == after, step
        assert len(rows) == len(now)
        before = after
    program(service.folder, "ruff", "check", ".")
    program(service.folder, "ruff", "format", "--check", ".")
    values = {key: value for key, value in rows[0].items() if key in ("kind", "note", "height")}
    assert values == {"kind": "small", "note": '50% of "it": isn\'t', "height": -1.5}
