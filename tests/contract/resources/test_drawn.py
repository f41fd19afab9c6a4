"""A service of whatever is declared is whole: linted, typed, migrated, tested, within the contract.

`--draws` says how many declarations are drawn, `--draw-seed` where to begin; a failure tells its
declaration as options of `scaffold new` and of `pytest tests/contract/resources`.
"""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.contract.conftest import Projects
from tests.contract.databases import Database, PostgresDatabase, SqliteDatabase
from tests.contract.drawn import DrawnService, drawn

pytestmark = [
    pytest.mark.slow,
    pytest.mark.contract("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R9", "O5", "D6"),
]


def new_database(request: pytest.FixtureRequest, kind: str, folder: Path) -> Database:
    if kind == "sqlite":
        return SqliteDatabase(folder / f"{uuid.uuid4().hex[:8]}.db")
    admin_url = request.getfixturevalue("postgres_admin_url")
    return PostgresDatabase.create(admin_url, f"drawn_{uuid.uuid4().hex[:8]}")


def test_a_drawn_service_is_whole(
    request: pytest.FixtureRequest,
    framework: str,
    draw: int,
    projects: Projects,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    option = request.config.getoption
    resources = drawn(option("draws"), option("draw_seed"))[draw]
    databases = [name for name in option("database").split(",") if name]
    kind = databases[draw % len(databases)]
    lender = projects.get(framework)
    own_tests: dict[str, str] = {}
    environment: dict[str, str] = {}
    if kind == "postgresql":
        environment["TEST_POSTGRES_URL"] = request.getfixturevalue("postgres_admin_url")
        own_tests["TEST_POSTGRES_URL"] = new_database(request, kind, tmp_path).url
    folder = tmp_path_factory.getbasetemp() / "drawn" / framework
    service = DrawnService.made(folder, resources, lender, environment)
    found = list(service.complaints(new_database(request, kind, tmp_path), own_tests))
    if found:
        report = "\n\n".join([service.replay(), f"on {kind}", *found])
        pytest.fail(report, pytrace=False)
