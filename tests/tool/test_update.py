"""A service keeps up with its template, and keeps what its owner made of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.tool.conftest import Checkout
from tests.tool.lineage import (
    DROPPED,
    FIRST,
    GUIDE,
    MOVED,
    NEWER_EXAMPLE,
    NEWER_GUIDE,
    NEWER_MOVED,
    NEWEST_GUIDE,
    SECOND,
    SOMEBODY,
    THIRD,
    Lineage,
    Owned,
    commit,
    git,
)
from tests.tool.terminal import CTRL_C, Terminal
from tests.tool.test_cli import tree

EDITED = ("line 25\n", "line 25, in the owner's words\n")
EDITED_MOVED = ("moved 25\n", "moved 25, in the owner's words\n")
CLASHING = ("line 3\n", "line 3, in the owner's words\n")


@pytest.fixture
def service(lineage: Lineage, made: Path, tmp_path: Path) -> Owned:
    """A service of the first release, where the second is installed now."""
    return owned(made / FIRST, tmp_path / "my-svc", lineage[SECOND])


def owned(made: Path, folder: Path, tool: Checkout) -> Owned:
    shutil.copytree(made, folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return Owned(folder, tool)


# ---- what arrives, and what stays


def test_what_the_template_changed_arrives(service: Owned) -> None:
    ran = service.update()
    assert (ran.code, ran.err) == (0, "")
    assert service.text("guide.md") == NEWER_GUIDE
    assert service.text("added.md") == "New.\n"
    assert not service.has("dropped.md")
    assert f'_commit: "v{SECOND}"' in service.text(".copier-answers.yml")


def test_what_the_owner_changed_stays(service: Owned) -> None:
    service.edit(
        {
            "guide.md": GUIDE.replace(*EDITED),
            "own.md": "The owner's.\n",
            "README.md": None,
            "src/my_svc/app.py": "DATABASE = None\n",
        }
    )
    assert service.update().code == 0
    assert service.text("guide.md") == NEWER_GUIDE.replace(*EDITED)
    assert service.text("own.md") == "The owner's.\n"
    assert not service.has("README.md")
    assert service.text("src/my_svc/app.py") == "DATABASE = None\n"


def test_two_releases_are_taken_in_one_step_or_in_two_alike(
    lineage: Lineage, service: Owned, tmp_path: Path
) -> None:
    service.edit({"guide.md": GUIDE.replace(*EDITED)})
    direct = Owned(tmp_path / "direct", lineage[THIRD])
    shutil.copytree(service.folder, direct.folder)
    assert direct.update().code == 0
    assert service.update().code == 0
    commit(service.folder)
    assert service.with_tool(lineage[THIRD]).update().code == 0
    assert tree(direct.folder) == tree(service.folder)
    assert service.text("guide.md") == NEWEST_GUIDE.replace(*EDITED)


def test_an_edit_follows_a_file_that_the_template_renamed(service: Owned) -> None:
    service.edit({"old-name.md": MOVED.replace(*EDITED_MOVED)})
    assert service.update().code == 0
    assert not service.has("old-name.md")
    assert service.text("new-name.md") == NEWER_MOVED.replace(*EDITED_MOVED)


def test_what_the_template_changed_follows_a_file_that_the_owner_renamed(service: Owned) -> None:
    git(service.folder, "mv", "guide.md", "manual.md")
    git(service.folder, "mv", "example", "orders")
    commit(service.folder)
    assert service.update().code == 0
    assert service.text("manual.md") == NEWER_GUIDE
    assert service.text("orders/one.md") == NEWER_EXAMPLE
    assert service.text("orders/two.md") == "Two.\n"
    assert not service.has("guide.md")
    assert not service.has("example")


def test_what_the_owner_removed_stays_removed(service: Owned) -> None:
    """Also where the template changes the file, or puts a new one into a folder that is gone."""
    service.edit({"guide.md": None, "example/one.md": None})
    ran = service.update()
    assert (ran.code, ran.err) == (0, "")
    assert not service.has("guide.md")
    assert list((service.folder / "example").iterdir()) == []


def test_bytes_that_are_no_text_stay(service: Owned) -> None:
    latin = GUIDE.replace("line 25\n", "caf\u00e9\n").encode("latin-1")
    image = bytes(range(256)) * 8
    service.edit({"guide.md": latin, "logo.png": image, "d\u00e9j\u00e0 \u201cvu\u201d.md": image})
    assert service.update().code == 0
    merged = (service.folder / "guide.md").read_bytes()
    assert merged == NEWER_GUIDE.replace("line 25\n", "caf\u00e9\n").encode("latin-1")
    assert (service.folder / "logo.png").read_bytes() == image
    assert (service.folder / "d\u00e9j\u00e0 \u201cvu\u201d.md").read_bytes() == image


# ---- conflicts


def test_a_conflict_is_markers_in_the_file_and_exit_code_4(service: Owned) -> None:
    service.edit({"guide.md": GUIDE.replace(*CLASHING)})
    ran = service.update()
    assert ran.code == 4
    assert "guide.md: you and the template changed the same lines" in " ".join(ran.out.split())
    text = service.text("guide.md")
    begin, middle, end = (text.index(mark) for mark in ("<<<<<<< ", "\n=======\n", "\n>>>>>>> "))
    assert "in the owner's words" in text[begin:middle]
    assert "said better" in text[middle:end]
    assert "UU guide.md" in service.state
    assert not list(service.folder.rglob("*.rej"))
    assert service.text("added.md") == "New.\n", "what is in no conflict has arrived"


def test_a_conflict_can_be_settled_or_the_update_undone(service: Owned) -> None:
    service.edit({"guide.md": GUIDE.replace(*CLASHING)})
    before = tree(service.folder)
    assert service.update().code == 4
    git(service.folder, "reset", "--hard", "--quiet")
    assert tree(service.folder) == before
    assert service.update().code == 4
    (service.folder / "guide.md").write_text(NEWER_GUIDE)
    commit(service.folder)
    assert service.state == ""
    assert service.update().code == 0


def test_an_edited_file_that_the_template_dropped_is_kept_and_said(service: Owned) -> None:
    service.edit({"dropped.md": DROPPED + "The owner's.\n"})
    ran = service.update("--json")
    assert ran.code == 4
    (conflict,) = ran.json["conflicts"]
    assert conflict["file"] == "dropped.md"
    assert "no longer has this file" in conflict["why"]
    assert service.text("dropped.md") == DROPPED + "The owner's.\n"


# ---- dry run


def test_a_dry_run_shows_the_diff_and_writes_nothing(service: Owned) -> None:
    service.edit({"guide.md": GUIDE.replace(*EDITED)})
    before, objects = tree(service.folder), tree(service.folder / ".git")
    ran = service.update("--dry-run")
    assert ran.code == 0
    assert tree(service.folder) == before
    assert tree(service.folder / ".git") == objects
    (service.folder.parent / "update.diff").write_text(ran.out)
    git(service.folder, "apply", "--index", "../update.diff")
    after = tree(service.folder)
    git(service.folder, "reset", "--hard", "--quiet")
    assert service.update().code == 0
    assert tree(service.folder) == after


def test_a_dry_run_foretells_a_conflict(service: Owned) -> None:
    service.edit({"guide.md": GUIDE.replace(*CLASHING)})
    ran = service.update("--dry-run", "--json")
    assert ran.code == 4
    assert [conflict["file"] for conflict in ran.json["conflicts"]] == ["guide.md"]
    assert "+<<<<<<< " in ran.json["diff"]
    assert service.state == ""


# ---- what is refused


def test_what_is_not_committed_is_refused(service: Owned) -> None:
    (service.folder / "own.md").write_text("Not committed.\n")
    before = tree(service.folder)
    ran = service.update()
    assert ran.code == 3
    assert "own.md" in ran.err
    assert tree(service.folder) == before


def test_a_service_without_a_repository_can_be_updated_once_it_has_one(
    lineage: Lineage, made: Path, tmp_path: Path
) -> None:
    service = Owned(tmp_path / "my-svc", lineage[SECOND])
    shutil.copytree(made / FIRST, service.folder)
    refused = service.update()
    assert refused.code == 3
    assert "git init" in refused.err
    git(service.folder, "init", "--quiet")
    commit(service.folder)
    assert service.update().code == 0
    assert service.text("guide.md") == NEWER_GUIDE


def test_a_folder_that_is_no_service_is_refused(lineage: Lineage, tmp_path: Path) -> None:
    ran = Owned(tmp_path, lineage[FIRST]).update("--json")
    assert (ran.code, ran.json["error"]["kind"]) == (3, "not-a-service")


@pytest.mark.parametrize(("flag", "value"), [("--framework", "tornado"), ("--name", "other-svc")])
def test_another_framework_or_name_is_refused_with_the_reason(
    service: Owned, flag: str, value: str
) -> None:
    before = tree(service.folder)
    ran = service.update(flag, value)
    assert ran.code == 2
    assert "scaffold new" in ran.err
    assert tree(service.folder) == before


def test_a_service_of_a_newer_release_asks_for_a_newer_tool(
    lineage: Lineage, made: Path, tmp_path: Path
) -> None:
    service = owned(made / THIRD, tmp_path / "my-svc", lineage[SECOND])
    ran = service.update("--json")
    assert (ran.code, ran.json["error"]["kind"]) == (3, "unknown-release")
    assert f"v{THIRD}" in ran.json["error"]["message"]


# ---- answers


def test_a_new_question_takes_its_default_without_a_terminal(
    lineage: Lineage, service: Owned
) -> None:
    assert service.with_tool(lineage[THIRD]).update().code == 0
    assert service.text("tier.md") == "standard\n"
    assert 'tier: "standard"' in service.text(".copier-answers.yml")


def test_a_new_question_can_be_answered_by_its_flag(lineage: Lineage, service: Owned) -> None:
    assert service.with_tool(lineage[THIRD]).update("--tier", "critical").code == 0
    assert service.text("tier.md") == "critical\n"


def test_an_answer_can_be_changed(service: Owned) -> None:
    assert service.update().code == 0
    commit(service.folder)
    ran = service.update("--database", "postgresql", "--ci", "none")
    assert ran.code == 0
    assert service.text("src/my_svc/app.py") == 'DATABASE = "postgresql"\n'
    assert not service.has(".github")
    assert 'database: "postgresql"' in service.text(".copier-answers.yml")


def test_an_answer_that_is_none_is_refused(service: Owned) -> None:
    ran = service.update("--database", "oracle")
    assert (ran.code, service.state) == (2, "")


# ---- what is told


def test_what_changes_in_the_service_is_told_and_nothing_else(
    lineage: Lineage, service: Owned
) -> None:
    ran = service.with_tool(lineage[THIRD]).update()
    told = " ".join(ran.out.split())
    assert "The guide says line 3 better, and that is all there is to it." in told
    assert "The guide says line 9 better." in told
    assert "no service sees" not in told
    assert "Everything." not in told


def test_json_has_what_changed(lineage: Lineage, service: Owned) -> None:
    shown = service.with_tool(lineage[THIRD]).update("--json").json
    assert (shown["from"], shown["to"], shown["framework"]) == (f"v{FIRST}", f"v{THIRD}", "flask")
    assert {"file": "added.md", "how": "added"} in shown["files"]
    assert {"file": "dropped.md", "how": "removed"} in shown["files"]
    assert [change["version"] for change in shown["changes"]] == [THIRD, SECOND]
    assert shown["conflicts"] == []


def test_a_service_that_is_up_to_date_is_left_alone(
    lineage: Lineage, made: Path, tmp_path: Path
) -> None:
    service = owned(made / THIRD, tmp_path / "my-svc", lineage[THIRD])
    ran = service.update()
    assert (ran.code, service.state) == (0, "")
    assert "Nothing was changed" in ran.out


# ---- where it lies


def test_a_service_in_a_larger_repository_is_updated_alone(
    lineage: Lineage, made: Path, tmp_path: Path
) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "guide.md").write_text(GUIDE)
    inner = tmp_path / "services" / "deep"
    inner.mkdir(parents=True)
    shutil.copytree(made / FIRST, inner / "my-svc")
    commit(tmp_path)
    service = Owned(inner / "my-svc", lineage[SECOND])
    service.edit({"guide.md": GUIDE.replace(*EDITED)})
    assert service.update().code == 0
    assert service.text("guide.md") == NEWER_GUIDE.replace(*EDITED)
    assert (tmp_path / "guide.md").read_text() == GUIDE
    assert all(" services/deep/my-svc/" in line for line in service.state.splitlines())
    commit(tmp_path)
    shown = service.with_tool(lineage[THIRD]).update("--json").json
    assert {"file": "tier.md", "how": "added"} in shown["files"]


def test_the_users_settings_for_git_change_nothing(service: Owned, tmp_path: Path) -> None:
    hook = tmp_path / "hooks" / "post-checkout"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[core]\nautocrlf = true\n"
        f"hooksPath = {hook.parent}\nattributesFile = {tmp_path}/attributes\n"
        "[merge]\nconflictStyle = diff3\nrenames = false\n[commit]\ngpgSign = true\n"
        "[diff]\nnoprefix = true\nmnemonicPrefix = true\nexternal = /bin/false\n"
        "[color]\nui = always\n[status]\nshowUntrackedFiles = no\nrelativePaths = true\n"
    )
    service.edit({"old-name.md": MOVED.replace(*EDITED_MOVED)})
    shown = service.update("--dry-run", GIT_CONFIG_GLOBAL=str(settings))
    assert "diff --git a/added.md b/added.md" in shown.out
    assert service.update(GIT_CONFIG_GLOBAL=str(settings)).code == 0
    assert service.text("new-name.md") == NEWER_MOVED.replace(*EDITED_MOVED)
    assert not (tmp_path / "ran").exists()


def test_an_update_needs_no_identity(service: Owned) -> None:
    nobody = {key: "" for key in SOMEBODY if "NAME" in key or "EMAIL" in key}
    ran = service.update(**nobody, HOME="/nonexistent", EMAIL="")
    assert ran.code == 0, ran.err


def test_a_clone_that_is_shallow_can_be_tried_and_updated(service: Owned, tmp_path: Path) -> None:
    service.edit({"guide.md": GUIDE.replace(*EDITED)})
    git(tmp_path, "clone", "--quiet", "--depth", "1", service.folder.as_uri(), "shallow")
    shallow = Owned(tmp_path / "shallow", service.tool)
    assert "said better" in shallow.update("--dry-run").out
    assert shallow.update().code == 0
    assert shallow.text("guide.md") == NEWER_GUIDE.replace(*EDITED)


def test_a_file_that_git_does_not_know_is_never_overwritten(
    lineage: Lineage, service: Owned
) -> None:
    (service.folder / "some.local").write_text("The owner's, and ignored.\n")
    newest = service.with_tool(lineage[THIRD])
    ran = newest.update()
    assert (ran.code, service.state) == (3, "")
    assert "some.local" in ran.err
    assert service.text("some.local") == "The owner's, and ignored.\n"
    (service.folder / "some.local").unlink()
    assert newest.update().code == 0


# ---- the lock


@pytest.fixture
def uv(tmp_path: Path) -> Path:
    """A `uv` in the place of the real one; what it does is up to the test."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("git", "sh", "echo"):
        (folder / name).symlink_to(str(shutil.which(name)))
    program(folder / "uv", "echo locked again > uv.lock")
    return folder / "uv"


