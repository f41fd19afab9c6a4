"""The database behind a service, as another client of it sees it: to lock, break and compare.

Nothing here knows the service's code. The items' table is found by its columns.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql

from tests.servers import Postgres, as_admin, create_database

PASSWORD = "cor%rect/horse:b@ttery?staple#1"
"""Every character that a URL has to escape is in it, and it must never be printed."""
ROLE = "keeper"
ASIDE = "items_put_aside"
NEWER_RELEASE = {
    "alembic_version": "update alembic_version set version_num = 'aaaaaaaaaaaa'",
    "django_migrations": "insert into django_migrations (app, name, applied)"
    " select app, '9999_newer', applied from django_migrations where app = 'items' limit 1",
}
"""What a newer release writes into the table of migrations, whichever there is."""
LOCKS = {
    "writes": sql.SQL("share row exclusive"),
    "everything": sql.SQL("access exclusive"),
}


class Database(Protocol):
    """What tests do to a database behind the service's back."""

    @property
    def kind(self) -> str:
        """``sqlite`` or ``postgresql``."""

    @property
    def url(self) -> str:
        """The value of DATABASE_URL."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never appear in an output or an answer."""

    def copy(self) -> Database:
        """Another one with the same schema and content; nobody may be connected to this one."""

    def schema(self) -> list[tuple[str, ...]]:
        """Everything that a migration makes, in a fixed order."""

    def indexed(self, table: str) -> set[str]:
        """The columns of a table that an index begins with."""

    def migrate_further(self) -> None:
        """Leave the schema as a newer release has: by a migration that this one does not have."""

    def hold_writes(self) -> contextlib.AbstractContextManager[None]:
        """Within the block writes wait for a lock, reads go on."""

    def hold_schema(self) -> contextlib.AbstractContextManager[None]:
        """Within the block whoever wants to change the schema waits."""

    def waiting(self) -> int:
        """How many wait, or are about to, in a block of `hold_schema` on an empty database."""

    def broken(self) -> contextlib.AbstractContextManager[None]:
        """Within the block the items' table is gone, the database answers."""


@dataclass(frozen=True)
class SqliteDatabase:
    path: Path
    kind: str = "sqlite"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    @property
    def secrets(self) -> tuple[str, ...]:
        return ()

    def copy(self) -> SqliteDatabase:
        folder = Path(tempfile.mkdtemp(prefix="copy-", dir=self.path.parent))
        return SqliteDatabase(Path(shutil.copy(self.path, folder)))

    def schema(self) -> list[tuple[str, ...]]:
        if not self.path.exists():
            return []
        with self._connection() as connection:
            rows = connection.execute(
                "select type, name, coalesce(sql, '') from sqlite_master order by type, name"
            )
            return [tuple(map(str, row)) for row in rows]

    def indexed(self, table: str) -> set[str]:
        query = (
            "select of_index.name from pragma_index_list(?) as one,"
            " pragma_index_info(one.name) as of_index where of_index.seqno = 0"
        )
        with self._connection() as connection:
            return {name for (name,) in connection.execute(query, [table])}

    def migrate_further(self) -> None:
        tables = {row[1] for row in self.schema()}
        (statement,) = (NEWER_RELEASE[name] for name in tables & set(NEWER_RELEASE))
        with self._connection() as connection:
            connection.execute("create table newer (id integer)")
            assert connection.execute(statement).rowcount == 1

    @contextlib.contextmanager
    def hold_writes(self) -> Iterator[None]:
        with self._connection() as connection:
            connection.execute("begin immediate")
            try:
                yield
            finally:
                connection.rollback()

    def hold_schema(self) -> contextlib.AbstractContextManager[None]:
        """Within the block whoever wants to change the schema waits; an empty file is made."""
        return self.hold_writes()

    def waiting(self) -> int:
        """How many other processes have the file open, whatever they want of it."""
        file = self.path.resolve()
        return sum(_has_open(process, file) for process in Path("/proc").glob("[0-9]*"))

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        with self._connection() as connection:
            table = self._items_table(connection)
            connection.execute(f'alter table "{table}" rename to {ASIDE}')
            try:
                yield
            finally:
                connection.execute(f'alter table {ASIDE} rename to "{table}"')

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()

    def _items_table(self, connection: sqlite3.Connection) -> str:
        rows = connection.execute(
            "select m.name from sqlite_master m join pragma_table_info(m.name) c"
            " where m.type = 'table' and c.name = 'quantity'"
        ).fetchall()
        assert len(rows) == 1, f"one table with a column 'quantity', not {rows}"
        return str(rows[0][0])


