"""Services of their owners: a rendered project, changed, and served from the changed source."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.contract.conftest import (  # noqa: F401
    amqp_url,
    arrange,
    column_of,
    framework,
    machine,
    new_database,
    postgres_admin_url,
    projects,
    pytest_itemcollected,
    selected_frameworks,
    selected_targets,
    target,
)
from tests.contract.databases import Database
from tests.owner.case import Case
from tests.services import (
    PACKAGE,
    Project,
    Projects,
    Service,
    features,
    frameworks,
    plain_environment,
    uv_environment,
)

# Of so many frameworks, one has a case asked every day; the others at night.
EVERY_DAY = 10


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    others = [item for item in items if item.path.parent == folder and is_of_another(item)]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]
    arrange(config, items, folder)


def is_of_another(item: pytest.Item) -> bool:
    """Whether the test is about another framework than the one that it would run for.

    `test_sanic.py` is about Sanic alone, and a test `without` a feature about those that lack it.
    """
    tested = column_of(item).partition("-")[0]
    subject = item.path.stem.removeprefix("test_")
    without = {name for marker in item.iter_markers("without") for name in marker.args}
    other = subject in frameworks() and subject != tested
    return other or bool(without & features(tested))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        pairs = [
            pytest.param(
                t, case, id=f"{case}-{t}", marks=marks_of(case, t.framework, metafunc.config)
            )
            for t in selected_targets(metafunc.config)
            for case in cases_of(t.framework)
        ]
        metafunc.parametrize(("target", "case"), pairs, indirect=["target"], scope="session")
    elif "target" in metafunc.fixturenames:
        targets = selected_targets(metafunc.config)
        metafunc.parametrize("target", targets, ids=str, indirect=True, scope="session")
    elif "framework" in metafunc.fixturenames:
        names = selected_frameworks(metafunc.config)
        metafunc.parametrize("framework", names, indirect=True, scope="session")


def marks_of(case: Case, name: str, config: pytest.Config) -> list[pytest.MarkDecorator]:
    """The lines that it proves; of all frameworks a tenth is asked every day, in turn."""
    marks = [pytest.mark.contract(*case.line.split())]
    known = frameworks()
    names = sorted({str(one) for other in known for one in cases_of(other)})
    turn = known.index(name) + names.index(str(case))
    of_all = selected_frameworks(config) == known
    return [*marks, pytest.mark.slow] if of_all and turn % EVERY_DAY else marks


def cases_of(name: str) -> list[Case]:
    """What the owners of this framework's services do; empty if nobody has written it down."""
    module = f"tests.owner.cases.{name}"
    if importlib.util.find_spec(module) is None:
        return []
    cases: list[Case] = importlib.import_module(module).CASES
    return cases


class OwnedProject:
    """A project after a change. It shares the environment of the one that it was copied from."""

    def __init__(self, origin: Project, folder: Path, case: Case, extras: Path | None) -> None:
        self.folder = folder
        self.case = case
        paths = [folder / "src", *([extras] if extras else [])]
        variables = {"PYTHONPATH": ":".join(map(str, paths)), **case.environment}
        self.project = Project(origin.framework, folder, {**origin.surroundings, **variables})
        self.python = origin.python

    def run(
        self, *arguments: str, environment: dict[str, str] | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run Python in the changed project, such as `-m pytest` or `-m alembic check`."""
        return subprocess.run(
            [self.python, *arguments],
            cwd=self.folder,
            env=plain_environment() | dict(self.project.surroundings) | (environment or {}),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    @contextlib.contextmanager
    def served(self, database: Database, **environment: str) -> Iterator[Service]:
        """Migrate a database and serve on it; on SQLite serving does both."""
        settings = {"DATABASE_URL": database.url, **environment}
        if database.kind != "sqlite":
            migrated = self.run("-m", PACKAGE, "migrate", environment=settings)
            assert migrated.returncode == 0, migrated.stdout + migrated.stderr
        command = (self.python, "-m", PACKAGE)
        with self.project.service(settings, command=command) as service:
            yield service

    @contextlib.contextmanager
    def client(self, database: Database, **environment: str) -> Iterator[httpx.Client]:
        with self.served(database, **environment) as service:
            try:
                yield service.http
            except AssertionError:
                print(service.output[-4000:])
                raise


@pytest.fixture
def own(
    projects: Projects,  # noqa: F811
    tmp_path: Path,
) -> Callable[[str, Case], OwnedProject]:
    """Makes the change of a case in a copy of a framework's project."""

    def make(name: str, case: Case) -> OwnedProject:
        origin = projects.get(name)
        folder = tmp_path / "owned"
        ignored = shutil.ignore_patterns(".venv", "__pycache__", ".*_cache", "*.db*")
        shutil.copytree(origin.folder, folder, ignore=ignored)
        case.apply(folder)
        return OwnedProject(origin, folder, case, extras(projects, origin, case))

    return make


def extras(installed: Projects, origin: Project, case: Case) -> Path | None:
    """A folder with the packages of a case, installed once for a framework."""
    if not case.packages:
        return None
    digest = hashlib.sha256(" ".join(sorted(case.packages)).encode()).hexdigest()[:12]
    installed.folder.mkdir(parents=True, exist_ok=True)  # nothing is in it if projects are given
    folder = installed.folder / f"{origin.framework}-extras-{digest}"
    with (installed.folder / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            frozen = subprocess.run(
                ["uv", "pip", "freeze", "--python", origin.python, "--exclude-editable"],
                env=uv_environment(),
                capture_output=True,
                text=True,
                check=True,
            )
            constraints = installed.folder / f"{folder.name}.txt"
            constraints.write_text(frozen.stdout)
            command = ["uv", "pip", "install", "--quiet", "--python", origin.python]
            command += ["--constraints", str(constraints), "--target", str(folder)]
            subprocess.run([*command, *case.packages], env=uv_environment(), check=True)
    return folder
