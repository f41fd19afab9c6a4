"""What is deployed, of every framework and answer: rendered once, read by many tests."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from tests.deployment import boxcheck
from tests.deployment.tools import build_manifests, program, run
from tests.servers import any_amqp_url, missing
from tests.services import TEMPLATES, Projects, frameworks, render, surroundings_of

ANSWERS = (("sqlite", "github"), ("postgresql", "gitlab"))

Manifest = dict[str, Any]
Test = TypeVar("Test", bound=Callable[..., object])


@dataclass(frozen=True)
class Rendering:
    """A rendered service; nothing is installed in it."""

    framework: str
    database: str
    ci: str
    folder: Path

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def load(self, name: str) -> Any:
        return yaml.safe_load(self.read(name))

    @property
    def overlay(self) -> Path:
        return self.folder / "deploy/kubernetes/overlays/production"

    @cached_property
    def manifests(self) -> list[Manifest]:
        """What the production overlay sends to a cluster."""
        return [*yaml.safe_load_all(build_manifests(self.overlay))]

    def with_components(self, *names: str, text: str = "") -> list[Manifest]:
        """What the overlay sends with components added; `text` takes the kustomization's place."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(self.overlay.parent.parent, folder, dirs_exist_ok=True)
            overlay = Path(folder) / "overlays/production"
            kustomization = yaml.safe_load(text or (overlay / "kustomization.yaml").read_text())
            kustomization["components"] = [f"../../components/{name}" for name in names]
            (overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
            return [*yaml.safe_load_all(build_manifests(overlay))]

    @property
    def components(self) -> list[str]:
        return sorted(p.name for p in (self.overlay.parent.parent / "components").iterdir())

    def of_kind(self, kind: str) -> list[Manifest]:
        return [manifest for manifest in self.manifests if manifest["kind"] == kind]

    def the(self, kind: str) -> Manifest:
        (only,) = self.of_kind(kind)
        return only

    @property
    def pods(self) -> list[Manifest]:
        """The pod templates of the deployment and of the job."""
        workloads = self.of_kind("Deployment") + self.of_kind("Job")
        return [workload["spec"]["template"] for workload in workloads]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("deployment", "images, manifests and pages of a generated service")
    group.addoption("--images-json", default="", help="write the table of images to this file")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "container: builds images and runs them; needs podman")


def only(answer: str) -> Callable[[Test], Test]:
    """Run a test of a rendering only where ``answer`` was given: a database or a CI."""

    def mark(test: Test) -> Test:
        test.wanted = answer  # type: ignore[attr-defined]
        return test

    return mark


def given(config: pytest.Config) -> dict[str, Path]:
    """The folders of ``--project``: rendered with the default answers."""
    return {
        framework: Path(folder)
        for framework, _, folder in (one.partition("=") for one in config.getoption("project"))
    }


def answers_of(config: pytest.Config, framework: str) -> tuple[tuple[str, ...], ...]:
    """Database and CI of the services whose files are read."""
    if framework in given(config):
        return ANSWERS[:1]
    named = [name.split("-") for name in config.getoption("rendering").split(",") if name]
    return tuple((database, ci) for f, database, ci in named if f == framework) or ANSWERS


def chosen(config: pytest.Config) -> list[str]:
    given = [name for name in config.getoption("framework").split(",") if name]
    return [name for name in frameworks() if not given or name in given]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "rendering" in metafunc.fixturenames:
        wanted = getattr(metafunc.function, "wanted", None)
        of_pipelines = getattr(metafunc.module, "OF_PIPELINES", False)
        cases = [
            (framework, *answers)
            for framework in chosen(metafunc.config)
            for answers in answers_of(metafunc.config, framework)
            if (wanted is None or wanted in answers) and not (of_pipelines and "none" in answers)
        ]
        names = ["-".join(case) for case in cases]
        metafunc.parametrize("rendering", cases, ids=names, indirect=True, scope="session")
    elif "framework" in metafunc.fixturenames:
        metafunc.parametrize("framework", chosen(metafunc.config), scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test of an answer that no rendering has is not asked for; pytest would skip it."""
    nothing = [item for item in items if not of_a_rendering(item)]
    if nothing:
        config.hook.pytest_deselected(items=nothing)
        items[:] = [item for item in items if item not in nothing]


def of_a_rendering(item: pytest.Item) -> bool:
    parameters = getattr(item, "callspec", None)
    return not parameters or isinstance(parameters.params.get("rendering", ()), tuple)


@pytest.fixture(scope="session")
def renderings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str, str], Rendering]:
    """All of them, by (framework, database, ci)."""
    folder = tmp_path_factory.mktemp("renderings")
    found = {}
    for framework in chosen(request.config):
        usual = () if framework in given(request.config) else ANSWERS
        for database, ci in dict.fromkeys([*usual, *answers_of(request.config, framework)]):
            target = given(request.config).get(framework)
            if target is None:
                target = folder / f"{framework}-{database}-{ci}"
                render(framework, target, database=database, ci=ci, author="Stock team")
            found[framework, database, ci] = Rendering(framework, database, ci, target)
    return found


@pytest.fixture(scope="session")
def rendering(
    request: pytest.FixtureRequest, renderings: dict[tuple[str, str, str], Rendering]
) -> Rendering:
    return renderings[request.param]


@pytest.fixture(scope="session")
def projects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Projects:
    """Rendered and installed services, on SQLite; ``--projects`` keeps them."""
    kept = request.config.getoption("projects")
    folder = Path(kept).resolve() if kept else tmp_path_factory.mktemp("projects")

    def surroundings(framework: str) -> dict[str, str]:
        return surroundings_of(framework, lambda: request.getfixturevalue("amqp_url"))

    return Projects(folder, surroundings=surroundings)


@pytest.fixture(scope="session")
def amqp_url() -> Iterator[str]:
    """A broker for every service that needs one, started when the first of them does."""
    with any_amqp_url() as url:
        yield url


@pytest.fixture(scope="session")
def engine() -> boxcheck.Engine:
    """podman, with stand-ins of the images that a Dockerfile starts from."""
    for name in ("podman", "runc", "catatonit", "debootstrap"):
        program(name, name)
    script = TEMPLATES / "shared/Dockerfile.jinja"
    (tag,) = re.findall(r"^FROM ghcr\.io/astral-sh/uv:(\S+)", script.read_text(), re.M)
    made = run([sys.executable, boxcheck.__file__, "base", "--uv-tag", tag])
    if made.returncode:
        missing(f"no stand-ins of the base images: {made.stderr[-1000:]}")
    return boxcheck.Engine("podman")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The table of images: what each took to build, weighs, and how it runs."""
    reports = [r for key in ("passed", "failed") for r in terminalreporter.stats.get(key, [])]
    rows = [value for r in reports for key, value in r.user_properties if key == "image"]
    if not rows:
        return
    terminalreporter.section("images")
    for cells in (rows[0], *(row.values() for row in rows)):
        terminalreporter.write_line("".join(f"{cell!s:>20}" for cell in cells))
    if path := config.getoption("images_json", ""):
        Path(path).write_text(json.dumps(rows, indent=2) + "\n")
