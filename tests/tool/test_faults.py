"""A service is there wholly or not at all, whatever breaks off the run that makes it."""

from __future__ import annotations

import errno
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scaffold import processes
from scaffold.errors import TargetError
from scaffold.making import staging
from tests.tool.conftest import Checkout

FAULTS = Path(__file__).parent / "faults.py"
WHOLE = [
    ".copier-answers.yml",
    ".github/ci.yml",
    "README.md",
    "about.json",
    "src/my_svc/__init__.py",
    "src/my_svc/app.py",
]
FEWEST_WRITES = 2 * len(WHOLE)
FEWEST_LINES = 1000
HIDDEN = ".my-svc.scaffold-"
# Every day each kind breaks every fifth write, and all together break every one.
KINDS = ["ENOSPC", "EACCES", "SIGINT", "SIGTERM", "SIGKILL"]
SOME = {kind: (first, len(KINDS)) for first, kind in enumerate(KINDS, 1)}
EACH = (1, 1)

some_or_each = pytest.mark.parametrize(
    "each", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["some", "each"]
)


def broken_runs(
    checkout: Checkout, folder: Path, kind: str, first: int, step: int
) -> list[dict[str, Any]]:
    line = [str(folder), kind, str(first), str(step)]
    ran = checkout.warm(line, folder, checkout.environment, seconds=1800, program=FAULTS)
    assert ran.code == 0, ran.err
    runs = [json.loads(line) for line in ran.out.splitlines()]
    assert len(runs) >= (FEWEST_LINES if kind == "LINE" else FEWEST_WRITES) // step
    return runs


@some_or_each
@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_broken_run_leaves_nothing_and_can_be_repeated(
    checkout: Checkout, tmp_path: Path, kind: str, each: bool
) -> None:
    code = 130 if kind.startswith("SIG") else 3
    for run in broken_runs(checkout, tmp_path, kind, *(EACH if each else SOME[kind])):
        whole_or_absent(run, code)
        assert run["again"] == (3 if run["files"] else 0), run
        assert run["left_again"] == ["my-svc"], run
        assert run["files_again"] == WHOLE, run


def whole_or_absent(run: dict[str, Any], code: int) -> None:
    """Whole, with success or a word of it; or not there, and nothing else of it either."""
    assert "Traceback" not in run["said"], run
    if run["left"]:
        assert run["left"] == ["my-svc"], run
        assert run["files"] == WHOLE, run
        assert run["code"] == 0 or "Nothing was written" not in run["said"], run
    else:
        assert run["code"] == code, run
    assert run["code"] in (0, code), run


@pytest.mark.parametrize(
    "step", [101, pytest.param(1, marks=pytest.mark.slow)], ids=["some lines", "each line"]
)
def test_a_signal_at_any_line_of_the_tool_leaves_nothing(
    checkout: Checkout, tmp_path: Path, step: int
) -> None:
    for run in broken_runs(checkout, tmp_path, "LINE", 1, step):
        whole_or_absent(run, 130)


@some_or_each
def test_a_killed_run_leaves_no_half_service_and_the_next_run_cleans_up(
    checkout: Checkout, tmp_path: Path, each: bool
) -> None:
    runs = broken_runs(checkout, tmp_path, "SIGKILL", *(EACH if each else SOME["SIGKILL"]))
    assert any(run["left"] for run in runs), "no run was killed half way"
    for run in runs:
        assert run["code"] == -9, run
        assert all(name == "my-svc" or name.startswith(HIDDEN) for name in run["left"]), run
        assert run["files"] == (WHOLE if "my-svc" in run["left"] else []), run
        assert run["again"] == (3 if run["files"] else 0), run
        assert run["left_again"] == ["my-svc"], run
        assert run["files_again"] == WHOLE, run


def test_of_two_at_once_one_wins_and_the_other_is_told(checkout: Checkout, tmp_path: Path) -> None:
    def run(_: int) -> int:
        return checkout.new("my-svc", "--defaults", cwd=tmp_path).code

    with ThreadPoolExecutor(3) as pool:
        codes = sorted(pool.map(run, range(3)))
    assert codes == [0, 3, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["my-svc"]


def test_the_folder_of_a_run_that_still_lives_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "my-svc"
    with staging.staged(target) as mine:
        staging.remove_abandoned(target)
        assert mine.is_dir()
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_killed_run_left_goes_with_the_next_run_whatever_that_makes(
    checkout: Checkout, tmp_path: Path
) -> None:
    for left in (".my-svc.scaffold-abcdefgh", ".old.scaffold-_1234567"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "lock").touch()
        (tmp_path / left / left[1:].partition(".")[0] / "src").mkdir(parents=True)
    (tmp_path / ".early.scaffold-abcdefgh").mkdir()  # killed before it had its lock
    assert checkout.new("other", "--defaults", cwd=tmp_path).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_what_only_looks_like_a_run_s_folder_is_never_touched(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    here = tmp_path / "here"
    here.mkdir()
    (here / ".my-svc.scaffold-notes").mkdir()
    (here / ".my-svc.scaffold-abcdefgh").mkdir()
    (here / ".my-svc.scaffold-abcdefgh" / "of the user").touch()
    (here / ".my-svc.scaffold-linkedto").symlink_to(elsewhere)
    (here / ".my-svc.scaffold-afileofm").touch()
    before = sorted(tmp_path.rglob("*"))
    staging.remove_abandoned(here / "my-svc")
    assert sorted(tmp_path.rglob("*")) == before


def test_where_there_are_no_locks_nothing_counts_as_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(processes, "_exclusive", refuse)
    with staging.staged(tmp_path / "one") as mine:
        with staging.staged(tmp_path / "two") as other:
            (other / "file").touch()
        assert mine.is_dir()
        (mine / "file").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_what_another_run_made_meanwhile_stays(tmp_path: Path) -> None:
    target = tmp_path / "my-svc"

    def lose() -> None:
        with staging.staged(target):
            target.mkdir()
            (target / "theirs").touch()

    with pytest.raises(TargetError, match="was created by another run in the meantime"):
        lose()
    assert [path.name for path in target.iterdir()] == ["theirs"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_was_missing_goes_again_when_nothing_was_made(tmp_path: Path) -> None:
    target = tmp_path / "one" / "two" / "my-svc"

    def fail() -> None:
        with staging.staged(target):
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert list(tmp_path.iterdir()) == []
    with staging.staged(target) as folder:
        (folder / "file").touch()
    assert [path.name for path in target.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: (path.mkdir(), (path / "x").touch()), "is not empty"),
        (lambda path: path.touch(), "is a file"),
        (lambda path: path.symlink_to(path.parent), "is a symbolic link"),
        (lambda path: path.symlink_to(path.parent / "nowhere"), "is a symbolic link"),
    ],
)
def test_what_is_there_already_is_never_touched(
    checkout: Checkout, tmp_path: Path, make: Any, why: str
) -> None:
    target = tmp_path / "my-svc"
    make(target)
    before = sorted(tmp_path.rglob("*"))
    ran = checkout.new("my-svc", "--defaults", cwd=tmp_path)
    assert ran.code == 3
    assert ran.err == f"scaffold: {target} {why}; choose another name or --output.\n"
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_a_fine_place(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "my-svc").mkdir()
    assert checkout.new("my-svc", "--defaults", cwd=tmp_path).code == 0
    assert (tmp_path / "my-svc" / "README.md").read_text() == "# my-svc\n"
