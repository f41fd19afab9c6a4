"""Migrations of a service that grew, on real databases: rows stay, and down and up is the same."""

from __future__ import annotations

import re
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.contract.databases import PostgresDatabase, SqliteDatabase
from tests.growing.services import Service, made, program
from tests.services import install
from tests.tool.lineage import commit, git

pytestmark = pytest.mark.slow

# One with Alembic, as all but Django have it, and Django.
FRAMEWORKS = ("flask", "django")
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
SECRET_KEY = "0123456789abcdefghijklmnopqrstuvwxyz" * 2
COLUMNS = ("name", "seats", "state", "id", "revision", "created_at", "updated_at")
AT = "2027-01-01 00:00:00.000000"
ROWS = [(name, 3, "shut", uuid.uuid4().hex, "a" * 16, AT, AT) for name in ("Porto", "Faro")]
INSERT = f"INSERT INTO rooms ({', '.join(COLUMNS)}) VALUES ({', '.join('%s' for _ in COLUMNS)})"


@dataclass(frozen=True)
class Migrated:
    """A service with a database, and how its migrations are run."""

    service: Service
    database: SqliteDatabase | PostgresDatabase

    def run(self, *arguments: str) -> str:
        variables = {"DATABASE_URL": self.database.url, "SECRET_KEY": SECRET_KEY}
        return program(self.service.folder, *arguments, **variables)

    @property
    def has_apps(self) -> bool:
        return (self.service.folder / "manage.py").exists()

    def up(self) -> None:
        self.run("hotel", "migrate")

    def down(self) -> None:
        """Undoes the migrations that the last commit brought."""
        if not self.has_apps:
            self.run("alembic", "downgrade", "-1")
            return
        new = git(self.service.folder, "diff", "--name-only", "--diff-filter=A", "HEAD~1")
        for app, name in re.findall(r"/(\w+)/migrations/(\d\w+)\.py", new):
            folder = self.service.folder / "src" / "hotel" / app / "migrations"
            before = [file.stem for file in sorted(folder.glob("0*.py")) if file.stem < name]
            self.run("python", "manage.py", "migrate", app, before[-1] if before else "zero")

    def check(self) -> None:
        """What the code says is what the migrations make."""
        command = ("python", "manage.py", "makemigrations", "--check", "--dry-run")
        self.run(*(command if self.has_apps else ("alembic", "check")))

    def fill(self) -> None:
        if isinstance(self.database, PostgresDatabase):
            with psycopg.connect(self.database.url) as connection:
                connection.cursor().executemany(INSERT, ROWS)
            return
        with closing(sqlite3.connect(self.database.path)) as file, file:
            file.executemany(INSERT.replace("%s", "?"), ROWS)

    def rows(self) -> list[dict[str, Any]]:
        query = "SELECT * FROM rooms ORDER BY position"
        if isinstance(self.database, PostgresDatabase):
            with psycopg.connect(self.database.url, row_factory=dict_row) as connection:
                return connection.execute(query).fetchall()
        with closing(sqlite3.connect(self.database.path)) as file:
            file.row_factory = sqlite3.Row
            return [dict(row) for row in file.execute(query)]

    def schema(self) -> list[tuple[Any, ...]]:
        if isinstance(self.database, PostgresDatabase):
            return list(self.database.schema())
        with closing(sqlite3.connect(self.database.path)) as file:
            return sorted(_facts(file))


