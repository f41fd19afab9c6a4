"""`new` and `check` where variables, settings, homes, folders or cores are not as on one's own."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from scaffold.making import staging
from scaffold.updating import check
from tests.tool.conftest import Checkout, Ran
from tests.tool.lineage import FIRST, SECOND, SOMEBODY, Lineage, Owned, git
from tests.tool.terminal import Terminal
from tests.tool.test_cli import tree

NEW = ("new", "my-svc", "--defaults", "--json")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home, with a uv that writes a lock where uv would write it."""
    folder = tmp_path / "home"
    (folder / "bin").mkdir(parents=True)
    program(
        folder / "bin" / "uv",
        'echo locked > "${UV_WORKING_DIR:-${UV_PROJECT:-.}}/uv.lock"',
    )
    return folder


def program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def new(checkout: Checkout, home: Path, folder: Path, **environment: str) -> Ran:
    """`new` with its lock and its first commit, by a user who has `home`."""
    folder.mkdir(exist_ok=True)
    path = os.pathsep.join([str(home / "bin"), os.environ["PATH"]])
    identity = {key: SOMEBODY[key] for key in SOMEBODY if "CONFIG" not in key}
    given = identity | {"PATH": path, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
    return checkout.scaffold(*NEW, cwd=folder, **given | environment)


# ---- variables


@pytest.mark.parametrize("variable", ["UV_PROJECT", "UV_WORKING_DIR"])
def test_a_variable_that_means_another_project_has_no_say(
    checkout: Checkout, home: Path, tmp_path: Path, variable: str
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "uv.lock").write_text("another's\n")
    ran = new(checkout, home, tmp_path / "out", **{variable: str(tmp_path / "other")})
    assert (ran.code, ran.json["warnings"]) == (0, [])
    assert (tmp_path / "other" / "uv.lock").read_text() == "another's\n"
    assert (tmp_path / "out" / "my-svc" / "uv.lock").read_text() == "locked\n"


def test_below_a_uv_workspace_nothing_is_locked_and_it_is_said_where_to(
    checkout: Checkout, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["services/*"]\n')
    ran = new(checkout, home, tmp_path / "services")
    assert ran.code == 0
    assert f"the uv workspace in {tmp_path}" in " ".join(ran.json["warnings"])
    assert not (tmp_path / "services" / "my-svc" / "uv.lock").exists()
    ran = new(checkout, home, tmp_path / "elsewhere")
    assert (ran.code, ran.json["warnings"]) == (0, [])
    assert (tmp_path / "elsewhere" / "my-svc" / "uv.lock").exists()


def test_a_lock_that_fails_half_way_is_not_left(
    checkout: Checkout, home: Path, tmp_path: Path
) -> None:
    program(home / "bin" / "uv", "echo half > uv.lock; echo 'error: os error 28' >&2; exit 2")
    ran = new(checkout, home, tmp_path / "out")
    assert ran.code == 0
    assert "os error 28" in ran.json["warnings"][0]
    assert not (tmp_path / "out" / "my-svc" / "uv.lock").exists()


# ---- the first commit


@pytest.mark.parametrize(
    "settings",
    [
        "[core]\nexcludesFile = {home}/excludes\n",
        "[core]\nhooksPath = {home}/hooks\n",
        "[init]\ntemplateDir = {home}/template\n",
        "[diff]\norderFile = /nonexistent\n[safe]\nbareRepository = explicit\n",
    ],
    ids=["excludes", "hooks", "template", "order"],
)
def test_a_users_settings_take_nothing_from_the_first_commit(
    checkout: Checkout, home: Path, tmp_path: Path, settings: str
) -> None:
    (home / "excludes").write_text("*.lock\n*.md\n")
    for folder in (home / "hooks", home / "template" / "hooks"):
        folder.mkdir(parents=True)
        program(folder / "prepare-commit-msg", "exit 1")
    (home / "template" / "info").mkdir()
    (home / "template" / "info" / "exclude").write_text("*.lock\n")
    (home / ".gitconfig").write_text(settings.format(home=home))
    ran = new(checkout, home, tmp_path / "out")
    assert (ran.code, ran.json["warnings"]) == (0, [])
    committed = git(tmp_path / "out" / "my-svc", "ls-files").split()
    assert sorted(committed) == sorted([*ran.json["files"], "uv.lock"])


def test_in_a_repository_of_another_owner_no_other_is_made(
    checkout: Checkout, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    git(tmp_path / "out", "init", "--quiet")
    stranger = f'GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {shutil.which("git")} "$@"'
    program(home / "bin" / "git", stranger)
    ran = new(checkout, home, tmp_path / "out")
    assert ran.code == 0
    (warning,) = ran.json["warnings"]
    assert "dubious ownership" in warning
    assert not (tmp_path / "out" / "my-svc" / ".git").exists()


def test_settings_of_git_that_cannot_be_read_are_not_told_as_a_repository(
    checkout: Checkout, home: Path, tmp_path: Path
) -> None:
    (home / ".gitconfig").write_text("[core\n")
    ran = new(checkout, home, tmp_path / "out")
    assert ran.code == 0
    (warning,) = ran.json["warnings"]
    assert warning.startswith("No git repository was created, because git does not work in ")
    assert "bad config line 1" in warning


# ---- a folder that is there


def test_a_folder_that_has_only_a_repository_is_filled_and_committed(
    checkout: Checkout, home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out" / "my-svc"
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=trunk")
    ran = new(checkout, home, folder.parent)
    assert (ran.code, ran.json["warnings"]) == (0, [])
    assert git(folder, "log", "--format=%s", "trunk") == "Start from the template\n"
    assert git(folder, "status", "--porcelain") == ""


def test_a_folder_that_is_there_stays_the_folder_that_it_is(
    checkout: Checkout, tmp_path: Path
) -> None:
    folder = tmp_path / "my-svc"
    folder.mkdir()
    folder.chmod(0o2770)
    before = folder.stat()
    assert checkout.new("my-svc", "--defaults", cwd=tmp_path).code == 0
    after = folder.stat()
    assert (after.st_ino, stat.S_IMODE(after.st_mode)) == (before.st_ino, 0o2770)
    assert list(tmp_path.iterdir()) == [folder]
    assert not list(folder.glob(".my-svc*"))


def test_a_folder_that_a_killed_run_filled_half_is_filled_by_the_next(
    checkout: Checkout, tmp_path: Path
) -> None:
    left = tmp_path / "my-svc" / ".my-svc.scaffold-abcdefgh"
    (left / "my-svc" / "src").mkdir(parents=True)
    (left / "my-svc" / "README.md").write_text("# my-svc\n")
    (left / staging.COMPLETE).touch()
    (tmp_path / "my-svc" / "about.json").write_text("{}\n")
    assert checkout.new("my-svc", "--defaults", cwd=tmp_path).code == 3
    found = sorted(path.name for path in (tmp_path / "my-svc").iterdir())
    assert found == ["README.md", "about.json", "src"]


# ---- homes, terminals, interpreters


@pytest.mark.parametrize("home_is", ["closed", "none"])
def test_a_home_of_somebody_else_or_none_is_no_reason_to_fail(
    checkout: Checkout, tmp_path: Path, home_is: str
) -> None:
    given = {key: value for key, value in checkout.environment.items() if key != "HOME"}
    (tmp_path / "home" / ".config").mkdir(parents=True)
    (tmp_path / "home").chmod(0o000)
    if home_is == "closed":
        given["HOME"] = str(tmp_path / "home")
        ran = checkout.warm(["list"], tmp_path, given, as_a_user=True)
    else:
        ran = without_passwd(tmp_path, given)
    (tmp_path / "home").chmod(0o755)
    assert (ran.code, ran.err) == (0, "")


def without_passwd(folder: Path, given: dict[str, str]) -> Ran:
    """`list` as a user whom no file names."""
    (folder / "run.py").write_text(
        "import pwd, sys\n"
        "def unknown(_):\n"
        "    raise KeyError('getpwuid(): uid not found: 4711')\n"
        "pwd.getpwuid = unknown\n"
        "from scaffold.__main__ import main\n"
        "sys.argv = ['scaffold', 'list']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "run.py"], cwd=folder, env=given, capture_output=True, text=True
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "locale",
    [
        pytest.param({}, id="utf-8", marks=pytest.mark.slow),
        pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0"}, id="C"),
    ],
)
def test_a_folder_whose_name_is_not_utf_8_is_a_place_for_a_service(
    lineage: Lineage, made: Path, tmp_path: Path, locale: dict[str, str]
) -> None:
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    given = SOMEBODY | {"PYTHONCOERCECLOCALE": "0"} | locale
    ran = lineage[SECOND].anew("new", "other", "--defaults", "--no-lock", cwd=folder, **given)
    assert ran.code == 0, ran
    service = folder / "my-svc"
    shutil.copytree(made / FIRST, service)
    subprocess.run(
        "git init --quiet && git add --all && git commit --quiet --message Work",
        **{"shell": True, "cwd": service, "env": os.environ | SOMEBODY, "check": True},
    )
    for arguments, code in ((["update", "--dry-run"], 0), (["check", "."], 5), (["update"], 0)):
        ran = lineage[SECOND].anew(*arguments, cwd=service, **given)
        assert ran.code == code, ran


@pytest.mark.parametrize("columns", ["1", "0", "5", "-1", "x"])
@pytest.mark.parametrize("line", ["list", "show flask", "new x --nope"])
def test_a_terminal_of_no_width_is_no_reason_to_fail(
    checkout: Checkout, tmp_path: Path, line: str, columns: str
) -> None:
    ran = checkout.scaffold(*line.split(), cwd=tmp_path, COLUMNS=columns)
    assert ran.code == (2 if "nope" in line else 0), ran


@pytest.mark.parametrize(("wish", "colour"), [("", True), ("1", False)])
def test_no_color_counts_unless_it_is_empty(
    checkout: Checkout, tmp_path: Path, wish: str, colour: bool
) -> None:
    with Terminal(checkout, tmp_path, "list", environment={"NO_COLOR": wish}) as terminal:
        assert terminal.end() == 0
        assert ("\x1b[1m" in terminal.written) == colour


def test_an_error_fits_a_terminal_of_one_column(checkout: Checkout, tmp_path: Path) -> None:
    with Terminal(checkout, tmp_path, "show", "x", columns=1) as terminal:
        assert terminal.end() == 2
        assert "Traceback" not in terminal.written


def test_help_needs_no_docstrings(checkout: Checkout, tmp_path: Path) -> None:
    ran = checkout.scaffold("--help", cwd=tmp_path, PYTHONOPTIMIZE="2")
    assert ran.code == 0
    assert "List the frameworks" in ran.out


def test_a_shell_whose_settings_cannot_be_written_is_told(
    checkout: Checkout, tmp_path: Path
) -> None:
    (tmp_path / ".bashrc").touch()
    (tmp_path / ".bashrc").chmod(0o444)
    tmp_path.chmod(0o555)
    given = checkout.environment | {"HOME": str(tmp_path), "SHELL": "/bin/bash"}
    given["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"
    try:
        ran = checkout.warm(["--install-completion", "bash"], tmp_path, given, as_a_user=True)
    finally:
        tmp_path.chmod(0o755)
    assert ran.code == 3, ran
    assert "Permission denied" in ran.err


# ---- many cores


@pytest.fixture
def services(lineage: Lineage, made: Path, tmp_path: Path) -> Owned:
    shutil.copytree(made, tmp_path / "services")
    return Owned(tmp_path / "services", lineage[SECOND])


def test_a_check_of_one_service_begins_no_process(
    services: Owned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "ProcessPoolExecutor", None)
    assert services.run("check", SECOND, "--jobs", "8").code == 0


def test_a_check_takes_no_more_processes_than_tasks_and_cores(
    services: Owned, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def pool(count: int, **_: object) -> ProcessPoolExecutor:
        begun.append(count)
        raise OSError("no room for semaphores")

    monkeypatch.setattr(check, "ProcessPoolExecutor", pool)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(128))
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(check, "QUOTAS", ())
    before = tree(services.folder)
    ran = services.run("check", FIRST, SECOND, "--json")
    assert ran.code == 5
    assert begun == [2], "two services are two tasks"
    assert [one["problem"] for one in ran.json["services"]] == [None, None]
    assert tree(services.folder) == before


@pytest.mark.parametrize(
    ("granted", "cores"),
    [
        (["100000 100000"], 1),
        (["150000 100000"], 2),
        (["max 100000"], 128),
        (["-1", "100000"], 128),
    ],
)
def test_what_a_container_is_granted_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, granted: list[str], cores: int
) -> None:
    files = tuple(str(tmp_path / str(number)) for number in range(len(granted)))
    for file, text in zip(files, granted, strict=True):
        Path(file).write_text(f"{text}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(128))
    monkeypatch.setattr(check, "QUOTAS", (files, (str(tmp_path / "absent"),)))
    assert check.usable_cores() == cores