def program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def test_a_project_that_changed_is_locked_again(lineage: Lineage, service: Owned, uv: Path) -> None:
    service.edit({"uv.lock": "locked\n"})
    ran = service.with_tool(lineage[THIRD]).update("--json", PATH=str(uv.parent))
    assert (ran.code, ran.json["warnings"]) == (0, [])
    assert service.text("uv.lock") == "locked again\n"


def test_a_project_that_did_not_change_keeps_its_lock(service: Owned, uv: Path) -> None:
    service.edit({"uv.lock": "locked\n"})
    assert service.update(PATH=str(uv.parent)).code == 0
    assert service.text("uv.lock") == "locked\n"


@pytest.mark.parametrize("without", ["an index", "uv", "being asked for"])
def test_no_new_lock_is_a_warning_or_a_wish(
    lineage: Lineage, service: Owned, uv: Path, without: str
) -> None:
    service.edit({"uv.lock": "locked\n"})
    program(uv, "echo 'error: no network' >&2; exit 1")
    if without == "uv":
        uv.unlink()
    wish = ["--no-lock"] if without == "being asked for" else []
    ran = service.with_tool(lineage[THIRD]).update("--json", *wish, PATH=str(uv.parent))
    assert ran.code == 0
    assert len(ran.json["warnings"]) == (0 if wish else 1)
    assert service.text("uv.lock") == "locked\n"


