"""A service of Flask that each test changes a copy of."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from jinja2.sandbox import SandboxedEnvironment

from scaffold.making import render
from tests.contract.databases import PostgresDatabase, SqliteDatabase
from tests.growing.services import Service, made
from tests.servers import any_postgres_url

DECLARED = ("room name:str:1..100:unique seats:int:1..500:default=2", "booking room:ref")
OWNED = (
    "room name:str:1..100:unique seats:int:1..500:default=2",
    "booking room:ref guest:email paid:bool:default=false:filter",
)


@pytest.fixture(scope="package", autouse=True)
def _compiled_once() -> Iterator[None]:
    """Templates are compiled once for all tests here, which takes half of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SandboxedEnvironment, "compile", SandboxedEnvironment.compile)
        render.compile_once()
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return made(tmp_path_factory.mktemp("born"), "flask", DECLARED)


@pytest.fixture(scope="session")
def born(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Service]:
    """A service of a framework, made once."""
    known: dict[str, Service] = {}

    def service_of(framework: str) -> Service:
        if framework not in known:
            folder = tmp_path_factory.mktemp(framework)
            known[framework] = made(folder, framework, OWNED)
        return known[framework]

    return service_of


@pytest.fixture
def service(template: Service, tmp_path: Path) -> Service:
    return Service(Path(shutil.copytree(template.folder, tmp_path / "hotel")))


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[SqliteDatabase | PostgresDatabase]:
    """An empty one."""
    with ExitStack() as stack:
        if request.param == "postgresql":
            admin = stack.enter_context(any_postgres_url())
            yield PostgresDatabase.create(admin, f"grow_{uuid.uuid4().hex[:12]}")
        else:
            yield SqliteDatabase(tmp_path / "hotel.db")
