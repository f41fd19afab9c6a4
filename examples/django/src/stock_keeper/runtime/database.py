"""The database under Django: bounded, pooled connections, and the state of its schema."""

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import django
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import (
    DEFAULT_DB_ALIAS,
    DataError,
    Error,
    IntegrityError,
    connection,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from psycopg.conninfo import conninfo_to_dict

from . import Unavailable, deadlines
from .deadlines import Bulkhead
from .locks import LOCK_SECONDS, patiently
from .outages import Outages, count_unexpected
from .probe import Probe
from .settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from ..settings import Settings as ServiceSettings

CONNECTIONS: Final = 10
READINESS_SECONDS: Final = 2.0
_MAX_SAVED_ROWS: Final = 1000
_PACKAGE = __name__.partition(".")[0]
_MIGRATION_LOCK = 7_061_644_215_716_937  # any number, as long as every replica uses the same one


_POOLED = (
    "DATABASE_DIRECT_URL: must lead to PostgreSQL itself, because DATABASE_URL leads to a pooler"
    " and a migration needs a session of its own"
)

_given: list["ServiceSettings"] = []


class Pool:
    """A process's connections to one database, with limits for those in use and those idle."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self.outages = Outages(django_settings.SERVICE.database_url)
        self.probe = Probe(connect, self.outages)
        self.users = Bulkhead(CONNECTIONS, self.probe.answers)
        # For SQLite, which has one writer at a time.
        self.writers = Bulkhead(1, self.probe.answers)
        self._idle: list[tuple[Any, float]] = []  # with the time since which they have been idle

    def take(self) -> tuple[Any, float] | None:
        """An idle connection, and for how many seconds it was idle; or None."""
        try:
            connection, since = self._idle.pop()
        except IndexError:
            return None
        return connection, time.monotonic() - since

    def keep(self, idle: Any) -> bool:
        """Keep a connection for reuse, unless there are enough."""
        enough = len(self._idle) >= CONNECTIONS
        if not enough:
            self._idle.append((idle, time.monotonic()))
        return not enough

    def clear(self) -> None:
        """Close every connection that is not in use."""
        while idle := self.take():
            idle[0].close()

    def close(self) -> None:
        """Close the connection of the probe too."""
        self.clear()
        self.probe.close()


_pools: dict[tuple[str, ...], Pool] = {}


class PooledWrapper(BaseDatabaseWrapper):
    """Mixin for Django's backends: a thread has a connection only from its first query to `close`.

    Each connection takes one of the pool's slots, so everything that uses the database through
    Django is limited, including the admin and sessions.
    """

    shared: Pool
    _place: Bulkhead | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # The rows saved in the current transaction, which explain why its commit fails.
        self.saved_rows: deque[Any] = deque(maxlen=_MAX_SAVED_ROWS)

    def find_pool(self) -> Pool:
        """The pool of all threads whose connections have these settings."""
        names = ("NAME", "HOST", "PORT", "USER", "OPTIONS")
        key = tuple(str(self.settings_dict[name]) for name in names)
        return _pools.get(key) or _pools.setdefault(key, Pool(self.copy().open_apart))

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self.shared = self.find_pool()
        self.take_place(self.shared.users)
        try:
            return self._used_before() or self.open(conn_params)
        except BaseException:
            self.give_place_back(finished=False)
            raise

    def _used_before(self) -> Any:
        while idle := self.shared.take():
            connection, seconds = idle
            if self.is_still_open(connection, seconds):
                return connection
            connection.close()
        return None

    def is_still_open(self, idle: Any, seconds: float) -> bool:
        """Whether an idle connection is still open."""
        return True

    def open(self, conn_params: dict[str, Any]) -> Any:
        """A new connection."""
        return super().get_new_connection(conn_params)

    def open_apart(self) -> Any:
        """A connection for the probe, without a transaction."""
        return self.open(self.get_connection_params())

    def is_idle(self) -> bool:
        """Whether the connection is open, and in no transaction."""
        raise NotImplementedError

    def _close(self) -> None:
        clean = self.is_idle() and not self.errors_occurred
        if not (clean and self.shared.keep(self.connection)):
            super()._close()  # type: ignore[misc]
        if clean:
            self.shared.outages.worked()
        else:  # whatever closed this connection may have closed the others
            self.shared.clear()
        self.give_place_back(finished=clean)

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]
        except IntegrityError as error:
            error.rows = [*self.saved_rows]  # type: ignore[attr-defined]
            raise
        finally:
            self.saved_rows.clear()

    def _rollback(self) -> None:
        self.saved_rows.clear()
        super()._rollback()  # type: ignore[misc]

    def take_place(self, bulkhead: Bulkhead) -> None:
        """Release this connection's slot, if it has one, and wait for a slot of this pool."""
        self.give_place_back(finished=True)
        bulkhead.acquire()
        self._place = bulkhead

    def give_place_back(self, *, finished: bool) -> None:
        """Release the slot; `finished` says that the database responded."""
        place, self._place = self._place, None
        if place is not None:
            place.release(finished)


class Database:
    """Django's only database, as configured in this process.

    Django keeps its connections in a module, not in an object: a second Database replaces the
    first.
    """

    def __init__(self, settings: Settings) -> None:
        if not django_settings.configured:
            os.environ["DJANGO_SETTINGS_MODULE"] = f"{_PACKAGE}.django_settings"
            _given.append(cast("ServiceSettings", settings))
            django.setup()
        wanted = connection_settings(settings)
        if wanted != connection_settings(django_settings.SERVICE):
            self._use(wanted)
        django_settings.SERVICE = settings
        # The service's middleware logs each request once.
        logging.getLogger("django.request").setLevel(logging.CRITICAL)

    def migrate(self) -> None:
        """Upgrade the schema to the latest migrations, if necessary.

        A migration is tried again if another transaction holds a lock for too long.
        """
        settings = django_settings.SERVICE
        direct = settings.database_direct_url
        if direct:
            self._use(connection_settings(settings, direct))
        try:
            patiently(_migrate)
        finally:
            if direct:
                self._use(connection_settings(settings))

    def _use(self, wanted: dict[str, Any]) -> None:
        self.close()
        with suppress(AttributeError):
            del connections[DEFAULT_DB_ALIAS]
        databases = {**django_settings.DATABASES, DEFAULT_DB_ALIAS: wanted}
        connections.settings = connections.configure_settings(databases)

    @staticmethod
    def checks() -> dict[str, bool]:
        """Check for a readiness probe that the database responds and that the schema is migrated.

        Uses a separate connection, so that a probe does not queue behind requests.
        """
        pool = cast(PooledWrapper, connections[DEFAULT_DB_ALIAS]).find_pool()
        # Migrations unknown to this code are newer: another replica has already migrated.
        return pool.probe.checks(
            READINESS_SECONDS,
            "SELECT app, name FROM django_migrations",
            lambda rows: _newest() <= {*rows},
            pool.clear,
        )

    def close(self) -> None:
        """Close this thread's connection, and every one that is not in use."""
        connections.close_all()
        for pool in _pools.values():
            pool.close()


def given_settings() -> "ServiceSettings":
    """The settings that Django is set up with; Django's own commands read the environment."""
    return _given[-1] if _given else load_settings()


def is_unavailable(error: Error) -> bool:
    """Whether a Django error means that the database is currently unavailable."""
    return deadlines.is_unavailable(error.__cause__)


def notice(error: Exception) -> None:
    """Log why the database is unavailable, or count an error that is a bug."""
    if isinstance(error, Unavailable) or (isinstance(error, Error) and is_unavailable(error)):
        cast(PooledWrapper, connections[DEFAULT_DB_ALIAS]).find_pool().outages.failed(error)
    elif isinstance(error, Error) and not isinstance(error, IntegrityError | DataError):
        count_unexpected()


def connection_settings(settings: Settings, url: str = "") -> dict[str, Any]:
    """An entry of Django's DATABASES, for DATABASE_URL or another address."""
    if settings.on_sqlite:
        return {
            "ENGINE": f"{__package__}.sqlite",
            "NAME": settings.database_url.removeprefix("sqlite:///"),
            "OPTIONS": {
                # A deferred transaction that reads before it writes fails at once under contention.
                "transaction_mode": "IMMEDIATE",
                "timeout": settings.database_timeout_seconds,
                # FULL: acknowledged writes survive a power failure, not just a process crash.
                "init_command": "PRAGMA synchronous = FULL",
            },
        }
    options = conninfo_to_dict(url or settings.database_url)
    user = options.pop("user", "")
    return {
        "ENGINE": f"{__package__}.postgresql",
        "NAME": options.pop("dbname", user),
        "USER": user,
        "PASSWORD": options.pop("password", ""),
        "HOST": options.pop("host", ""),
        "PORT": options.pop("port", ""),
        # A server-side cursor is part of a session, which a pooler shares.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": options,
    }


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Give all database calls inside the block `seconds` in total, then return the connection.

    For your own jobs and threads; requests run in such a block. Raises `Unavailable` if the
    database cannot be reached; all other database errors are Django's.
    """
    try:
        with deadlines.deadline(seconds):
            yield
    except Unavailable as error:
        notice(error)
        raise
    except Error as error:
        notice(error)
        if is_unavailable(error):
            raise Unavailable("the database is unreachable") from error
        raise
    finally:
        for each in connections.all(initialized_only=True):
            if not each.in_atomic_block:  # a test case runs in its own transaction
                each.close()


@cache
def _newest() -> frozenset[tuple[str, str]]:
    """The last migration of each app, by app and name."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def _migrate() -> None:
    with _migrating():
        call_command("migrate", interactive=False, verbosity=0)


@contextmanager
def _migrating() -> Iterator[None]:
    """Wait for any other migration, without a deadline."""
    if connection.vendor == "sqlite":
        with connection.constraint_checks_disabled(), transaction.atomic():
            yield
        return
    with connection.cursor() as cursor:
        if not deadlines.is_direct(cursor.connection):
            raise SettingsError(_POOLED)
        cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
        # Later queries queue behind a migration that waits for a table.
        cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        try:
            yield
        finally:
            cursor.execute("RESET lock_timeout")
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATION_LOCK])