def test_the_lock_of_a_workspace_above_is_left_to_its_owner(
    lineage: Lineage, made: Path, uv: Path, tmp_path: Path
) -> None:
    """uv would write the lock of the root: another project's."""
    root = tmp_path / "mono"
    shutil.copytree(made / FIRST, root / "services" / "my-svc")
    workspace = '[tool.uv.workspace]\nmembers = ["services/*"]\n'
    (root / "pyproject.toml").write_text(workspace)
    (root / "uv.lock").write_text("locked\n")
    git(root, "init", "--quiet")
    commit(root)
    program(uv, "echo locked again > ../../uv.lock")
    member = Owned(root / "services" / "my-svc", lineage[THIRD])
    ran = member.update("--json", PATH=str(uv.parent))
    assert ran.code == 0
    (warning,) = ran.json["warnings"]
    assert f"the uv workspace in {root}" in warning
    assert (root / "uv.lock").read_text() == "locked\n"
    assert not member.has("uv.lock")


def test_a_project_in_conflict_is_not_locked(lineage: Lineage, service: Owned, uv: Path) -> None:
    service.edit({"uv.lock": "locked\n", "pyproject.toml": "[project]\nname = 'mine'\n"})
    ran = service.with_tool(lineage[THIRD]).update("--json", PATH=str(uv.parent))
    assert ran.code == 4
    assert "resolve them and run `uv lock`" in ran.json["warnings"][0]
    assert service.text("uv.lock") == "locked\n"


