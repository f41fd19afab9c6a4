"""A service that grew on one release goes to the next, and grows on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.growing.services import NAME
from tests.services import REPOSITORY, frameworks
from tests.tool.conftest import Checkout
from tests.tool.lineage import SOMEBODY, Owned, commit, git, install, set_version

ROOM, BOOKING = "room name:str:1..100:unique", "booking room:ref guest:email"
OWN, SECOND = "# The owner's own.\n", "# The second release.\n"
PARTS = ("scaffold", "templates", "copier.yml", "guidance.toml", "measured.json", "CHANGELOG.md")


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, Checkout]:
    """This repository's templates, and a release that changes what each resource has."""
    folder = tmp_path_factory.mktemp("releases")
    root = folder / "repository"
    root.mkdir()
    for name in PARTS:
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, root / name)
    git(root, "init", "--quiet", "--initial-branch=main")
    (root / ".gitignore").write_text("__pycache__/\n")
    set_version(root, "98.0.0")
    commit(root)
    first = install(root, folder / "first")
    for file in (root / "templates").rglob("*"):
        if "{% yield" in file.parent.name and file.name.removesuffix(".jinja") == "__init__.py":
            file.write_text(SECOND + file.read_text())
    dockerfile = root / "templates" / "shared" / "Dockerfile.jinja"
    dockerfile.write_text(SECOND + dockerfile.read_text())
    set_version(root, "99.0.0")
    commit(root)
    return first, install(root, folder / "second")


def grown(tool: Checkout, framework: str, folder: Path) -> Owned:
    """Made with a room, to which a booking and a field were added."""
    folder.mkdir()
    given = ("--framework", framework, "--defaults", "--no-lock", "--resource", ROOM)
    made = tool.scaffold("new", NAME, *given, cwd=folder, **SOMEBODY)  # it records its version
    assert made.code == 0, made.err
    service = Owned(folder / NAME, tool)
    grows(service, "add", "resource", BOOKING)
    grows(service, "add", "field", "room", "seats:int:1..500:default=2")
    return service


def grows(service: Owned, *command: str) -> None:
    ran = service.run(*command, "--no-lock")
    assert ran.code == 0, ran.err
    commit(service.folder)


def contents(service: Owned) -> dict[str, str]:
    listed = git(service.folder, "ls-files").split("\n")
    return {name: service.text(name) for name in listed if name}


def goes_on(releases: tuple[Checkout, Checkout], framework: str, tmp_path: Path) -> None:
    first, second = releases
    service = grown(first, framework, tmp_path / "old").with_tool(second)
    ran = service.update("--no-lock", "--json")
    assert (ran.code, ran.json["conflicts"]) == (0, [])
    commit(service.folder)
    assert service.text("Dockerfile").startswith(SECOND)
    for resource in ("rooms", "bookings"):
        assert service.text(f"src/{NAME}/{resource}/__init__.py").startswith(SECOND)
    fresh = grown(second, framework, tmp_path / "new")
    assert contents(service) == contents(fresh)
    grows(service, "add", "field", "booking", "vip:bool:default=false")
    grows(service, "remove", "field", "room", "seats")
    record = yaml.safe_load(service.text(".copier-answers.yml"))
    fields = {one["name"]: [f["name"] for f in one["fields"]] for one in record["resources"]}
    assert fields == {"room": ["name"], "booking": ["room", "guest", "vip"]}
    assert record["_commit"] == "v99.0.0"


@pytest.mark.slow
def test_a_grown_service_goes_to_the_next_release_and_grows_on(
    releases: tuple[Checkout, Checkout], tmp_path: Path
) -> None:
    goes_on(releases, "flask", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("framework", [one for one in frameworks() if one != "flask"])
def test_each_of_the_others_does(
    releases: tuple[Checkout, Checkout], framework: str, tmp_path: Path
) -> None:
    goes_on(releases, framework, tmp_path)


@pytest.mark.slow
def test_a_folder_that_its_owner_renamed_gets_the_releases_changes(
    releases: tuple[Checkout, Checkout], tmp_path: Path
) -> None:
    first, second = releases
    service = grown(first, "flask", tmp_path / "old").with_tool(second)
    git(service.folder, "mv", f"src/{NAME}/bookings", f"src/{NAME}/stays")
    routes = f"src/{NAME}/stays/routes.py"
    service.edit({routes: service.text(routes) + OWN})
    ran = service.update("--no-lock", "--json")
    assert (ran.code, ran.json["conflicts"]) == (0, [])
    assert service.text(f"src/{NAME}/stays/__init__.py").startswith(SECOND)
    assert service.text(routes).endswith(OWN)
    assert not service.has(f"src/{NAME}/bookings")