def _facts(file: sqlite3.Connection) -> Iterator[tuple[str, ...]]:
    """What SQLite knows of its tables; their own text differs by how it was written."""
    tables = file.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    for table, sql in tables:
        words = sql.replace('"', "").upper()
        checks = sorted(re.findall(r"CONSTRAINT (\w+)", words))
        yield (table, str(checks), str("AUTOINCREMENT" in words))
        for _, name, kind, required, default, key, _ in file.execute(
            f"PRAGMA table_xinfo('{table}')"
        ):
            yield (table, "column", name, kind.upper(), str(required), str(default), str(key))
        for _, name, unique, *_ in file.execute(f"PRAGMA index_list('{table}')").fetchall():
            columns = [str(row[2]) for row in file.execute(f"PRAGMA index_info('{name}')")]
            known = "" if name.startswith("sqlite_autoindex") else name
            yield (table, "index", known, str(unique), *columns)
        for row in file.execute(f"PRAGMA foreign_key_list('{table}')"):
            yield (table, "reference", *map(str, row[2:]))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_rows_stay_and_down_and_up_is_the_same(
    framework: str, database: SqliteDatabase | PostgresDatabase, tmp_path: Path
) -> None:
    service = made(tmp_path / "grown", framework, [ROOM])
    install(service.folder)
    commit(service.folder)
    migrated = Migrated(service, database)
    migrated.up()
    migrated.fill()
    before, rows = migrated.schema(), migrated.rows()
    assert len(rows) == len(ROWS)
    for step in STEPS:
        service.grow(*step)
        migrated.up()
        migrated.check()
        after, now = migrated.schema(), migrated.rows()
        assert after != before, step
        common = set(rows[0]) & set(now[0])
        kept = [{key: row[key] for key in common} for row in rows]
        assert [{key: row[key] for key in common} for row in now] == kept, step
        migrated.down()
        assert migrated.schema() == before, step
        assert len(migrated.rows()) == len(rows), step
        migrated.up()
        again, rows = migrated.schema(), migrated.rows()
        assert again == after, step
        assert len(rows) == len(now)
        before = after
    program(service.folder, "ruff", "check", ".")
    program(service.folder, "ruff", "format", "--check", ".")
    program(service.folder, "mypy")
    values = {key: value for key, value in rows[0].items() if key in ("kind", "note", "height")}
    assert values == {"kind": "small", "note": '50% of "it": isn\'t', "height": -1.5}


# ---- a column that the owner added


VIP = ("add", "field", "room", "vip:bool:default=false")
OWN_MIGRATION = '''"""The owner's own."""

import sqlalchemy as sa
from alembic import op

revision = "5f2a9c"
down_revision = "{after}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("rooms") as table:
        table.add_column(
            sa.Column("vip", sa.Boolean(), nullable=False, server_default=sa.false())
        )


def downgrade() -> None:
    with op.batch_alter_table("rooms") as table:
        table.drop_column("vip")
'''


def own_column(migrated: Migrated) -> None:
    """As the owner writes it: in the model and a migration, not yet in the API."""
    service = migrated.service
    if migrated.has_apps:
        end = "\n    class Meta(Record.Meta):"
        own = "    vip = models.BooleanField(default=False)\n"
        service.edit("src/hotel/rooms/models.py", end, own + end)
        migrated.run("python", "manage.py", "makemigrations", "rooms")
        return
    last = "    state: Mapped[RoomState]\n"
    service.edit("src/hotel/rooms/model.py", last, f"{last}    vip: Mapped[bool]\n")
    versions = service.folder / "src" / "hotel" / "migrations" / "versions"
    after = max(file.name for file in versions.glob("0*.py"))[:4]
    (versions / "5f2a9c_own.py").write_text(OWN_MIGRATION.format(after=after))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_column_of_the_owners_is_not_added_again(framework: str, tmp_path: Path) -> None:
    service = made(tmp_path / "grown", framework, [ROOM])
    install(service.folder)
    commit(service.folder)
    migrated = Migrated(service, SqliteDatabase(tmp_path / "hotel.db"))
    migrated.up()
    migrated.fill()
    own_column(migrated)
    commit(service.folder)
    migrated.up()
    rows = migrated.rows()
    assert [row["vip"] for row in rows] == [0] * len(ROWS)
    refused = service.run(*VIP, "--json")
    assert refused.code == 3, refused.out
    assert 'already adds "vip"' in refused.json["error"]["message"]
    service.grow(*VIP, "--no-migration")
    migrated.up()
    migrated.check()
    assert migrated.rows() == rows
    program(service.folder, "ruff", "check", ".")