# ---- a person at a terminal, and one who gives up


def test_a_new_question_is_asked_at_a_terminal(lineage: Lineage, service: Owned) -> None:
    environment = SOMEBODY | {"PATH": os.environ["PATH"]}
    with Terminal(lineage[THIRD], service.folder, "update", environment=environment) as terminal:
        terminal.answer("Which tier is it in?", "2")
        assert terminal.end() == 0
        assert "What changes in your service" in terminal.text
    assert service.text("tier.md") == "critical\n"


def test_giving_up_at_the_question_changes_nothing(lineage: Lineage, service: Owned) -> None:
    environment = SOMEBODY | {"PATH": os.environ["PATH"]}
    with Terminal(lineage[THIRD], service.folder, "update", environment=environment) as terminal:
        terminal.wait_for("? Which tier is it in?")
        terminal.send(CTRL_C)
        assert terminal.end() == 130
        assert "Interrupted." in terminal.text
    assert service.state == ""


def test_a_git_that_is_too_old_is_named(lineage: Lineage, service: Owned, tmp_path: Path) -> None:
    """As git 2.37 answers: it knows another merge-tree, and no option of it."""
    folder = tmp_path / "programs"
    folder.mkdir()
    old = 'case " $* " in *" merge-tree "*) echo "usage: git merge-tree" >&2; exit 129;; esac'
    program(folder / "git", f'{old}\nexec {shutil.which("git")} "$@"')
    before = tree(service.folder)
    path = os.pathsep.join([str(folder), os.environ["PATH"]])
    ran = lineage[SECOND].scaffold("update", cwd=service.folder, **SOMEBODY | {"PATH": path})
    assert ran.code == 3
    assert ran.err == (
        "scaffold: `scaffold update` needs git 2.38 or newer; this version cannot merge trees.\n"
    )
    assert tree(service.folder) == before


