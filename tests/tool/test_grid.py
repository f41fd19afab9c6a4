"""Surroundings by commands by moments of failure: all is as it was, or as it should be."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.tool.lineage import FIRST, GUIDE, SECOND, SOMEBODY, Lineage, commit, git

MOMENTS = Path(__file__).parent / "moments.py"
KINDS = ["SIGKILL", "ENOSPC", "EACCES", "SIGINT"]
WHEN = {f"GIT_{who}_DATE": "2027-02-01T00:00:00Z" for who in ("AUTHOR", "COMMITTER")}
ALL = 100_000
NEW = ["new", "my-svc", "--defaults", "--no-lock"]
FEWEST = 20  # moments of a run that writes


# ---- surroundings of a service: each makes them in a folder, and returns where the service is


def alone(folder: Path, made: Path) -> Path:
    shutil.copytree(made, folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return folder


def with_files_of_the_owner(folder: Path, made: Path) -> Path:
    """Ignored files, a file with a mode of its own, a link, and an edit that conflicts."""
    alone(folder, made)
    (folder / "guide.md").write_text(GUIDE.replace("line 3\n", "line 3, in other words\n"))
    (folder / "old-name.md").chmod(0o600)
    (folder / "link").symlink_to("guide.md")
    commit(folder)
    (folder / "some.local").write_text("Ignored.\n")
    (folder / "empty").mkdir()
    return folder


def in_a_monorepo(folder: Path, made: Path) -> Path:
    service = folder / "services" / "my-svc"
    shutil.copytree(made, service)
    (folder / "other.md").write_text("Other.\n")
    git(folder, "init", "--quiet")
    commit(folder)
    (folder / "other.md").write_text("Being worked on.\n")
    return service


def with_other_line_ends(folder: Path, made: Path) -> Path:
    alone(folder, made)
    (folder / ".gitattributes").write_text("* text=auto eol=crlf\n")
    commit(folder)
    git(folder, "rm", "--quiet", "--cached", "-r", ".")
    git(folder, "reset", "--quiet", "--hard")
    return folder


def with_a_folder_divided(folder: Path, made: Path) -> Path:
    alone(folder, made)
    for name, place in (("one", "left"), ("two", "right")):
        (folder / place).mkdir()
        git(folder, "mv", f"parts/{name}.md", f"{place}/{name}.md")
    commit(folder)
    return folder


def with_a_file_in_the_way(folder: Path, made: Path) -> Path:
    alone(folder, made)
    (folder / ".gitignore").write_text("/scripts\n")
    commit(folder)
    (folder / "scripts").write_text("Ignored.\n")
    return folder


def with_a_file_where_a_folder_comes(folder: Path, made: Path) -> Path:
    """And a folder that goes for a file; both are in git."""
    alone(folder, made)
    (folder / "scripts").write_text("The owner's.\n")
    (folder / "added.md").mkdir()
    (folder / "added.md" / "notes").write_text("The owner's.\n")
    commit(folder)
    return folder


def sparse(folder: Path, made: Path) -> Path:
    alone(folder, made)
    git(folder, "sparse-checkout", "set", "--no-cone", "/*", "!/example/")
    return folder


SERVICES = [
    alone,
    with_files_of_the_owner,
    in_a_monorepo,
    with_other_line_ends,
    with_a_folder_divided,
    with_a_file_in_the_way,
    with_a_file_where_a_folder_comes,
    sparse,
]
COMMANDS = [["update", "--no-lock"], ["update", "--dry-run"], ["check", ".", "--jobs", "1"]]


# ---- surroundings of a service to be


def nothing(folder: Path) -> None:
    folder.mkdir()


def an_empty_folder(folder: Path) -> None:
    (folder / "my-svc").mkdir(parents=True)
    (folder / "my-svc").chmod(0o2750)


def only_a_repository(folder: Path) -> None:
    (folder / "my-svc").mkdir(parents=True)
    git(folder / "my-svc", "init", "--quiet")


def a_larger_repository(folder: Path) -> None:
    folder.mkdir()
    (folder / "other.md").write_text("Other.\n")
    git(folder, "init", "--quiet")
    commit(folder)


PLACES = [nothing, an_empty_folder, only_a_repository, a_larger_repository]


# ---- the grid


@pytest.fixture
def moments(
    request: pytest.FixtureRequest, command: list[str], kind: str, each: bool
) -> tuple[int, int, int]:
    """The first moment, the step and how many at most; each cell begins at another one."""
    if each:
        step = request.config.getoption("--each-moment")
        return 1 + crc32(request.node.name.encode()) % step, step, ALL
    few = 2 if command[0] == "update" and "--dry-run" not in command else 1
    return 5 + 13 * KINDS.index(kind), 41, few


def runs(
    lineage: Lineage, place: Path, command: list[str], kind: str, moments: tuple[int, int, int]
) -> Any:
    """The whole run, and the broken ones."""
    words = [str(place), kind, *map(str, moments), *command]
    tool = lineage[SECOND]
    given = tool.environment | SOMEBODY | WHEN
    ran = tool.warm(words, place, given, seconds=3600, program=MOMENTS)
    assert ran.code == 0, ran.err
    whole, *broken = map(json.loads, ran.out.splitlines())
    _, step, most = moments
    assert len(broken) >= (FEWEST // step if most == ALL else 1)
    return whole, broken


def as_it_was_or_as_it_should_be(whole: Any, broken: list[Any], kind: str) -> None:
    for run in broken:
        assert run["code"] != 1, run
        assert "Traceback" not in run["said"], run
        if kind != "SIGKILL":
            assert {"before", "after"}.intersection(run["found"]), run
        assert {"before", "after"}.intersection(run["found_again"]), run
        if run["again"] == whole["code"] in (0, 4):
            assert "after" in run["found_again"], run


def cells(surroundings: list[Any], commands: list[list[str]]) -> Iterator[Any]:
    """Each surrounding with each command and kind of failure at length; every day some of them.

    Half of the surroundings have an update every day, and each command has some surroundings.
    """
    for row, surrounding in enumerate(surroundings):
        for column, command in enumerate(commands):
            for number, kind in enumerate(KINDS):
                name = f"{surrounding.__name__}-{'-'.join(command[:2])}-{kind}"
                today = number == (row + column) % len(KINDS) and row % (column * 2 + 2) == 0
                if today:
                    yield pytest.param(surrounding, command, kind, False, id=name)
                slow = [pytest.mark.slow]
                yield pytest.param(surrounding, command, kind, True, id=f"{name}-each", marks=slow)


@pytest.mark.parametrize(
    ("surrounding", "command", "kind", "each"), list(cells(SERVICES, COMMANDS))
)
def test_a_service_is_as_it_was_or_as_it_should_be(
    lineage: Lineage,
    made: Path,
    tmp_path: Path,
    surrounding: Callable[[Path, Path], Path],
    command: list[str],
    kind: str,
    moments: tuple[int, int, int],
) -> None:
    service = surrounding(tmp_path / "before", made / FIRST)
    (tmp_path / "cwd").write_text(os.fspath(service.relative_to(tmp_path / "before")))
    as_it_was_or_as_it_should_be(*runs(lineage, tmp_path, command, kind, moments), kind)


@pytest.mark.parametrize(("surrounding", "command", "kind", "each"), list(cells(PLACES, [NEW])))
def test_a_new_service_is_there_wholly_or_not_at_all(
    lineage: Lineage,
    tmp_path: Path,
    surrounding: Callable[[Path], None],
    command: list[str],
    kind: str,
    moments: tuple[int, int, int],
) -> None:
    surrounding(tmp_path / "before")
    (tmp_path / "cwd").write_text(".")
    as_it_was_or_as_it_should_be(*runs(lineage, tmp_path, command, kind, moments), kind)
