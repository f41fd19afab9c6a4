"""Repositories that their owners use in other ways than ours: nothing is lost, nothing is mixed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tool.conftest import Checkout
from tests.tool.lineage import (
    EXAMPLE,
    FIRST,
    GUIDE,
    NEWER_EXAMPLE,
    NEWER_GUIDE,
    SECOND,
    SOMEBODY,
    Lineage,
    Owned,
    commit,
    git,
)
from tests.tool.state import state_of

COMMANDS = [("update", "--no-lock"), ("update", "--dry-run"), ("add", "auth", "--no-lock")]
RECORD = ".copier-answers.yml"


@pytest.fixture
def service(lineage: Lineage, made: Path, tmp_path: Path) -> Owned:
    """A service of the first release, where the second is installed now."""
    folder = tmp_path / "my-svc"
    shutil.copytree(made / FIRST, folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return Owned(folder, lineage[SECOND])


def refused(service: Owned, *command: str) -> str:
    """What the command says that stops with exit code 3 and changes nothing."""
    before = state_of(service.folder)
    ran = service.run(*command)
    assert ran.code == 3, ran
    assert state_of(service.folder) == before
    return ran.err


def another(folder: Path, files: dict[str, str]) -> Path:
    """A repository that is none of ours."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


# ---- surroundings in which the same happens as in any other


def settings(service: Owned, _: Path) -> Path:
    """What people set in their repositories, all of it at once."""
    for line in SETTINGS.split():
        git(service.folder, "config", *line.replace("_", " ").split("=", 1))
    return service.folder


SETTINGS = """
    merge.conflictStyle=zdiff3 merge.renames=false merge.directoryRenames=false merge.ff=only
    diff.noprefix=true diff.renames=false diff.external=false diff.context=0 diff.relative=true
    diff.algorithm=histogram diff.submodule=log diff.colorMoved=zebra diff.ignoreSubmodules=all
    status.relativePaths=true status.showUntrackedFiles=no status.short=true status.branch=true
    color.ui=always column.ui=always core.abbrev=4 core.pager=false core.quotePath=true
    commit.gpgSign=true user.signingKey=NONE user.useConfigOnly=true log.showSignature=true
    core.fileMode=false core.symlinks=false core.ignoreCase=true core.protectNTFS=true
    core.splitIndex=true core.untrackedCache=true core.fsmonitor=true index.version=4
    core.bigFileThreshold=10 core.checkStat=minimal core.sharedRepository=group
    i18n.commitEncoding=latin1 init.defaultBranch=odd_name submodule.recurse=true
"""


def failing_hooks(service: Owned, _: Path) -> Path:
    for name in ("pre-commit", "post-index-change", "reference-transaction", "post-checkout"):
        hook = service.folder / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    return service.folder


def detached(service: Owned, _: Path) -> Path:
    git(service.folder, "switch", "--quiet", "--detach")
    return service.folder


def behind_a_link(service: Owned, tmp_path: Path) -> Path:
    (tmp_path / "link").symlink_to(service.folder)
    return tmp_path / "link"


def a_submodule(service: Owned, tmp_path: Path) -> Path:
    outer = Owned(another(tmp_path / "outer", {"own.md": "Own.\n"}), service.tool)
    submodule(outer, service.folder, "inner")
    return outer.folder / "inner"


def beside_odd_names(service: Owned, _: Path) -> Path:
    names = ("a b", "a\nb", 'a"b', "a\\b", "\u00fc", "-a", "~a", ":a", "[a]*", "a\tb")
    service.edit({f"{name}.md": "Own.\n" for name in names})
    return service.folder


def in_an_odd_folder(service: Owned, tmp_path: Path) -> Path:
    folder = tmp_path / "outer" / "a b\n'\"\u00fc[*]" / "-my:svc"
    shutil.copytree(service.folder, folder, ignore=shutil.ignore_patterns(".git"))
    git(tmp_path / "outer", "init", "--quiet")
    commit(tmp_path / "outer")
    return folder


def of_another_hash(service: Owned, _: Path) -> Path:
    shutil.rmtree(service.folder / ".git")
    git(service.folder, "init", "--quiet", "--object-format=sha256")
    commit(service.folder)
    return service.folder


