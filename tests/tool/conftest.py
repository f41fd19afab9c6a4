"""A checkout with small templates of its own, and the command run in it as a user runs it."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scaffold.catalog import catalog
from tests.tool import warm
from tests.tool.invented import READ_US

if TYPE_CHECKING:
    from tests.tool.lineage import Lineage

REPOSITORY = Path(__file__).parents[2]
# Real data, small templates: one framework from each end of the ranking has a template.
WITH_TEMPLATE = ("flask", "tornado", "flask_restful")
PROJECT = {
    ".copier-answers.yml.jinja": '{% include "templates/shared/.copier-answers.yml.jinja" %}\n',
    "README.md.jinja": "# {{ name }}\n",
    "about.json.jinja": (
        '{"name": {{ name | to_json }},'
        ' "description": {{ description | to_json(ensure_ascii=false) }},'
        ' "author": {{ author | to_json(ensure_ascii=false) }}}\n'
    ),
    "src/{{ package_name }}/__init__.py": "",
    "src/{{ package_name }}/{% if 'auth' in with %}auth.py{% endif %}": "",
    "src/{{ package_name }}/app.py.jinja": "DATABASE = {{ database | to_json }}\n",
    "{% if ci == 'github' %}.github{% endif %}/ci.yml": "on: push\n",
}


@dataclass(frozen=True)
class Ran:
    """A finished run of the command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Checkout:
    """A copy of the tool with templates of the test's own."""

    root: Path
    own_code: bool = False  # whether the code in `root` is another than the repository's

    @property
    def environment(self) -> dict[str, str]:
        keep = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")
        base = {key: os.environ[key] for key in keep if key in os.environ}
        return base | {"PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-P", "-m", "scaffold"]

    def scaffold(self, *arguments: str, cwd: Path, **environment: str) -> Ran:
        """Runs the command without a terminal; begun anew only where Python's own start matters."""
        if self.own_code or any(name.startswith(warm.READ_AT_THE_START) for name in environment):
            return self.anew(*arguments, cwd=cwd, **environment)
        return self.warm(arguments, cwd, self.environment | environment)

    def warm(
        self,
        arguments: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str],
        seconds: float = 60,
        **how: Any,
    ) -> Ran:
        """Runs the command without a terminal and without its start; see `warm.Warm.run`."""
        with (
            open(os.devnull) as given,  # noqa: PTH123
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            streams = (given.fileno(), out.fileno(), err.fileno())
            run = warm.started().run(self.root, arguments, cwd, environment, streams, **how)
            code = run.wait(seconds)
            out.seek(0)
            err.seek(0)
            return self._ran(code, out.read().decode(), err.read().decode())

    def anew(self, *arguments: str, cwd: Path, **environment: str) -> Ran:
        """Runs the command without a terminal, from the start of Python on."""
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=cwd,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        return self._ran(done.returncode, done.stdout, done.stderr)

    @staticmethod
    def _ran(code: int, out: str, err: str) -> Ran:
        assert "Traceback" not in err, err
        return Ran(code, out, err)

    def new(self, *arguments: str, cwd: Path, **environment: str) -> Ran:
        """`scaffold new` without the lock and the repository, which need uv and git."""
        return self.scaffold("new", *arguments, "--no-lock", "--no-git", cwd=cwd, **environment)


def make_checkout(root: Path) -> Checkout:
    # With what is compiled of it, and the rest compiled once and not in each run.
    shutil.copytree(REPOSITORY / "scaffold", root / "scaffold")
    shutil.copytree(REPOSITORY / "skills", root / "skills")
    compileall.compile_dir(root / "scaffold", quiet=1)
    tables = [f"templates/{name}.toml" for name in ("taken", "refused", "resource_names", "matrix")]
    for name in ("copier.yml", "guidance.toml", *tables):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, root / name)
    _choices(root / "copier.yml")
    for name in READ_US:
        target = root / "templates" / name
        target.mkdir()
        shutil.copy(REPOSITORY / "templates" / name / "framework.toml", target)
    shared = root / "templates" / "shared"
    shared.mkdir()
    shutil.copy(REPOSITORY / "templates/shared/.copier-answers.yml.jinja", shared)
    for framework in WITH_TEMPLATE:
        write(root / "templates" / framework / "project", PROJECT)
    return Checkout(root)


def _choices(questions: Path) -> None:
    """Offers the frameworks that have a template here in place of the repository's."""
    head, found, rest = questions.read_text().partition("  default: flask\n  choices:\n")
    assert found, "copier.yml has another shape now"
    kept = rest[rest.index("\n\n") :]
    offered = "".join(f"    - {framework}\n" for framework in WITH_TEMPLATE)
    questions.write_text(head + found + offered + kept.lstrip("\n").join(["\n", ""]))


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="session", autouse=True)
def _no_process_is_left() -> Iterator[None]:
    with warm.ended_after():
        yield


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return make_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def lineage(tmp_path_factory: pytest.TempPathFactory) -> Lineage:
    """Three releases of small templates, each installed as a wheel installs it."""
    from tests.tool.lineage import make_lineage

    return make_lineage(tmp_path_factory.mktemp("lineage"))


@pytest.fixture(scope="session")
def made(lineage: Lineage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a service of each release, named as the release; none is in a repository."""
    folder = tmp_path_factory.mktemp("made")
    for version, tool in lineage.installed.items():
        ran = tool.new("my-svc", "--framework", "flask", cwd=folder)
        assert ran.code == 0, ran.err
        (folder / "my-svc").rename(folder / version)
    return folder


@pytest.fixture(scope="session")
def known() -> catalog.Catalog:
    """The catalog of this repository."""
    return catalog.load(REPOSITORY)


@pytest.fixture(scope="session")
def small(checkout: Checkout) -> catalog.Catalog:
    """The catalog of the checkout with small templates."""
    return catalog.load(checkout.root)