def _has_open(process: Path, file: Path) -> bool:
    """Whether a folder of /proc is that of another process in which the file is open."""
    if process.name == str(os.getpid()):
        return False
    with contextlib.suppress(OSError):  # it has just ended, or is somebody else's
        return any(fd.readlink() == file for fd in (process / "fd").iterdir())
    return False


@dataclass(frozen=True)
class PostgresDatabase:
    admin_url: str
    name: str
    url: str
    kind: str = "postgresql"

    @classmethod
    def create(cls, server: Postgres | str, name: str) -> PostgresDatabase:
        """A new, empty database on the server (or the one that an administrator's URL names)."""
        admin_url = server if isinstance(server, str) else server.url()
        return cls(admin_url, name, create_database(admin_url, name, ROLE, PASSWORD))

    @property
    def secrets(self) -> tuple[str, ...]:
        return (PASSWORD, self.url.split(":")[2].split("@")[0])

    def copy(self) -> PostgresDatabase:
        name = f"copy_{uuid.uuid4().hex[:12]}"
        url = create_database(self.admin_url, name, ROLE, PASSWORD, like=self.name)
        return PostgresDatabase(self.admin_url, name, url)

    def schema(self) -> list[tuple[str, ...]]:
        queries = (
            "select 'column', table_name, column_name, data_type, is_nullable,"
            " coalesce(column_default, ''), coalesce(character_maximum_length::text, ''),"
            " coalesce(collation_name, '')"
            " from information_schema.columns where table_schema = 'public'",
            "select 'index', tablename, indexname, indexdef, '', '', '', ''"
            " from pg_indexes where schemaname = 'public'",
            "select 'constraint', conrelid::regclass::text, conname,"
            " pg_get_constraintdef(oid), '', '', '', ''"
            " from pg_constraint where connamespace = 'public'::regnamespace",
            "select 'sequence', sequencename, data_type::text, '', '', '', '', ''"
            " from pg_sequences where schemaname = 'public'",
        )
        with self._connection() as connection:
            rows = [row for query in queries for row in connection.execute(query.encode())]
        return sorted(tuple(map(str, row)) for row in rows)

    def indexed(self, table: str) -> set[str]:
        query = (
            "select attname from pg_index join pg_attribute on attrelid = indrelid"
            " and attnum = indkey[0] where indrelid = %s::regclass and indpred is null"
        )
        with self._connection() as connection:
            return {name for (name,) in connection.execute(query, [f'"{table}"'])}

    def migrate_further(self) -> None:
        tables = {row[1] for row in self.schema()}
        (statement,) = (NEWER_RELEASE[name] for name in tables & set(NEWER_RELEASE))
        with self._connection() as connection:
            connection.execute("create table newer (id integer)")
            assert connection.execute(statement.encode()).rowcount == 1

    @contextlib.contextmanager
    def hold_writes(self) -> Iterator[None]:
        with self._locked("writes"):
            yield

    @contextlib.contextmanager
    def hold_everything(self) -> Iterator[None]:
        """Within the block even reads of items wait for a lock."""
        with self._locked("everything"):
            yield

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        with self._connection() as connection:
            table = self._items_table(connection)
            aside = sql.Identifier(ASIDE)
            connection.execute(sql.SQL("alter table {} rename to {}").format(table, aside))
            try:
                yield
            finally:
                connection.execute(sql.SQL("alter table {} rename to {}").format(aside, table))

    @contextlib.contextmanager
    def hold_schema(self) -> Iterator[None]:
        """Within the block whoever wants to change the schema waits."""
        with self._connection() as connection, connection.transaction():
            connection.execute("lock table pg_catalog.pg_class in share mode")
            yield

    def waiting(self) -> int:
        """How many sessions of this database wait for a lock of any kind."""
        with self._connection() as connection:
            row = connection.execute(
                "select count(*) from pg_stat_activity"
                " where datname = current_database() and wait_event_type = 'Lock'"
            ).fetchone()
        return int(row[0]) if row else 0

    @contextlib.contextmanager
    def _locked(self, mode: str) -> Iterator[None]:
        with self._connection() as connection, connection.transaction():
            table = self._items_table(connection)
            lock = sql.SQL("lock table {} in {} mode")
            connection.execute(lock.format(table, LOCKS[mode]))
            yield

    @contextlib.contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        url = as_admin(self.admin_url, self.name)
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            yield connection

    def _items_table(self, connection: psycopg.Connection) -> sql.Identifier:
        rows = connection.execute(
            "select table_name from information_schema.columns"
            " where table_schema = 'public' and column_name = 'quantity'"
        ).fetchall()
        assert len(rows) == 1, f"one table with a column 'quantity', not {rows}"
        return sql.Identifier(rows[0][0])
