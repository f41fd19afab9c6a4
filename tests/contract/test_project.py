"""D6: a fresh project is clean, typed and tested."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scaffold.resources import short_form
from tests.contract.declarations import RICH, SHORT_FORMS, as_data
from tests.servers import any_postgres_url, create_database
from tests.services import EVERYTHING, NAME, Projects, install, render, uv

pytestmark = [pytest.mark.slow, pytest.mark.contract("D6")]

COVERED_PERCENT = 90


@pytest.fixture(scope="module", params=["example", "everything"])
def fresh(
    request: pytest.FixtureRequest,
    framework: str,
    projects: Projects,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A project just rendered and installed: the example, or all that can be asked for."""
    project = tmp_path_factory.mktemp(framework) / NAME
    if request.param == "example":
        projects.fresh(framework, project)
    else:
        resources = as_data(short_form.parse_all(SHORT_FORMS[RICH]))
        render(framework, project, resources=resources, **{"with": [*EVERYTHING]})
    install(project)
    return project


def test_lint_has_nothing_to_say(fresh: Path) -> None:
    uv(fresh, "run", "--offline", "ruff", "check")


def test_the_format_is_settled(fresh: Path) -> None:
    uv(fresh, "run", "--offline", "ruff", "format", "--check")


def test_the_types_are_strict(fresh: Path) -> None:
    uv(fresh, "run", "--offline", "mypy", "--strict")


def test_own_tests_cover_the_service(fresh: Path, tmp_path: Path) -> None:
    report = tmp_path / "coverage.json"
    with any_postgres_url() as admin_url:
        url = create_database(admin_url, "own_tests", "own_tests", "own")
        uv(
            fresh,
            *("run", "--offline", "pytest", "-q", "--cov", f"--cov-report=json:{report}"),
            TEST_POSTGRES_URL=url,
        )
    covered = json.loads(report.read_text())["totals"]["percent_covered"]
    assert covered >= COVERED_PERCENT, f"{covered:.1f} %"
