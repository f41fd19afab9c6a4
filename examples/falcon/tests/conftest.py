import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx
import psycopg
import pytest

from stock_keeper.app import create_app
from stock_keeper.runtime.database import Database
from stock_keeper.settings import Settings

ClientOf = Callable[[Settings], AbstractContextManager[httpx.Client]]
POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL")


@contextmanager
def postgresql_schema() -> Iterator[str]:
    """A new schema on a running server, as a DATABASE_URL; dropped afterwards."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(str(POSTGRES_URL), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
        try:
            joint = "&" if "?" in str(POSTGRES_URL) else "?"
            yield f"{POSTGRES_URL}{joint}options={quote(f'-csearch_path={name}')}"
        finally:
            connection.execute(f"DROP SCHEMA {name} CASCADE".encode())


def forget_settings(environment: pytest.MonkeyPatch) -> None:
    """Unset every variable that the service reads, in whatever case it is written."""
    for name in tuple(os.environ):
        if name.lower() in Settings.model_fields:
            environment.delenv(name)


@pytest.fixture(autouse=True, scope="session")
def plain_environment() -> Iterator[None]:
    """Keep the shell's settings from reaching the service."""
    with pytest.MonkeyPatch.context() as environment:
        forget_settings(environment)
        yield


@pytest.fixture(params=["sqlite", *(["postgresql"] if POSTGRES_URL else [])])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database: a file, and a schema of TEST_POSTGRES_URL too if that is set."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
    else:
        with postgresql_schema() as url:
            yield url


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(database_url=database_url, database_timeout_seconds=2)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file: copying it is faster than migrating each database."""
    path = tmp_path_factory.mktemp("migrated") / "test.db"
    database = Database(Settings(database_url=f"sqlite:///{path}"))
    database.migrate()
    database.close()
    return path


@pytest.fixture
def database(settings: Settings, migrated_file: Path) -> Iterator[Database]:
    """A migrated database."""
    if settings.on_sqlite:
        path = Path(settings.database_url.removeprefix("sqlite:///"))
        path.write_bytes(migrated_file.read_bytes())
    database = Database(settings)
    if not settings.on_sqlite:
        database.migrate()
    yield database
    database.close()


@contextmanager
def connect(settings: Settings) -> Iterator[httpx.Client]:
    """A client of a service with these settings, in this process."""
    app = create_app(settings)
    with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://test") as client:
        yield client
    app.database.close()


@pytest.fixture
def client_of() -> ClientOf:
    """Makes a client of a service with other settings, or without a schema."""
    return connect


@pytest.fixture
def client(settings: Settings, database: object) -> Iterator[httpx.Client]:
    with connect(settings) as client:
        yield client
