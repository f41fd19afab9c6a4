"""What makes a fresh service ready to work in: its lock and its first commit.

Neither is needed for the service to stand, so a failure is a warning.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from scaffold import programs
from scaffold.programs import ProgramFailed

FIRST_MESSAGE = "Start from the template"
# Without a signature or a hook of the user's: either may ask something that nobody answers.
FIRST_COMMIT = (
    "git init --quiet --initial-branch=main".split(),
    "git add --all".split(),
    [*"git -c commit.gpgsign=false commit --quiet --no-verify --message".split(), FIRST_MESSAGE],
)


def lock(folder: Path) -> str | None:
    """Resolves the dependencies into uv.lock; a warning where that did not work."""
    if not programs.found("uv"):
        return (
            "No lock was made, as uv is not installed; `pip install uv` brings it, and the service "
            "needs it. Run `uv lock` before the image is built."
        )
    why = _run(folder, ["uv", "lock", "--quiet", "--no-progress"])
    return f"No lock was made; run `uv lock` later. {why}" if why else None


def first_commit(folder: Path) -> str | None:
    """Makes `folder` a git repository with one commit; a warning where that did not work."""
    if not programs.found("git"):
        return "No repository was made, as git is not installed."
    if _run(folder, ["git", "rev-parse", "--is-inside-work-tree"]) is None:
        return "No repository was made, as the service lies in one already; commit it there."
    try:
        why = next((why for command in FIRST_COMMIT if (why := _run(folder, command))), None)
    except KeyboardInterrupt:
        shutil.rmtree(folder / ".git", ignore_errors=True)  # half of one is of no use
        raise
    return f"The first commit was not made; run `git commit` yourself. {why}" if why else None


def _run(folder: Path, command: Sequence[str]) -> str | None:
    """Runs `command` in `folder`; what it complained of where it failed."""
    try:
        ended = programs.run(folder, command)
    except ProgramFailed as failed:
        return f"({failed})"
    return f"({command[0]}: {ended.complaint})" if ended.code else None
