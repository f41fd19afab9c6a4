"""An update in the surroundings that services have: afterwards as it was, or as it should be."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from scaffold.errors import TargetError
from scaffold.merging import journal, repository
from tests.tool.conftest import Checkout, Ran
from tests.tool.lineage import (
    FIRST,
    GUIDE,
    NEWER_EXAMPLE,
    NEWER_GUIDE,
    SECOND,
    SOMEBODY,
    THIRD,
    Lineage,
    Owned,
    commit,
    git,
)
from tests.tool.state import state_of


@pytest.fixture
def service(lineage: Lineage, made: Path, tmp_path: Path) -> Owned:
    """A service of the first release, where the second is installed now."""
    return owned(made / FIRST, tmp_path / "my-svc", lineage[SECOND])


def owned(made: Path, folder: Path, tool: Checkout) -> Owned:
    shutil.copytree(made, folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return Owned(folder, tool)


def as_a_user(service: Owned, *arguments: str, **environment: str) -> Ran:
    """Runs the command where permissions count, which they do not for root."""
    given = service.tool.environment | SOMEBODY | environment
    return service.tool.warm(arguments, service.folder, given, as_a_user=True)


# ---- rights and room


@pytest.mark.parametrize("closed", [".", "src/my_svc", "example", ".git", ".git/objects"])
def test_a_folder_that_may_not_be_written_changes_nothing(service: Owned, closed: str) -> None:
    """Whichever it is: a part of the service that changes, or git's own."""
    before = state_of(service.folder)
    (service.folder / closed).chmod(0o555)
    try:
        ran = as_a_user(service, "update", "--json")
    finally:
        (service.folder / closed).chmod(0o755)
    if closed == "src/my_svc":  # nothing changes there
        assert ran.code == 0
        return
    assert ran.code == 3, ran
    assert "ermission" in ran.json["error"]["message"]
    assert state_of(service.folder) == before
    assert service.update().code == 0


