"""Databases with items in them, made by the service's own migration and filled beside it."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg import sql

from tests.servers import as_admin, create_database
from tests.services import Project

COLUMNS = ("id", "name", "quantity", "revision", "created_at", "updated_at")
MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
Row = tuple[UUID, str, int, str, datetime, datetime]


def rows(count: int) -> Iterator[Row]:
    """The same items each time, the columns in their order; positions follow from that."""
    chance = random.Random(count)
    for number in range(count):
        item_id = UUID(int=chance.getrandbits(128), version=4)
        yield item_id, f"item {number}", number % 1000, f"{number:016x}", MADE_AT, MADE_AT


def some_ids(count: int, most: int = 1000) -> list[str]:
    """At most so many ids of `count` items, evenly spread over them."""
    step = max(1, count // most)
    return [str(row[0]) for number, row in enumerate(rows(count)) if number % step == 0][:most]


class Databases:
    """Where databases are made: files in `folder`, and on the PostgreSQL of an administrator."""

    def __init__(self, folder: Path, admin_url: str | None) -> None:
        self._folder = folder
        self._admin_url = admin_url
        self._url = ""

    def make(self, kind: str, project: Project, count: int) -> str:
        """The URL of a new database with the schema of a service, and `count` items."""
        self._url = self.beside(kind, project, count, "generated")
        return self._url

    def beside(self, kind: str, project: Project, count: int, name: str) -> str:
        """The same of another name, for a service with migrations of its own."""
        url = self._new(kind, name)
        project.migrate({"DATABASE_URL": url})
        if kind == "sqlite":
            fill_sqlite(self._file(name), count)
        else:
            self._fill_postgresql(count, name)
        return url

    def copy(self, kind: str, name: str = "bare") -> str:
        """The URL of a copy of the database that was made last, while nobody uses it."""
        if kind == "sqlite":
            shutil.copy(self._file("generated"), self._file(name))
            return f"sqlite:///{self._file(name)}"
        with self.connect_as_admin("postgres") as connection:
            called = sql.Identifier(name)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(called))
            copied = sql.SQL("CREATE DATABASE {} TEMPLATE generated OWNER svc")
            connection.execute(copied.format(called))
        return self._url.removesuffix("generated") + name

    def connect_as_admin(self, name: str) -> psycopg.Connection[psycopg.rows.TupleRow]:
        assert self._admin_url is not None
        return psycopg.connect(as_admin(self._admin_url, name), autocommit=True)

    @property
    def file(self) -> Path:
        """Where the SQLite database lies that was made last."""
        return self._file("generated")

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.db"

    def _new(self, kind: str, called: str) -> str:
        if kind == "sqlite":
            for name in ("generated", "bare", "raw") if called == "generated" else (called,):
                for file in self._folder.glob(f"{name}.db*"):
                    file.unlink()
            return f"sqlite:///{self._file(called)}"
        assert self._admin_url is not None
        return create_database(self._admin_url, called, "svc", "secret")

    def _fill_postgresql(self, count: int, name: str) -> None:
        with self.connect_as_admin(name) as connection:
            names = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
            copy = sql.SQL("COPY items ({}) FROM STDIN").format(names)
            with connection.cursor() as cursor, cursor.copy(copy) as target:
                for row in rows(count):
                    target.write_row(row)
            connection.execute("VACUUM ANALYZE items")


def fill_sqlite(file: Path, count: int) -> None:
    """As SQLAlchemy and Django both write it: ids as 32 hex digits, times without their zone."""
    written = (
        (item_id.hex, name, quantity, revision, _time(created), _time(updated))
        for item_id, name, quantity, revision, created, updated in rows(count)
    )
    marks = ", ".join("?" * len(COLUMNS))
    with closing(sqlite3.connect(file)) as connection, connection:
        statement = f"INSERT INTO items ({', '.join(COLUMNS)}) VALUES ({marks})"
        connection.executemany(statement, written)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
