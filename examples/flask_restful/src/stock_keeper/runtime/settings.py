"""Settings: read from the environment and validated before anything starts."""

import re
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode
from pydantic_settings import SettingsError as UnreadableSetting

from .. import DEFAULT_DATABASE_URL

if TYPE_CHECKING:
    from .. import settings


class SettingsError(Exception):
    """An environment variable is invalid; the message has its name, but never its value."""


def _known_database(url: str) -> str:
    if url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        return url
    if url.startswith("postgres://"):  # as some platforms write it
        url = url.replace("postgres:", "postgresql:", 1)
    if url.startswith("postgresql://") and _has_valid_port(url):
        _check_parameters(url)
        return url
    raise ValueError("must be sqlite:///path or postgresql://user:password@host:port/name")


def _check_parameters(url: str) -> None:
    """Reject parameters unknown to libpq, such as ?schema=, instead of failing at each request."""
    from psycopg import ProgrammingError  # noqa: PLC0415  only beside PostgreSQL
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        conninfo_to_dict(url)
    except ProgrammingError as error:
        unknown = re.search(r'query parameter: "(\w+)"', str(error))
        named = f"has an unknown parameter, {unknown[1]}" if unknown else "cannot be parsed"
        raise ValueError(named) from None


def _known_direct(url: str | None) -> str | None:
    if url and (not url.startswith("postgresql://") or not _has_valid_port(url)):
        raise ValueError("must be postgresql://user:password@host:port/name")
    return url or None


def _has_valid_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _split(hosts: object) -> object:
    if not isinstance(hosts, str):
        return hosts
    return tuple(host.strip().lower() for host in hosts.split(",") if host.strip())


def _known_prefix(path: str) -> str:
    if not re.fullmatch(r"(/[\w.~-]+)*/?", path, re.ASCII):
        raise ValueError("must be a path such as /shop")
    return path.removesuffix("/")


def _lower(level: object) -> object:
    return level.lower() if isinstance(level, str) else level


class Settings(BaseSettings):
    """Each field is read from the environment variable of the same name in upper case."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    log_level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(_lower)
    ] = "info"
    log_format: Annotated[Literal["json", "text", "auto"], BeforeValidator(_lower)] = "auto"
    database_url: Annotated[str, AfterValidator(_known_database), Field(repr=False)] = (
        DEFAULT_DATABASE_URL
    )
    # For operations that need their own session, if DATABASE_URL leads to a pooler.
    database_direct_url: Annotated[str | None, AfterValidator(_known_direct), Field(repr=False)] = (
        None
    )
    # libpq waits at least two seconds for a connection, so a shorter limit could not be met.
    database_timeout_seconds: Annotated[float, Field(ge=2, le=300, allow_inf_nan=False)] = 5
    max_body_bytes: Annotated[int, Field(ge=1)] = 1_048_576
    # How long a connection may be idle: longer than a load balancer keeps it.
    keepalive_seconds: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] = 75
    drain_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 0
    # Number of serving processes, each with its own connections to the database.
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    # The path prefix that a proxy strips before it passes a request on.
    root_path: Annotated[str, AfterValidator(_known_prefix)] = ""

    @property
    def on_sqlite(self) -> bool:
        """Whether the data is in an SQLite file."""
        return self.database_url.startswith("sqlite:")

    @property
    def database_label(self) -> str:
        """The address of the database without a user, a password or parameters."""
        parts = urlsplit(self.database_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def direct_url(self) -> str:
        """The database's address without a pooler: for migrations and for the stream."""
        return self.database_direct_url or self.database_url


def load_settings() -> "settings.Settings":
    """Read the settings of the service; `SettingsError` names all bad variables on one line."""
    # Imported here because it is derived from the class above.
    from .. import settings  # noqa: PLC0415

    try:
        return settings.Settings()
    except ValidationError as error:
        problems = (
            f"{str((problem['loc'] or ('settings',))[0]).upper()}: "
            f"{problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise SettingsError("; ".join(problems)) from None
    except UnreadableSetting as error:  # a list or mapping with invalid JSON
        raise SettingsError(str(error)) from None
