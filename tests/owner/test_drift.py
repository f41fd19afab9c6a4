"""O14: what belongs to the owner is no drift, and what the template maintains is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import NAME, PACKAGE, REPOSITORY, plain_environment

pytestmark = pytest.mark.contract("O14")

OWNED = [
    "README.md",
    "AGENTS.md",
    "pyproject.toml",
    "tests/conftest.py",
    "deploy/README.md",
    f"src/{PACKAGE}/app.py",
    f"src/{PACKAGE}/settings.py",
    f"src/{PACKAGE}/health.py",
    f"src/{PACKAGE}/items/__init__.py",
]
MAINTAINED = [".dockerignore", "Dockerfile", f"src/{PACKAGE}/runtime/http.py"]


def scaffold(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "scaffold", *arguments],
        cwd=folder,
        env=plain_environment() | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )


def drift(folder: Path) -> tuple[int, list[str]]:
    ran = scaffold("check", NAME, "--json", folder=folder)
    (service,) = json.loads(ran.stdout)["services"]
    assert service["problem"] is None
    return ran.returncode, [one["file"] for one in service["drift"]]


@pytest.fixture
def made(framework: str, tmp_path: Path) -> Path:
    """A folder with a new service of the framework."""
    options = ("--defaults", "--no-lock", "--no-git")
    ran = scaffold("new", NAME, "--framework", framework, *options, folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    return tmp_path


@pytest.mark.any_framework("flask")
def test_what_the_readme_calls_yours_is_no_drift(made: Path) -> None:
    for name in OWNED:
        with (made / NAME / name).open("a") as file:
            file.write("\n")
    (made / NAME / "tests/test_items.py").unlink()
    (made / NAME / f"src/{PACKAGE}/rooms.py").write_text('"""Added."""\n')
    assert drift(made) == (0, [])


@pytest.mark.any_framework("flask")
def test_what_the_template_maintains_is_drift(made: Path) -> None:
    for name in MAINTAINED:
        with (made / NAME / name).open("a") as file:
            file.write("\n")
    assert drift(made) == (5, MAINTAINED)
