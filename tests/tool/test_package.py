"""The wheel carries the templates, and makes a service far from this repository."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from scaffold import __version__
from tests.tool.conftest import REPOSITORY

# A file system somewhere refuses these in a name, or these as a name.
REFUSED_CHARACTERS = set('<>:"\\|?*')
LONGEST_PATH = 150  # a Windows path has 260, of which site-packages may take 110


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    _run("uv", "build", "--wheel", "--quiet", "--out-dir", str(folder), str(REPOSITORY), cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def _run(*command: str, cwd: Path, **environment: str) -> str:
    kept = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=kept | {"UV_PYTHON": sys.executable, "UV_PYTHON_DOWNLOADS": "never"} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_has_the_templates_as_they_are(wheel: Path) -> None:
    assert wheel.name == f"scaffold_microservices-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as content:
        inside = {
            name.removeprefix("scaffold/source/"): content.read(name)
            for name in content.namelist()
            if name.startswith("scaffold/source/")
        }
    tracked = _run(
        *("git", "ls-files", "-z", "copier.yml", "guidance.toml", "templates"), cwd=REPOSITORY
    )
    for name in filter(None, tracked.split("\0")):
        assert inside[name] == (REPOSITORY / name).read_bytes(), name
    assert not [name for name in inside if "__pycache__" in name]


def test_no_name_in_the_wheel_is_refused_by_a_file_system(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
    assert [name for name in names if REFUSED_CHARACTERS & set(name)] == []
    assert [n for n in names if any(part.endswith((" ", ".")) for part in n.split("/"))] == []
    assert [name for name in names if len(name) > LONGEST_PATH] == []
    assert len({name.lower() for name in names}) == len(names)


def test_an_installed_wheel_makes_a_service_anywhere(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, which sees the dependencies of this one."""
    environment = tmp_path / "environment"
    _run("uv", "venv", "--quiet", str(environment), cwd=tmp_path)
    python = str(environment / "bin" / "python")
    _run("uv", "pip", "install", "--quiet", "--no-deps", "-p", python, str(wheel), cwd=tmp_path)
    site = next((environment / "lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = str(environment / "bin" / "scaffold")
    shown = _run(python, "-c", "import scaffold; print(scaffold.__file__)", cwd=elsewhere)
    assert Path(shown.strip()).is_relative_to(site)
    _run(command, "new", "my-svc", "--defaults", "--no-lock", "--no-git", cwd=elsewhere)
    assert (elsewhere / "my-svc" / "pyproject.toml").exists()
    answers = (elsewhere / "my-svc" / ".copier-answers.yml").read_text()
    assert str(tmp_path) not in answers
    assert f'_commit: "v{__version__}"' in answers
