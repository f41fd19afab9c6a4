"""The database: connections with a deadline, transactions, and the state of the schema."""

import ast
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, Select, create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.sql.dml import ReturningInsert

from . import InvalidContent, Unavailable, deadlines
from .deadlines import Bulkhead
from .locks import LOCK_SECONDS, patiently
from .outages import Outages, count_unexpected
from .probe import Probe
from .settings import Settings
from .statements import Spares, Statement, is_kept

CONNECTIONS: Final = 10
READINESS_SECONDS: Final = 2.0
_MIGRATIONS = Path(__file__).parent.parent / "migrations"
_NEARLY_MILLISECONDS = 50
_MIGRATION_LOCK = 7_061_644_215_716_937  # any number, as long as every replica uses the same one


Query = Callable[[Select[Any], Mapping[str, Any]], Sequence[Any]]


@dataclass(slots=True)
class _Transaction:
    database: "Database"
    connection: Connection
    on_commit: list[Callable[[], object]] = field(default_factory=list)
    undone: bool = False


class _Undone(Exception):
    """Raised to roll back a transaction that has not failed."""


# The transactions of the current thread or task, at most one for each database.
_transactions: ContextVar[tuple[_Transaction, ...]] = ContextVar("transactions", default=())


class Database:
    """Common interface to SQLite and PostgreSQL; every operation has a deadline.

    Raises `Unavailable` if the database cannot be reached; all other database errors are
    SQLAlchemy's.
    """

    def __init__(self, settings: Settings) -> None:
        self._sqlite = settings.on_sqlite
        self._seconds = settings.database_timeout_seconds
        self._direct_url = settings.direct_url
        self._engine = (
            _sqlite_engine(settings.database_url, self._seconds)
            if self._sqlite
            else _postgresql_engine(settings.database_url, self._seconds)
        )
        self._error_listeners = len(self._engine.dialect.dispatch.handle_error)
        self._statements: dict[Any, Statement] = {}
        self._spares = Spares(self._engine, self._is_usable)
        self._transactions = self._engine.execution_options(isolation_level="READ COMMITTED")
        self._outages = Outages(settings.database_url)
        self._probe = Probe(partial(_open, settings), self._outages)
        self._readers = Bulkhead(CONNECTIONS, self._probe.answers)
        # SQLite has one writer at a time: waiting here costs less than polling its lock.
        self._writers = Bulkhead(1, self._probe.answers) if self._sqlite else self._readers

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[Connection]:
        """Borrow a connection; each statement sees what was committed when it started.

        Inside a `writing` block it is the connection of that transaction.
        """
        outer = self._transaction()
        if outer is not None:
            yield outer.connection
            return
        with self._guard(self._readers, seconds), self._connect() as connection:
            yield connection

    @contextmanager
    def querying(self) -> Iterator[Query]:
        """Read rows by `rows(query, values)`; a query that is `kept` is run by the driver itself.

        If there are listeners for SQLAlchemy's statement events, SQLAlchemy runs it.
        """
        if self._transaction() or self._is_observed():
            with self.reading() as connection:
                yield lambda query, values: connection.execute(query, values).all()
            return
        with self._guard(self._readers, None):
            yield self._query

    def insert(self, statement: ReturningInsert[Any], values: Mapping[str, Any]) -> Any:
        """Insert a row by a statement that is `kept`, and return it.

        Outside of a `writing` block the statement is a transaction of its own, run by the driver:
        PostgreSQL is asked once instead of three times.
        """
        if not self._transaction() and not self._is_observed():
            compiled = self._compiled(statement, tuple(values))
            if compiled.is_whole:
                with self._guard(self._writers, None):
                    (row,) = self._run(compiled, values)
                    return row
        with self.writing() as connection:
            return connection.execute(statement, values).one()

    def _is_observed(self) -> bool:
        heard = self._engine.dispatch
        return bool(
            heard.before_cursor_execute
            or heard.after_cursor_execute
            or heard.before_execute
            or heard.after_execute
            or len(self._engine.dialect.dispatch.handle_error) > self._error_listeners
        )

    def _query(self, query: Select[Any], values: Mapping[str, Any]) -> Sequence[Any]:
        if not is_kept(query):
            with self._connect() as connection:
                return connection.execute(query, values).all()
        return self._run(self._compiled(query), values)

    def _compiled(
        self, statement: Select[Any] | ReturningInsert[Any], columns: tuple[str, ...] | None = None
    ) -> Statement:
        if (known := self._statements.get((statement, columns))) is None:
            known = Statement(statement, self._engine.dialect, columns)
            self._statements[statement, columns] = known
        return known

    def _run(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Any]:
        parameters = statement.parameters(values)
        driver = self._engine.dialect.loaded_dbapi
        try:
            with self._borrowed() as connection:
                return statement.rows(connection, parameters)
        except driver.Error as error:
            raise DBAPIError.instance(statement.text, None, error, driver.Error) from error

    @contextmanager
    def _borrowed(self) -> Iterator[PoolProxiedConnection]:
        """A driver connection; if it is broken, all pooled connections are discarded."""
        pool, generation = self._engine.pool, self._spares.generation
        connection = self._spares.take()
        try:
            yield connection
        except self._engine.dialect.loaded_dbapi.Error as error:
            if _is_standby(error) or self._engine.dialect.is_disconnect(error, connection, None):
                connection.invalidate(error)
                if pool is self._engine.pool:
                    self._engine.dispose()
            connection.close()
            raise
        except Exception:
            connection.close()
            raise
        except BaseException as error:  # the thread is being stopped: the result may still arrive
            connection.invalidate(error)
            connection.close()
            raise
        self._spares.keep(connection, generation)

    def _is_usable(self, connection: PoolProxiedConnection, idle_seconds: float) -> bool:
        """Whether a spare connection can be used; the pool's own events do not see it."""
        driver: Any = connection.dbapi_connection
        if not self._sqlite:
            return deadlines.is_usable(driver, idle_seconds)
        _wait_no_longer(driver, connection.info, self._seconds)
        return True

    def _connect(self) -> Connection:
        """A connection from the pool."""
        self._spares.release()
        return self._engine.connect()

    @contextmanager
    def writing(
        self, on_commit: Callable[[], object] | None = None, *, seconds: float | None = None
    ) -> Iterator[Connection]:
        """Run a transaction: committed at the end of the block, rolled back if it raises.

        A block inside another one of the same database joins its transaction. `on_commit` is called
        after the commit; on SQLite before the next transaction begins. `seconds` replaces
        DATABASE_TIMEOUT_SECONDS, for jobs that take longer than a request may.
        """
        calls = [on_commit] if on_commit else []
        outer = self._transaction()
        if outer is not None:
            yield outer.connection
            outer.on_commit.extend(calls)
            return
        with self._guard(self._writers, seconds):
            with suppress(_Undone), self._committing() as connection:
                own = _Transaction(self, connection, calls)
                token = _transactions.set((*_transactions.get(), own))
                try:
                    yield connection
                finally:
                    _transactions.reset(token)
                if own.undone:
                    raise _Undone
            for call in () if own.undone else calls:
                call()

    def in_transaction(self) -> bool:
        """Whether the caller is inside a `writing` block of this database."""
        return self._transaction() is not None

    def undo(self) -> None:
        """Roll back the caller's transaction at the end of its block."""
        own = self._transaction()
        if own is not None:
            own.undone = True

    def _transaction(self) -> _Transaction | None:
        for transaction in _transactions.get():
            if transaction.database is self:
                return transaction
        return None

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Run a transaction without a deadline, after any other migration that is in progress."""
        if self._sqlite:
            with self._unenforced() as connection, self._immediate(connection):
                yield connection
                # Rebuilding drops a table first; afterwards all references to it must be valid.
                wrong = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                if wrong is not None:
                    raise ValueError(f"a row of {wrong[0]} refers to a missing row of {wrong[2]}")
            return
        engine = _postgresql_engine(self._direct_url, self._seconds)
        try:
            with engine.execution_options(isolation_level="READ COMMITTED").begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": _MIGRATION_LOCK})
                # Later queries queue behind a migration that waits for a table.
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
                yield connection
        finally:
            engine.dispose()

    def migrate(self) -> None:
        """Upgrade the schema to the latest revision, if necessary.

        A schema that a newer release has migrated is left as it is. If another transaction holds a
        lock for too long, roll back and try again.
        """
        # Imported here because serving does not need it, which saves 8 MB.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["database"] = self
        patiently(lambda: command.upgrade(config, "head"))

    def close(self) -> None:
        """Close all idle connections."""
        self._probe.close()
        self._drop_pool()

    def checks(self) -> dict[str, bool]:
        """Check for a readiness probe that the database responds and that the schema is migrated.

        Uses a separate connection, so that a probe does not queue behind requests.
        """
        revisions = "SELECT version_num FROM alembic_version"
        return self._probe.checks(READINESS_SECONDS, revisions, self._are_new, self._drop_pool)

    def _drop_pool(self) -> None:
        self._spares.close()
        self._engine.dispose()

    def _are_new(self, rows: Iterable[tuple[str]]) -> bool:
        """Revisions unknown to this code are newer: another replica has already migrated."""
        found = [revision for (revision,) in rows]
        return bool(found) and not self._outdated.intersection(found)

    @cached_property
    def _outdated(self) -> frozenset[str]:
        return replaced_revisions(_MIGRATIONS / "versions")

    @contextmanager
    def _guard(self, bulkhead: Bulkhead, seconds: float | None) -> Iterator[None]:
        try:
            with deadlines.deadline(seconds or self._seconds), bulkhead.slot():
                try:
                    yield
                except PoolTimeout as error:
                    raise Unavailable("no connection became free in time") from error
                except DBAPIError as error:
                    if deadlines.is_unavailable(error.orig):
                        raise Unavailable("the database is unreachable") from error
                    if not isinstance(error, IntegrityError | DataError):
                        count_unexpected()
                    raise
        except Unavailable as error:
            self._outages.failed(error)
            raise
        self._outages.worked()

    @contextmanager
    def _committing(self) -> Iterator[Connection]:
        if self._sqlite:
            with self._connect() as connection, self._immediate(connection):
                yield connection
        else:
            self._spares.release()
            with self._transactions.begin() as connection:
                yield connection

    @contextmanager
    def _immediate(self, connection: Connection) -> Iterator[None]:
        # A deferred transaction that reads before it writes fails immediately under contention.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")

    @contextmanager
    def _unenforced(self) -> Iterator[Connection]:
        """An SQLite connection on which references are not enforced."""
        with self._connect() as connection:
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("PRAGMA foreign_keys = ON")


def replaced_revisions(folder: Path) -> frozenset[str]:
    """The revisions in an Alembic folder except the newest, read without Alembic."""
    known: set[str] = set()
    replaced: set[str] = set()
    for path in folder.glob("*.py"):
        for statement in ast.parse(path.read_bytes()).body:
            match statement:
                case (
                    ast.Assign(targets=[ast.Name(name)], value=ast.expr() as value)
                    | ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value)
                ) if name in ("revision", "down_revision"):
                    found = ast.literal_eval(value)
                    names = (found,) if isinstance(found, str) else found or ()
                    (known if name == "revision" else replaced).update(names)
    return frozenset(known & replaced)


def _open(settings: Settings) -> Any:
    """A driver connection for the probe."""
    if settings.on_sqlite:
        path, _, _ = settings.database_url.removeprefix("sqlite:///").partition("?")
        return sqlite3.connect(path, timeout=READINESS_SECONDS, check_same_thread=False)
    return deadlines.connect(settings.database_url, autocommit=True)


def _to_json(value: Any) -> str:
    """The text of a value in a JSON column; JSON has neither NaN nor infinite numbers."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        raise InvalidContent([((), "A number is outside of what can be stored.")]) from None


