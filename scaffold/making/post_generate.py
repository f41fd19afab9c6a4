"""What makes a fresh service ready to work in: its lock and its first commit.

Neither is needed for the service to stand, so a failure is a warning.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from scaffold import documents, programs
from scaffold.errors import NotInGit, ProgramFailed
from scaffold.escaping import quote_path
from scaffold.programs import git, git_line

FIRST_MESSAGE = "Start from the template"
LOCK = "uv.lock"
NO_LOCK = "`uv.lock` was not created; run `uv lock` later."
# The user's template for repositories may have excludes and hooks, as the settings may.
INIT = "init --quiet --initial-branch=main --template=".split()
ADD = ("-c", f"core.excludesFile={os.devnull}", "add", "--all")
COMMIT = ("commit", "--quiet", "--no-verify", "--message", FIRST_MESSAGE)


def lock(folder: Path) -> str | None:
    """Resolves the dependencies into uv.lock; a warning where that did not work.

    A lock that was there is as it was then.
    """
    if root := workspace_of(folder):
        return (
            f"`uv.lock` was not created, because the service belongs to the uv workspace in "
            f"{quote_path(root)}, which has one lock file; run `uv lock` there."
        )
    if not programs.found("uv"):
        return (
            "`uv.lock` was not created, because uv is not installed. The service needs uv: install "
            "it with `pip install uv`, and run `uv lock` before you build the image."
        )
    file = folder / LOCK
    before = file.read_bytes() if file.is_file() else None
    try:
        ended = programs.run(folder, ["uv", "lock", "--quiet", "--no-progress"])
    except ProgramFailed as failed:
        _restore(file, before)
        return f"{NO_LOCK} ({failed})"
    except KeyboardInterrupt:
        _restore(file, before)
        raise
    if ended.code:
        _restore(file, before)
        return f"{NO_LOCK} (uv: {ended.complaint})"
    return None


def _restore(file: Path, before: bytes | None) -> None:
    """Gives a lock its content again: uv may have written half of it."""
    with suppress(OSError):
        if before is None:
            file.unlink()
        elif file.read_bytes() != before:
            file.write_bytes(before)


def workspace_of(folder: Path) -> Path | None:
    """The root of the uv workspace that has `folder` as a member, as uv finds it."""
    folder = folder.resolve()
    for root in folder.parents:
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            workspace = documents.read_toml(root / "pyproject.toml")["tool"]["uv"]["workspace"]
            members, excluded = (
                {path for pattern in workspace.get(key, ()) for path in root.glob(pattern)}
                for key in ("members", "exclude")
            )
            return root if folder in members - excluded else None
    return None


def first_commit(folder: Path) -> str | None:
    """Makes `folder` a git repository with one commit; a warning where that did not work."""
    if not programs.found("git"):
        return "No git repository was created, because git is not installed."
    try:
        top = Path(git_line(folder, "rev-parse", "--show-toplevel"))
    except NotInGit:
        return _new_repository(folder)
    except ProgramFailed as failed:
        return (
            f"No git repository was created, because git does not work in {quote_path(folder)}. "
            f"({failed})"
        )
    if top != folder.resolve():
        return "No git repository was created, because the service is in one; commit it there."
    with suppress(ProgramFailed):
        git_line(folder, "rev-parse", "--verify", "HEAD")
        return "No commit was created, because the repository already has some; commit it there."
    try:
        git(folder, *ADD)
    except ProgramFailed as failed:
        return _uncommitted(failed)
    return _commit(folder)


def _new_repository(folder: Path) -> str | None:
    try:
        git(folder, *INIT)
        git(folder, *ADD)
        return _commit(folder)
    except ProgramFailed as failed:
        shutil.rmtree(folder / ".git", ignore_errors=True)  # half of one is of no use
        return f"No git repository was created; run `git init` yourself. ({failed})"
    except KeyboardInterrupt:
        shutil.rmtree(folder / ".git", ignore_errors=True)
        raise


def _commit(folder: Path) -> str | None:
    try:
        git(folder, *COMMIT)
    except ProgramFailed as failed:
        return _uncommitted(failed)
    return None


def _uncommitted(failed: ProgramFailed) -> str:
    return f"The first commit was not created; run `git commit` yourself. ({failed})"