def test_a_disk_that_is_full_changes_nothing_and_the_next_update_works(
    lineage: Lineage, service: Owned
) -> None:
    """The whole repository lies on a disk of its own, which the update would overfill."""
    big = "".join(f"{number:09}\n" for number in range(40_000))
    service.edit({"guide.md": GUIDE + big})
    before = state_of(service.folder)
    tool = lineage[SECOND]
    python = " ".join(f"'{word}'" for word in tool.command)
    script = f"""
        mount -t tmpfs -o size=3200k tmpfs disk && cp -a my-svc disk/ && cd disk/my-svc
        head -c 10m /dev/zero > .git/filling 2> /dev/null
        truncate -s -200k .git/filling
        {python} update; echo "code $?"; rm -f .git/filling
        cd ../.. && cp -a disk/my-svc after
    """
    (service.folder.parent / "disk").mkdir()
    alone = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a file system of their own")
    ran = subprocess.run(
        [*alone, "bash", "-c", script],
        cwd=service.folder.parent,
        env=tool.environment | SOMEBODY | {"TMPDIR": "/tmp"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "code 3" in ran.stdout, ran
    assert "o space left" in ran.stderr, ran
    after = Owned(service.folder.parent / "after", tool)
    assert state_of(after.folder) == before
    assert after.update().code == 0


# ---- what the owner moved, and what is in the way


def test_a_folder_that_the_owner_divided_is_a_conflict_that_names_the_new_file(
    service: Owned,
) -> None:
    for name, place in (("one", "left"), ("two", "right")):
        (service.folder / place).mkdir()
        git(service.folder, "mv", f"parts/{name}.md", f"{place}/{name}.md")
    (service.folder / "parts").rmdir()
    commit(service.folder)
    before = state_of(service.folder)
    ran = service.update("--json")
    assert ran.code == 4, ran
    assert [one["file"] for one in ran.json["conflicts"]] == ["parts/three.md"]
    assert service.text("parts/three.md") == "Three.\n"
    assert service.text("guide.md") == NEWER_GUIDE
    git(service.folder, "reset", "--hard", "--quiet")
    assert state_of(service.folder) == before


def ignored(service: Owned, lines: str) -> None:
    service.edit({".gitignore": f"*.local\n{lines}"})


@pytest.mark.parametrize("dry", [True, False])
def test_a_file_where_the_template_has_a_folder_now_is_never_removed(
    service: Owned, dry: bool
) -> None:
    ignored(service, "/scripts\n")
    (service.folder / "scripts").write_text("The owner's, and ignored.\n")
    before = state_of(service.folder)
    ran = service.update(*(["--dry-run"] if dry else []))
    assert ran.code == 3
    assert "scripts" in ran.err
    assert state_of(service.folder) == before


def test_a_link_where_the_template_has_a_folder_now_is_not_followed(
    service: Owned, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    ignored(service, "/scripts\n")
    (service.folder / "scripts").symlink_to(tmp_path / "elsewhere")
    ran = service.update()
    assert (ran.code, list((tmp_path / "elsewhere").iterdir())) == (3, [])


def test_a_folder_where_the_template_has_a_file_now_is_never_removed(service: Owned) -> None:
    ignored(service, "/added.md\n")
    (service.folder / "added.md").mkdir()
    (service.folder / "added.md" / "notes").write_text("The owner's, and ignored.\n")
    before = state_of(service.folder)
    assert service.update().code == 3
    assert state_of(service.folder) == before


def test_a_file_of_the_owners_that_has_the_name_of_a_new_folder_is_a_conflict(
    service: Owned,
) -> None:
    service.edit({"scripts": "The owner's.\n"})
    ran = service.update("--json")
    assert ran.code == 4
    (conflict,) = ran.json["conflicts"]
    assert service.text(conflict["file"]) == "The owner's.\n"
    assert service.text("scripts/run.md") == "Run.\n"


def test_what_is_ignored_and_that_the_template_did_not_change_is_no_obstacle(
    lineage: Lineage, made: Path, tmp_path: Path
) -> None:
    """A monorepo ignores `parts/` everywhere, so those files never were in git."""
    shutil.copytree(made / FIRST, tmp_path / "my-svc")
    service = Owned(tmp_path / "my-svc", lineage[SECOND])
    git(service.folder, "init", "--quiet")
    ignored(service, "parts/\nexample/\n")
    ran = service.update("--json")
    assert ran.code == 0, ran
    assert service.text("guide.md") == NEWER_GUIDE
    assert service.text("example/one.md") != NEWER_EXAMPLE
    assert ran.json["warnings"] == [
        "example/one.md: the template changed it, but your file is not in git, "
        "so it was not updated."
    ]


# ---- line ends


@pytest.mark.parametrize("how", ["autocrlf", "attributes"])
def test_line_ends_of_the_owners_choice_stay(
    lineage: Lineage, service: Owned, tmp_path: Path, how: str
) -> None:
    if how == "attributes":
        service.edit({".gitattributes": "* text=auto eol=crlf\n"})
    settings = tmp_path / "gitconfig"
    settings.write_text("[core]\nautocrlf = true\n" if how == "autocrlf" else "")
    given = {"GIT_CONFIG_GLOBAL": str(settings)}
    wish = ["-c", "core.autocrlf=true"] if how == "autocrlf" else []
    git(tmp_path, *wish, "clone", "--quiet", *wish, service.folder.as_uri(), "clone")
    clone = Owned(tmp_path / "clone", service.tool)
    assert b"\r\n" in (clone.folder / "guide.md").read_bytes()
    ran = clone.update(**given)
    assert (ran.code, ran.err) == (0, "")
    for name in ("guide.md", "added.md", "new-name.md", ".copier-answers.yml"):
        content = (clone.folder / name).read_bytes()
        assert content.count(b"\n") == content.count(b"\r\n") > 0, name
    assert clone.text("guide.md") == NEWER_GUIDE
    git(clone.folder, *wish, "commit", "--quiet", "--all", "--message", "Update")
    assert clone.with_tool(lineage[THIRD]).update(**given).code == 0


# ---- a larger repository


@pytest.fixture
def monorepo(lineage: Lineage, made: Path, tmp_path: Path) -> Owned:
    """A service in a repository with other things."""
    (tmp_path / "mono" / "services").mkdir(parents=True)
    shutil.copytree(made / FIRST, tmp_path / "mono" / "services" / "my-svc")
    (tmp_path / "mono" / "other.md").write_text("Other.\n")
    git(tmp_path / "mono", "init", "--quiet", "--initial-branch=main")
    commit(tmp_path / "mono")
    return Owned(tmp_path / "mono" / "services" / "my-svc", lineage[SECOND])


def test_a_change_far_from_the_service_that_is_not_staged_is_no_obstacle(monorepo: Owned) -> None:
    other = monorepo.folder.parents[1] / "other.md"
    other.write_text("Being worked on.\n")
    assert monorepo.update().code == 0
    assert other.read_text() == "Being worked on.\n"
    assert monorepo.text("guide.md") == NEWER_GUIDE


def test_what_is_staged_far_from_the_service_would_be_committed_with_the_update(
    monorepo: Owned,
) -> None:
    (monorepo.folder.parents[1] / "other.md").write_text("Staged.\n")
    git(monorepo.folder.parents[1], "add", "other.md")
    ran = monorepo.update()
    assert ran.code == 3
    assert "other.md" in ran.err


def test_a_sparse_checkout_and_a_partial_clone_can_be_updated(
    monorepo: Owned, tmp_path: Path
) -> None:
    root = monorepo.folder.parents[1]
    git(root, "config", "uploadpack.allowFilter", "true")
    wish = ("--quiet", "--filter=blob:none", "--sparse", "--no-local")
    git(tmp_path, "clone", *wish, root.as_uri(), "clone")
    git(tmp_path / "clone", "sparse-checkout", "set", "--no-cone", "/services/*", "!example/")
    service = Owned(tmp_path / "clone" / "services" / "my-svc", monorepo.tool)
    assert not service.has("example/one.md")
    assert service.update("--dry-run").code == 0
    ran = service.update()
    assert (ran.code, ran.err) == (0, "")
    assert service.text("guide.md") == NEWER_GUIDE
    assert not service.has("example/one.md"), "it is outside the sparse checkout"
    assert git(service.folder, "show", ":./example/one.md") == NEWER_EXAMPLE


# ---- variables and settings


@pytest.mark.parametrize(
    "variables",
    [
        {"GIT_LITERAL_PATHSPECS": "1"},
        {"GIT_ICASE_PATHSPECS": "1"},
        {"GIT_TRACE": "1"},
        {"GIT_ALLOW_PROTOCOL": "https"},
        {"LC_MESSAGES": "de_DE.UTF-8", "LANGUAGE": "de"},
    ],
    ids=lambda given: next(iter(given)),
)
def test_a_variable_for_git_changes_nothing(service: Owned, variables: Mapping[str, str]) -> None:
    service.edit({"guide.md": None})
    ran = service.update(**variables)
    assert (ran.code, ran.err) == (0, "")
    assert not service.has("guide.md")
    assert service.text("added.md") == "New.\n"


@pytest.mark.parametrize(
    "settings",
    [
        "[safe]\nbareRepository = explicit\n",
        '[protocol]\nallow = never\n[protocol "file"]\nallow = never\n',
        "[diff]\norderFile = /nonexistent\n",
        "[core]\nexcludesFile = {excludes}\nsafecrlf = true\n",
        "[alias]\nadd = !false\n[merge]\nrenormalize = true\n",
    ],
    ids=["bare", "protocol", "order", "excludes", "alias"],
)
def test_a_setting_that_changes_our_work_does_not_count(
    service: Owned, tmp_path: Path, settings: str
) -> None:
    (tmp_path / "excludes").write_text("*.md\n")
    file = tmp_path / "gitconfig"
    file.write_text(settings.format(excludes=tmp_path / "excludes"))
    given = {"GIT_CONFIG_GLOBAL": str(file)}
    ran = service.update("--dry-run", **given)
    assert (ran.code, ran.err) == (0, "")
    assert "b/added.md" in ran.out
    assert service.run("check", ".", **given).code == 5
    assert service.update(**given).code == 0
    assert service.text("added.md") == "New.\n"
    assert service.text("guide.md") == NEWER_GUIDE


def test_a_repository_of_another_owner_is_told_and_no_git_init(
    service: Owned, tmp_path: Path
) -> None:
    given = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    fake = tmp_path / "programs" / "git"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {shutil.which("git")} "$@"\n'
    )
    fake.chmod(0o755)
    path = os.pathsep.join([str(fake.parent), os.environ["PATH"]])
    ran = service.update("--json", PATH=path, **given)
    assert (ran.code, ran.json["error"]["kind"]) == (3, "foreign-owner")
    assert "git init" not in ran.json["error"]["message"]
    assert "safe.directory" in ran.json["error"]["message"]


def test_a_setting_of_git_that_cannot_be_read_is_told_as_that(
    service: Owned, tmp_path: Path
) -> None:
    (tmp_path / "gitconfig").write_text("[core\n")
    ran = service.update("--json", GIT_CONFIG_GLOBAL=str(tmp_path / "gitconfig"))
    assert (ran.code, ran.json["error"]["kind"]) == (3, "bad-settings")
    assert "bad config line 1" in ran.json["error"]["message"]
    assert "git init" not in ran.json["error"]["message"]


def test_a_git_that_is_at_work_is_told_and_left_alone(service: Owned) -> None:
    lock = service.folder / ".git" / "index.lock"
    lock.touch()
    before = state_of(service.folder)
    ran = service.update("--json")
    assert (ran.code, ran.json["error"]["kind"]) == (3, "index-locked")
    assert state_of(service.folder) == before


SUBCOMMANDS = [
    *("rev-parse", "ls-tree", "status", "diff-index", "clone", "read-tree", "add", "write-tree"),
    *("commit-tree", "merge-tree", "diff-tree", "update-index", "ls-files", "checkout-index"),
]


@pytest.mark.parametrize("subcommand", SUBCOMMANDS)
def test_whatever_git_refuses_is_told_with_its_reason_and_changes_nothing(
    service: Owned, tmp_path: Path, subcommand: str
) -> None:
    """At its last call, as far as there are several: what can be done before it is done."""
    fake = tmp_path / "programs" / "git"
    fake.parent.mkdir()
    refusal = "echo 'warning: no matter' >&2; echo 'fatal: a quota exceeded' >&2; exit 128"
    fake.write_text(
        f'#!/bin/sh\ncase " $* " in *" {subcommand} "*) {refusal};; esac\n'
        f'exec {shutil.which("git")} "$@"\n'
    )
    fake.chmod(0o755)
    before = state_of(service.folder)
    path = os.pathsep.join([str(fake.parent), os.environ["PATH"]])
    ran = service.update("--json", PATH=path)
    assert ran.code == 3, ran
    assert "a quota exceeded" in ran.json["error"]["message"]
    assert "no matter" not in ran.json["error"]["message"]
    assert state_of(service.folder) == before


# ---- where the repository is


def test_a_linked_work_tree_and_a_git_directory_elsewhere_can_be_updated(
    service: Owned, tmp_path: Path
) -> None:
    git(service.folder, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    linked = Owned(tmp_path / "linked", service.tool)
    assert linked.update().code == 0
    assert linked.text("guide.md") == NEWER_GUIDE
    assert service.state == ""
    git(service.folder, "init", "--quiet", f"--separate-git-dir={tmp_path / 'elsewhere'}")
    assert service.update().code == 0
    assert service.text("guide.md") == NEWER_GUIDE


@pytest.mark.parametrize("fails", [False, True])
def test_a_git_directory_on_another_disk_is_no_matter(
    service: Owned, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """Then nothing is linked or renamed from there, only copied."""
    rename = Path.replace
    left = iter(range(4))

    def replace(path: Path, target: Path) -> Path:
        if ("scaffold-update" in path.parts) and path.name != "plan.json":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        if fails and path.name.endswith(".scaffold-new") and next(left, None) is None:
            monkeypatch.setattr(Path, "replace", rename)
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return rename(path, target)

    def link(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(os, "link", link)
    before = state_of(service.folder)
    ran = service.update()
    if fails:
        assert (ran.code, "No space left on device" in ran.err) == (3, True)
        assert state_of(service.folder) == before
    else:
        assert (ran.code, ran.err) == (0, "")
        assert service.text("guide.md") == NEWER_GUIDE
        assert not list(service.folder.rglob("*.scaffold-new"))


# ---- what a killed run left


def killed(service: Owned) -> None:
    """Leaves the service as a run does that is killed just before the index is put in place."""
    program = (
        "import os, pathlib, sys\n"
        "from scaffold import cli\n"
        "rename = pathlib.Path.replace\n"
        "def replace(path, target):\n"
        "    if path.name == 'index.lock':\n"
        "        os._exit(9)\n"
        "    return rename(path, target)\n"
        "pathlib.Path.replace = replace\n"
        "cli.run(['update'])\n"
    )
    command = [service.tool.command[0], "-P", "-c", program]
    given = service.tool.environment | SOMEBODY
    done = subprocess.run(command, cwd=service.folder, env=given, check=False)
    assert done.returncode == 9


def test_what_a_killed_run_changed_is_undone_by_the_next(service: Owned) -> None:
    (service.folder / "guide.md").chmod(0o600)
    before = state_of(service.folder)
    killed(service)
    assert service.text("guide.md") == NEWER_GUIDE
    found = repository.repository_of(service.folder)
    assert journal.recover(found)
    assert state_of(service.folder) == before
    assert not journal.recover(found)


def test_what_somebody_did_after_a_run_was_killed_stays(service: Owned) -> None:
    killed(service)
    (service.folder / ".git" / "index.lock").unlink()
    (service.folder / "guide.md").write_text("Written since.\n")
    ran = service.update()
    assert ran.code == 3
    assert "guide.md" in ran.err
    assert service.text("guide.md") == "Written since.\n"
    assert not service.has("added.md")


def test_a_killed_run_whose_files_were_committed_is_forgotten(service: Owned) -> None:
    killed(service)
    (service.folder / ".git" / "index.lock").unlink()
    commit(service.folder)
    before = state_of(service.folder)
    journal.recover(repository.repository_of(service.folder))
    assert state_of(service.folder) == before._replace(left=[])


def test_what_cannot_be_undone_is_kept_for_the_next_run(
    service: Owned, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state_of(service.folder)
    with monkeypatch.context() as patch:

        def refuse(path: Path, target: Path) -> Path:
            if path.name == "index.lock" or path.parent.name == "old":
                raise OSError(errno.EIO, "Input/output error", str(target))
            return rename(path, target)

        rename = Path.replace
        patch.setattr(Path, "replace", refuse)
        ran = service.update()
    assert ran.code == 3
    assert "cannot be undone yet" in ran.err
    assert journal.recover(repository.repository_of(service.folder))
    assert state_of(service.folder) == before


def test_a_run_that_is_alive_is_left_alone(service: Owned) -> None:
    found = repository.repository_of(service.folder)
    with journal.begun(found):
        with pytest.raises(TargetError, match="scaffold is already running"):
            journal.recover(found)
        ran = service.update()
    assert (ran.code, service.state) == (3, "")