@pytest.mark.parametrize("moment", ["merge-tree", "update-index"])
def test_an_update_that_is_interrupted_before_it_is_applied_changes_nothing(
    lineage: Lineage, service: Owned, tmp_path: Path, moment: str
) -> None:
    """Ctrl-C reaches the tool and git at once."""
    folder = tmp_path / "programs"
    folder.mkdir()
    real = shutil.which("git")
    signal = f'case " $* " in *" {moment} "*) kill -INT $PPID $$; esac'
    program(folder / "git", f'{signal}\nexec {real} "$@"')
    before = tree(service.folder)
    path = os.pathsep.join([str(folder), os.environ["PATH"]])
    ran = lineage[SECOND].scaffold("update", cwd=service.folder, **SOMEBODY | {"PATH": path})
    assert (ran.code, ran.err) == (130, "scaffold: Interrupted. Nothing was written.\n")
    assert tree(service.folder) == before
    assert service.state == ""


def test_an_update_that_is_interrupted_after_the_merge_is_whole_and_said_to_be(
    lineage: Lineage, service: Owned, uv: Path, tmp_path: Path
) -> None:
    service.edit({"uv.lock": "locked\n"})
    program(uv, "kill -INT $PPID; sleep 5")
    whole = Owned(tmp_path / "whole", lineage[THIRD])
    shutil.copytree(service.folder, whole.folder)
    assert whole.update("--no-lock").code == 0
    (uv.parent / "sleep").symlink_to(str(shutil.which("sleep")))
    given = SOMEBODY | {"PATH": str(uv.parent)}
    ran = lineage[THIRD].scaffold("update", cwd=service.folder, **given)
    assert ran.code == 130
    assert "`git reset --hard` undoes it" in ran.err
    assert tree(service.folder) == tree(whole.folder)
    assert service.state == whole.state