def beside_a_bare_repository(service: Owned, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "--quiet", "--bare", str(service.folder), "bare.git")
    git(tmp_path / "bare.git", "worktree", "add", "--quiet", str(tmp_path / "linked"))
    return tmp_path / "linked"


def a_sparse_index(service: Owned, tmp_path: Path) -> Path:
    folder = tmp_path / "outer" / "services" / "my-svc"
    shutil.copytree(service.folder, folder, ignore=shutil.ignore_patterns(".git"))
    (tmp_path / "outer" / "far").mkdir()
    (tmp_path / "outer" / "far" / "own.md").write_text("Own.\n")
    git(tmp_path / "outer", "init", "--quiet")
    commit(tmp_path / "outer")
    wish = ("--cone", "--sparse-index", "services/my-svc")
    git(tmp_path / "outer", "sparse-checkout", "set", *wish)
    return folder


def with_objects_elsewhere(service: Owned, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "--quiet", "--shared", str(service.folder), "clone")
    return tmp_path / "clone"


def all_else_ignored(service: Owned, _: Path) -> Path:
    service.edit({"other/.gitignore": "*\n"})
    (service.folder / ".git" / "info").mkdir(exist_ok=True)
    (service.folder / ".git" / "info" / "exclude").write_text("*\n")
    return service.folder


SURROUNDINGS: list[Callable[[Owned, Path], Path]] = [
    settings,
    failing_hooks,
    detached,
    behind_a_link,
    a_submodule,
    beside_odd_names,
    in_an_odd_folder,
    of_another_hash,
    beside_a_bare_repository,
    a_sparse_index,
    with_objects_elsewhere,
    all_else_ignored,
]


def cells() -> Iterator[Any]:
    """Every day each of them with one of the commands; all commands among the slow tests."""
    for row, surrounding in enumerate(SURROUNDINGS):
        for column, command in enumerate(COMMANDS):
            marks = [] if column == row % len(COMMANDS) else [pytest.mark.slow]
            name = f"{surrounding.__name__}-{'-'.join(command[:2])}"
            yield pytest.param(surrounding, command, id=name, marks=marks)


def staged(folder: Path) -> list[str]:
    """Each file that differs between HEAD and the index, with its content."""
    words = ("diff-index", "--cached", "--relative", "--no-renames", "--name-status", "-z", "HEAD")
    fields = git(folder, *words).split("\0")
    return [
        f"{how} {_content(folder / name)}"
        for how, name in zip(fields[::2], fields[1::2], strict=False)
    ]


def _content(path: Path) -> str:
    return f"{path.name}: {path.read_text()}" if path.exists() else path.name


def shown(diff: str) -> list[str]:
    """The lines of a diff, but for the ids of objects."""
    lines = diff[diff.index("diff --git") :].splitlines()
    return [line for line in lines if not line.startswith("index ")]


@pytest.fixture
def plain(service: Owned, tmp_path: Path) -> Owned:
    """The same service with nothing odd about it."""
    shutil.copytree(service.folder, tmp_path / "plain")
    return Owned(tmp_path / "plain", service.tool)


def assert_the_same(here: Owned, there: Owned, command: tuple[str, ...], **given: str) -> None:
    expected = there.run(*command)
    ran = here.run(*command, **given)
    assert (ran.code, ran.err) == (expected.code, expected.err) == (0, "")
    assert staged(here.folder) == staged(there.folder)
    if "--dry-run" in command:
        assert shown(ran.out) == shown(expected.out)
        assert staged(here.folder) == []
    else:
        assert staged(here.folder) != []
    git(here.folder, "update-index", "-q", "--refresh")
    assert git(here.folder, "diff-files", "--name-only") == ""


@pytest.mark.parametrize(("surrounding", "command"), list(cells()))
def test_the_same_is_done_as_anywhere_else(
    service: Owned,
    plain: Owned,
    tmp_path: Path,
    surrounding: Callable[[Owned, Path], Path],
    command: tuple[str, ...],
) -> None:
    here = Owned(surrounding(service, tmp_path), service.tool)
    assert_the_same(here, plain, command)


