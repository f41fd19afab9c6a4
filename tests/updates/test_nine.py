"""Each of the nine services goes from one installed version to the next, and stays its owner's."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.test_process import without_network
from tests.services import NAME, PACKAGE, REPOSITORY, frameworks, uv, uv_environment
from tests.tool.lineage import commit, git
from tests.updates.releases import VERSIONS, Tool, make_tools, own_file

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = VERSIONS
# What shows that a service works: it is healthy, items can be made, read, replaced and removed,
# and errors are problems.
SMOKE = "H1,R1,R3,E1"
OWN_CODE = '\n\ndef owned() -> str:\n    return "The owner\'s."\n'
OWN_TEST = (
    f"from {PACKAGE} import own\n\n\n"
    "def test_what_the_owner_wrote_is_there() -> None:\n"
    "    assert own.ANSWER == 42\n"
)
OWN_LABEL = '\nLABEL org.opencontainers.image.vendor="The owner"\n'
CLASH = "# The owner has words of their own here.\n"


@dataclass(frozen=True)
class Service:
    framework: str
    folder: Path

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    @property
    def routes(self) -> str:
        """The framework's own file."""
        return own_file(self.folder).relative_to(self.folder).as_posix()

    def append(self, name: str, text: str) -> None:
        (self.folder / name).write_text(self.text(name) + text)


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tool]:
    return make_tools(tmp_path_factory.mktemp("releases"))


def chosen(config: pytest.Config) -> list[str]:
    return [f for f in config.getoption("framework").split(",") if f] or frameworks()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("framework", chosen(metafunc.config))


def test_a_service_is_brought_from_release_to_release(
    tools: dict[str, Tool], framework: str, tmp_path: Path
) -> None:
    service = make(tools[FIRST], framework, tmp_path)
    own(service)
    with conflicting(service, tmp_path / "second") as other:
        update(tools[SECOND], service, FIRST, SECOND)
        assert first_line(service, "Dockerfile") == "# The second release."
        assert "# The second release." in service.text(service.routes)
        assert (service.folder / "second.md").exists()
        assert_owned_and_working(service)
        assert_conflict(tools[SECOND], other)
    update(tools[THIRD], service, SECOND, THIRD)
    assert first_line(service, "Dockerfile") == "# The third release."
    assert "# The third release." in service.text(service.routes)
    assert not (service.folder / "second.md").exists()
    assert service.text("third.md") == "The tier is standard.\n"
    assert_owned_and_working(service)


def make(tool: Tool, framework: str, folder: Path) -> Service:
    """A service whose lock is made afterwards: that needs an index, and the tool has no network."""
    made = tool.run(folder, "new", NAME, "--framework", framework, "--no-lock", "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["version"] == f"v{FIRST}"
    service = Service(framework, folder / NAME)
    uv(service.folder, "sync")
    commit(service.folder, "Lock")
    assert git(service.folder, "status", "--porcelain") == ""
    return service


def own(service: Service) -> None:
    """What an owner does: edits a shared file and the framework's, adds a file, removes one."""
    service.append("Dockerfile", OWN_LABEL)
    service.append(service.routes, OWN_CODE)
    (service.folder / "src" / PACKAGE / "own.py").write_text("ANSWER = 42\n")
    (service.folder / "tests" / "test_own.py").write_text(OWN_TEST)
    (service.folder / "AGENTS.md").unlink()
    commit(service.folder, "What the owner made of it")


def update(tool: Tool, service: Service, before: str, after: str) -> None:
    ran = tool.run(service.folder, "update", "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout)
    assert (told["from"], told["to"], told["conflicts"]) == (f"v{before}", f"v{after}", [])
    assert [change["items"] for change in told["changes"]] == [[f"What {after} brings."]]
    commit(service.folder, "Update")
    checked = tool.run(service.folder, "check", "--versions", ".")
    assert checked.returncode == 0, checked.stdout


def assert_owned_and_working(service: Service) -> None:
    assert service.text("Dockerfile").endswith(OWN_LABEL)
    assert service.text(service.routes).endswith(OWN_CODE)
    assert not (service.folder / "AGENTS.md").exists()
    tests = subprocess.run(
        without_network(["uv", "run", "--offline", "--no-sync", "pytest", "-q"]),
        cwd=service.folder,
        env=uv_environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout[-4000:] + tests.stderr[-2000:]
    assert re.search(r"\d+ passed", tests.stdout), tests.stdout
    assert_smoke(service)


def assert_smoke(service: Service) -> None:
    """The contract's own tests of the lines of SMOKE, against the service as it is."""
    own_tests = {"PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_CURRENT_TEST"}
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "tests/contract", "-q", "-p", "no:randomly"),
            *("--framework", service.framework, "--database", "sqlite", "--line", SMOKE),
            *("--project", f"{service.framework}={service.folder}"),
        ],
        cwd=REPOSITORY,
        env={name: value for name, value in os.environ.items() if name not in own_tests},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-6000:]
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed, ran.stdout
    assert int(passed[1]) > 50, ran.stdout[-500:]


@contextmanager
def conflicting(service: Service, folder: Path) -> Iterator[Service]:
    """A copy whose owner changed the very line that the second release changes."""
    ignored = shutil.ignore_patterns(".venv", "__pycache__")
    other = Service(service.framework, folder / NAME)
    shutil.copytree(service.folder, other.folder, ignore=ignored)
    (other.folder / "Dockerfile").write_text(CLASH + other.text("Dockerfile"))
    commit(other.folder, "A line of the template, said otherwise")
    yield other


def assert_conflict(tool: Tool, service: Service) -> None:
    ran = tool.run(service.folder, "update", "--json")
    assert ran.returncode == 4, ran.stdout + ran.stderr
    assert [conflict["file"] for conflict in json.loads(ran.stdout)["conflicts"]] == ["Dockerfile"]
    text = service.text("Dockerfile")
    assert text.index("<<<<<<< ") < text.index(CLASH) < text.index("\n=======\n")
    assert text.index("\n=======\n") < text.index("# The second release.") < text.index(">>>>>>> ")
    assert git(service.folder, "diff", "--name-only", "--diff-filter=U").split() == ["Dockerfile"]
    assert not list(service.folder.rglob("*.rej"))
    assert service.text(service.routes).endswith(OWN_CODE)


def first_line(service: Service, name: str) -> str:
    return service.text(name).splitlines()[0]