def _sqlite_engine(url: str, seconds: float) -> Engine:
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=CONNECTIONS + 1,
        max_overflow=0,
        pool_timeout=seconds,
        json_serializer=_to_json,
        connect_args={"timeout": seconds},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        deadlines.enable_wal(connection, seconds)
        # FULL: acknowledged writes survive a power failure, not just a process crash.
        for pragma in ("synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "checkout")
    def wait_no_longer(
        connection: sqlite3.Connection, record: ConnectionPoolEntry, _: object
    ) -> None:
        _wait_no_longer(connection, record.info, seconds)

    return engine


def _wait_no_longer(connection: sqlite3.Connection, info: dict[Any, Any], seconds: float) -> None:
    """Let a connection wait for SQLite's lock until the deadline at most."""
    left, known = deadlines.remaining(), info.get("busy_timeout", 1000 * seconds)
    milliseconds = int(1000 * (seconds if left is None else left))
    # Setting it for every request would take a tenth of a read's time.
    if abs(milliseconds - known) > _NEARLY_MILLISECONDS:
        connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
        info["busy_timeout"] = milliseconds


def _is_standby(error: BaseException | None) -> bool:
    return isinstance(error, psycopg.errors.ReadOnlySqlTransaction)


def _postgresql_engine(url: str, seconds: float) -> Engine:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: deadlines.connect(url),
        isolation_level="AUTOCOMMIT",
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=seconds,
        json_serializer=_to_json,
    )

    @event.listens_for(engine, "checkin")
    def rest(_: object, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def check(connection: Any, record: ConnectionPoolEntry, _: object) -> None:
        since = record.info.get("idle_since")
        if since is not None and not deadlines.is_usable(connection, time.monotonic() - since):
            raise DisconnectionError  # the pool then opens another connection

    @event.listens_for(engine, "handle_error")
    def leave_standby(context: ExceptionContext) -> None:
        # After a switchover all pooled connections may lead to a server that is now a standby.
        if _is_standby(context.original_exception):
            context.is_disconnect = True

    return engine