@pytest.mark.parametrize("command", COMMANDS[:1])
def test_variables_that_mean_another_repository_do_not_count(
    service: Owned, plain: Owned, tmp_path: Path, command: tuple[str, ...]
) -> None:
    other = another(tmp_path / "other", {"own.md": "Own.\n"})
    before = state_of(other)
    given = {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(other / ".git" / "own-index"),
        "GIT_OBJECT_DIRECTORY": str(other / ".git" / "objects"),
        "GIT_COMMON_DIR": str(other / ".git"),
        "GIT_CONFIG_PARAMETERS": "'core.bare=true'",
        "GIT_EXTERNAL_DIFF": "false",
        "GIT_EXEC_PATH": "/nonexistent",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_NAMESPACE": "other",
    }
    assert_the_same(service, plain, command, **given)
    assert state_of(other) == before


# ---- edits that git is told not to see


@pytest.mark.parametrize("command", COMMANDS[:2])
@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_an_edit_that_git_does_not_look_at_is_not_overwritten(
    service: Owned, flag: str, command: tuple[str, ...]
) -> None:
    """What is committed conflicts, so that the file would get markers."""
    service.edit({"guide.md": GUIDE.replace("line 3\n", "line 3, in other words\n")})
    git(service.folder, "update-index", flag, "guide.md")
    (service.folder / "guide.md").write_text("Only here.\n")
    assert "files that you edited and that git is told not to look at" in refused(service, *command)
    assert service.text("guide.md") == "Only here.\n"


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_file_that_git_does_not_look_at_is_no_obstacle_as_it_was_committed(
    service: Owned, flag: str
) -> None:
    git(service.folder, "update-index", flag, "guide.md", "pyproject.toml")
    (service.folder / "pyproject.toml").write_text("Only here, and not changed by the template.\n")
    assert service.update().code == 0
    assert git(service.folder, "show", ":guide.md") == NEWER_GUIDE
    assert service.text("pyproject.toml").startswith("Only here")
    seen = service.text("guide.md")
    assert seen == (GUIDE if flag == "--skip-worktree" else NEWER_GUIDE)


# ---- what git waits for


def divided(service: Owned) -> None:
    """Two branches that change the same file."""
    git(service.folder, "switch", "--quiet", "--create", "other")
    service.edit({"notes.md": "Other.\n"})
    git(service.folder, "switch", "--quiet", "main")
    service.edit({"notes.md": "Main.\n"})


def begun(service: Owned, *arguments: str) -> None:
    """A command of git that may stop half way."""
    environment = os.environ | SOMEBODY | {"GIT_SEQUENCE_EDITOR": "sed -i s/pick/edit/"}
    command = ["git", *arguments]
    subprocess.run(command, cwd=service.folder, env=environment, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("what", "arguments"),
    [
        ("merge", ("merge", "--no-commit", "--strategy=ours", "other")),
        ("merge", ("merge", "other")),
        ("rebase", ("rebase", "--interactive", "HEAD~1")),
        ("cherry-pick", ("cherry-pick", "other")),
        ("revert", ("revert", "--no-edit", "HEAD~1")),
    ],
    ids=["merge-that-went-well", "merge", "rebase", "cherry-pick", "revert"],
)
def test_in_the_middle_of_a_merge_nothing_is_mixed_into_it(
    service: Owned, what: str, arguments: tuple[str, ...]
) -> None:
    service.edit({"notes.md": "Before.\n"})
    divided(service)
    begun(service, *arguments)
    said = refused(service, "update", "--no-lock")
    assert f"git is in the middle of a {what}" in said
    assert "Finish or abort it first" in said
    assert f"in the middle of a {what}" in refused(service, "add", "auth", "--no-lock")


# ---- repositories in the repository


def test_a_repository_in_the_way_is_not_written_into(service: Owned) -> None:
    service.edit({".gitignore": "*.local\n/scripts/\n"})
    inner = another(service.folder / "scripts", {"own.md": "Own.\n"})
    assert "that are not in git: scripts." in refused(service, "update")
    assert git(inner, "status", "--porcelain") == ""


