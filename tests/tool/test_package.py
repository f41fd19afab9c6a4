"""The wheel carries the templates, and makes a service far from this repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from scaffold import __version__
from scaffold.catalog import history
from tests.tool.conftest import REPOSITORY
from tests.tool.invented import measured

# A file system somewhere refuses these in a name, or these as a name.
REFUSED_CHARACTERS = set('<>:"\\|?*')
DEVICES = {"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(10)}
LONGEST_PATH = 200  # a Windows path has 260 unless long ones are enabled


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
        *("git", "ls-files", "-z", "copier.yml", "guidance.toml", "measured.json", "templates"),
        cwd=REPOSITORY,
    )
    for name in filter(None, tracked.split("\0")):
        assert inside[name] == (REPOSITORY / name).read_bytes(), name
    assert not [name for name in inside if "__pycache__" in name]


@pytest.mark.parametrize("there", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_wheel_has_the_figures_where_its_source_has_them(tmp_path: Path, there: bool) -> None:
    """Also by way of an sdist; a fork may have none, and is built all the same."""
    clone = tmp_path / "clone"
    _run("git", "clone", "--quiet", "--local", str(REPOSITORY), str(clone), cwd=tmp_path)
    (clone / "measured.json").unlink(missing_ok=True)
    if there:
        (clone / "measured.json").write_text(json.dumps(measured()))
    _run("uv", "build", "--quiet", "--out-dir", str(tmp_path / "dist"), str(clone), cwd=tmp_path)
    (built,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(built) as content:
        assert ("scaffold/source/measured.json" in content.namelist()) == there
        if there:
            assert json.loads(content.read("scaffold/source/measured.json")) == measured()


def test_no_name_in_the_wheel_is_refused_by_a_file_system(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
    assert [name for name in names if REFUSED_CHARACTERS & set(name)] == []
    assert [n for n in names if any(part.endswith((" ", ".")) for part in n.split("/"))] == []
    parts = {part.partition(".")[0].lower() for name in names for part in name.split("/")}
    assert parts & DEVICES == set()
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


# ---- the releases that it carries


def _bundle_of(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as content:
        return content.read("scaffold/source/releases.bundle")


@pytest.fixture(scope="module")
def shallow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the last commit alone, as CI often makes it."""
    folder = tmp_path_factory.mktemp("clone") / "shallow"
    address = REPOSITORY.as_uri()
    _run("git", "clone", "--quiet", "--depth", "1", address, str(folder), cwd=folder.parent)
    return folder


def test_the_wheel_carries_every_release_of_the_history(wheel: Path, tmp_path: Path) -> None:
    if _run("git", "rev-parse", "--is-shallow-repository", cwd=REPOSITORY).strip() == "true":
        pytest.skip("the history of this clone is cut")
    carried = tmp_path / "releases.bundle"
    carried.write_bytes(_bundle_of(wheel))
    known = [f"v{release.version}" for release in history.past_releases(REPOSITORY)]
    assert list(history.heads_of(carried)) == [*known, f"v{__version__}"]
    assert len(carried.read_bytes()) < 10_000 * len(known) + 500_000


def test_a_wheel_from_the_sdist_carries_the_same_releases(wheel: Path, tmp_path: Path) -> None:
    """Where there is no history, and inside a repository of somebody else's."""
    _run("git", "init", "--quiet", cwd=tmp_path)
    build = ("uv", "build", "--quiet", "--out-dir", str(tmp_path / "dist"))
    _run(*build, "--sdist", str(REPOSITORY), cwd=tmp_path)
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as content:
        content.extractall(tmp_path / "unpacked", filter="data")
    (folder,) = (tmp_path / "unpacked").iterdir()
    _run(*build, "--wheel", str(folder), cwd=tmp_path)
    (built,) = (tmp_path / "dist").glob("*.whl")
    assert _bundle_of(built) == _bundle_of(wheel)


def test_a_build_from_a_cut_history_fails_and_says_why(shallow: Path, tmp_path: Path) -> None:
    built = subprocess.run(
        ["uv", "build", "--wheel", "--out-dir", str(tmp_path), str(shallow)],
        env=os.environ | {"UV_PYTHON": sys.executable, "UV_PYTHON_DOWNLOADS": "never"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode != 0
    assert "git fetch --unshallow" in " ".join((built.stdout + built.stderr).split())
    assert not list(tmp_path.glob("*.whl"))


@pytest.mark.slow
def test_an_editable_install_works_with_a_cut_history(shallow: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    _run("uv", "venv", "--quiet", str(environment), cwd=tmp_path)
    python = str(environment / "bin" / "python")
    install = ("uv", "pip", "install", "--quiet", "--no-deps", "-p", python)
    _run(*install, "--editable", str(shallow), cwd=tmp_path)
    site = next((environment / "lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    command = str(environment / "bin" / "scaffold")
    where = _run(python, "-P", "-c", "import scaffold; print(scaffold.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(shallow)
    _run(command, "new", "my-svc", "--defaults", "--no-lock", "--no-git", cwd=tmp_path)
    _run(command, "check", "my-svc", cwd=tmp_path)
