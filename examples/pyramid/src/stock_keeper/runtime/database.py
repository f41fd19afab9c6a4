"""The database: connections with a deadline, and the state of its schema."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from . import Unavailable, deadlines
from .deadlines import Bulkhead
from .settings import Settings

metadata: Final = MetaData()  # every table of the service
CONNECTIONS: Final = 10
READINESS_SECONDS: Final = 2.0
_MIGRATIONS = Path(__file__).parent.parent / "migrations"
_NEARLY_MILLISECONDS = 50
_MIGRATION_LOCK = 7_061_644_215_716_937  # any number, as long as every replica takes the same
transaction: Final[ContextVar[tuple[Connection, list[Callable[[], object]]] | None]] = ContextVar(
    "transaction", default=None
)


class Database:
    """SQLite or PostgreSQL behind one face; every use of it ends by its deadline.

    Whatever finds the database out of reach raises `Unavailable`; every other error of the
    database comes through as SQLAlchemy raises it.
    """

    def __init__(self, settings: Settings) -> None:
        self._sqlite = settings.on_sqlite
        self._seconds = settings.database_timeout_seconds
        self._engine = (
            _sqlite_engine(settings.database_url, self._seconds)
            if self._sqlite
            else _postgresql_engine(settings.database_url, self._seconds)
        )
        self._transactions = self._engine.execution_options(isolation_level="READ COMMITTED")
        self._readers = Bulkhead(CONNECTIONS)
        # SQLite has one writer at a time: the rest had better queue than poll its lock.
        self._writers = Bulkhead(1) if self._sqlite else self._readers

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[Connection]:
        """A connection on which each statement sees what is committed when it starts."""
        with self._guard(self._readers, seconds), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, stored: Callable[[], object] | None = None) -> Iterator[Connection]:
        """A transaction: committed when the block ends, rolled back when it raises.

        A block inside another one is part of its transaction. `stored` is called after the commit,
        on SQLite before the next transaction begins.
        """
        outer = transaction.get()
        if outer is not None:
            connection, calls = outer
            yield connection
            calls += [stored] if stored else []
            return
        with self._guard(self._writers, None):
            calls = [stored] if stored else []
            with self._committing() as connection:
                token = transaction.set((connection, calls))
                try:
                    yield connection
                finally:
                    transaction.reset(token)
            for call in calls:
                call()

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A transaction without a deadline that waits for any other one of its kind."""
        with self._committing() as connection:
            if not self._sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": _MIGRATION_LOCK})
            yield connection

    def migrate(self) -> None:
        """Bring the schema to its newest revision; nothing happens where it is there."""
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["database"] = self
        command.upgrade(config, "head")

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()

    def checks(self) -> dict[str, bool]:
        """What a readiness probe asks: does the database answer, and is its schema there?"""
        try:
            with self.reading(READINESS_SECONDS) as connection:
                migrated = self._is_migrated(connection)
        except (Unavailable, DBAPIError):
            return {"database": False}
        return {"database": True} if migrated else {"database": True, "schema": False}

    def _is_migrated(self, connection: Connection) -> bool:
        """A revision that this code does not know is newer than it: another replica runs it."""
        if not inspect(connection).has_table("alembic_version"):
            return False
        found = connection.scalars(text("SELECT version_num FROM alembic_version")).all()
        return bool(found) and not self._outdated.intersection(found)

    @cached_property
    def _outdated(self) -> frozenset[str]:
        scripts = ScriptDirectory(str(_MIGRATIONS))
        known = {script.revision for script in scripts.walk_revisions()}
        return frozenset(known - set(scripts.get_heads()))

    @contextmanager
    def _guard(self, bulkhead: Bulkhead, seconds: float | None) -> Iterator[None]:
        with deadlines.deadline(seconds or self._seconds), bulkhead.place():
            try:
                yield
            except PoolTimeout as error:
                raise Unavailable("no connection became free in time") from error
            except DBAPIError as error:
                if deadlines.out_of_reach(error.orig):
                    raise Unavailable("the database is out of reach") from error
                raise

    @contextmanager
    def _committing(self) -> Iterator[Connection]:
        if not self._sqlite:
            with self._transactions.begin() as connection:
                yield connection
            return
        with self._engine.connect() as connection:
            # A deferred transaction that reads before it writes fails at once under contention.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")


def _sqlite_engine(url: str, seconds: float) -> Engine:
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=CONNECTIONS + 1,
        max_overflow=0,
        pool_timeout=seconds,
        connect_args={"timeout": seconds},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        deadlines.log_ahead(connection, seconds)
        # FULL: what was acknowledged outlives a power cut, not the process alone.
        for pragma in ("synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "checkout")
    def wait_no_longer(
        connection: sqlite3.Connection, record: ConnectionPoolEntry, _: object
    ) -> None:
        left, known = deadlines.remaining(), record.info.get("busy_timeout", 1000 * seconds)
        milliseconds = int(1000 * (seconds if left is None else left))
        # To say it anew for each request would take a tenth of a read.
        if abs(milliseconds - known) > _NEARLY_MILLISECONDS:
            connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
            record.info["busy_timeout"] = milliseconds

    return engine


def _postgresql_engine(url: str, seconds: float) -> Engine:
    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: deadlines.connect(url),
        isolation_level="AUTOCOMMIT",
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=seconds,
    )