def submodule(service: Owned, source: Path, name: str) -> None:
    allowed = ("-c", "protocol.file.allow=always")
    git(service.folder, *allowed, "submodule", "--quiet", "add", str(source), name)
    commit(service.folder)


def test_files_that_would_lie_in_a_submodule_are_left_out_and_it_is_said(
    service: Owned, tmp_path: Path
) -> None:
    submodule(service, another(tmp_path / "own", {"own.md": "Own.\n"}), "scripts")
    ran = service.update("--json")
    assert ran.code == 0
    (warning,) = ran.json["warnings"]
    assert warning.startswith("scripts: left out the template's new files")
    assert service.text("guide.md") == NEWER_GUIDE
    assert not service.has("scripts/run.md")
    commit(service.folder)
    assert service.update("--json").json["warnings"] == []


def test_a_folder_that_the_owner_made_a_submodule_stays_one(service: Owned, tmp_path: Path) -> None:
    git(service.folder, "rm", "--quiet", "-r", "example")
    submodule(service, another(tmp_path / "own", {"one.md": EXAMPLE}), "example")
    ran = service.update("--json")
    assert (ran.code, ran.json["warnings"]) == (0, [])
    assert service.text("example/one.md") == EXAMPLE
    assert git(service.folder / "example", "status", "--porcelain") == ""


# ---- links


def test_a_link_in_place_of_a_file_is_a_conflict_of_that_name(service: Owned) -> None:
    service.edit({"guide.md": None, "docs/guide.md": GUIDE})
    (service.folder / "guide.md").symlink_to("docs/guide.md")
    commit(service.folder)
    ran = service.update("--json")
    assert ran.code == 4
    (conflict,) = ran.json["conflicts"]
    assert conflict["file"] == "guide.md"
    assert conflict["why"].startswith("the template has a file where you have a link")


def test_a_change_that_arrived_behind_a_link_is_not_said_to_be_missing(service: Owned) -> None:
    (service.folder / "real").mkdir()
    git(service.folder, "mv", "example", "real/example")
    (service.folder / "example").symlink_to("real/example")
    commit(service.folder)
    ran = service.update("--json")
    assert (ran.code, ran.json["warnings"]) == (0, [])
    assert service.text("real/example/one.md") == NEWER_EXAMPLE


@pytest.mark.parametrize("points_to", ["nowhere", "link"])
def test_a_place_that_is_a_link_to_nothing_is_told_as_that(
    checkout: Checkout, tmp_path: Path, points_to: str
) -> None:
    (tmp_path / "link").symlink_to(points_to)
    ran = checkout.new("my-svc", "--defaults", "--output", "link", cwd=tmp_path)
    assert ran.code == 3
    assert ran.err.endswith("link is not a folder; choose another --output.\n")
    assert list(tmp_path.iterdir()) == [tmp_path / "link"]


# ---- a record that somebody wrote in


def without(question: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        lines = text.splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith(question))

    return edit


def in_conflict(text: str) -> str:
    return f"# Ours\n<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> theirs\n"


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (without("framework"), "has no framework, so what it was generated from"),
        (without("name"), "has no name, so what it was generated from"),
        (without("_commit"), "has no _commit, so what it was generated from"),
        (lambda text: text + "with: 5\n", '"with" must be a list of words.'),
        (lambda text: text + "with:\n", '"with" must be a list of words.'),
        (lambda text: text + "with: [[auth]]\n", '"with" must be a list of words.'),
        (lambda text: text + "retired: {a: b}\n", '"retired" must be a list of words.'),
        (in_conflict, "has the markers of a merge conflict (line 2). Settle it and commit"),
    ],
    ids=["framework", "name", "commit", "number", "nothing", "nested", "mapping", "conflict"],
)
def test_a_record_that_does_not_say_enough_stops_each_command_alike(
    service: Owned, edit: Callable[[str], str], told: str
) -> None:
    service.edit({RECORD: edit(service.text(RECORD))})
    for command in [*COMMANDS, ("remove", "auth")]:
        assert told in refused(service, *command)
    ran = service.run("check", ".", "--json")
    assert ran.code == 3
    assert told in ran.json["services"][0]["problem"]
