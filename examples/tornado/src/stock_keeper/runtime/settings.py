"""Configuration: read from the environment once, checked before anything starts."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode

from .. import DEFAULT_DATABASE_URL


class BadSetting(Exception):
    """A variable of the environment that cannot be used; the message names it, never its value."""


def _known_database(url: str) -> str:
    if url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        return url
    if url.startswith("postgresql://") and _has_valid_port(url):
        return url
    raise ValueError("must be sqlite:///path or postgresql://user:password@host:port/name")


def _has_valid_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _split(hosts: object) -> object:
    if not isinstance(hosts, str):
        return hosts
    return tuple(host.strip().lower() for host in hosts.split(",") if host.strip())


def _lower(level: object) -> object:
    return level.lower() if isinstance(level, str) else level


class Settings(BaseSettings):
    """Every setting is the environment variable of the same name in capitals."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    log_level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(_lower)
    ] = "info"
    database_url: Annotated[str, AfterValidator(_known_database), Field(repr=False)] = (
        DEFAULT_DATABASE_URL
    )
    # libpq waits two seconds for a connection at the least, so a shorter promise could not be kept.
    database_timeout_seconds: Annotated[float, Field(ge=2, le=300, allow_inf_nan=False)] = 5
    max_body_bytes: Annotated[int, Field(ge=1)] = 1_048_576
    drain_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 0
    allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()

    @property
    def on_sqlite(self) -> bool:
        """Whether the data lies in a file beside the service."""
        return self.database_url.startswith("sqlite:")


def load_settings() -> Settings:
    """The settings of this process; `BadSetting` names each variable that is wrong, on one line."""
    try:
        return Settings()
    except ValidationError as error:
        problems = (
            f"{str(problem['loc'][0]).upper()}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise BadSetting("; ".join(problems)) from None
