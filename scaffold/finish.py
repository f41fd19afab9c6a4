"""What makes a fresh service ready to work in: its lock and its first commit.

Neither is needed for the service to stand, so a failure is a warning.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

SECONDS = 120
FIRST_MESSAGE = "Start from the template"
# They would make git work on another repository than the new one.
FOREIGN = (
    "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_COMMON_DIR GIT_NAMESPACE "
    "GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_PREFIX"
).split()
# Without a signature or a hook of the user's: either may ask something that nobody answers.
FIRST_COMMIT = (
    "git init --quiet --initial-branch=main".split(),
    "git add --all".split(),
    [*"git -c commit.gpgsign=false commit --quiet --no-verify --message".split(), FIRST_MESSAGE],
)


def lock(folder: Path) -> str | None:
    """Resolves the dependencies into uv.lock; a warning where that did not work."""
    if not shutil.which("uv"):
        return (
            "No lock was made, as uv is not installed; `pip install uv` brings it, and the service "
            "needs it. Run `uv lock` before the image is built."
        )
    why = _run(folder, ["uv", "lock", "--quiet", "--no-progress"])
    return f"No lock was made; run `uv lock` later. {why}" if why else None


def first_commit(folder: Path) -> str | None:
    """Makes `folder` a git repository with one commit; a warning where that did not work."""
    if not shutil.which("git"):
        return "No repository was made, as git is not installed."
    if _run(folder, ["git", "rev-parse", "--is-inside-work-tree"]) is None:
        return "No repository was made, as the service lies in one already; commit it there."
    why = next((why for command in FIRST_COMMIT if (why := _run(folder, command))), None)
    return f"The first commit was not made; run `git commit` yourself. {why}" if why else None


def _run(folder: Path, command: Sequence[str]) -> str | None:
    """Runs `command` in `folder` with nobody to ask; what it complained of where it failed."""
    kept = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=kept | {"GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"({command[0]}: {error})"
    return f"({command[0]}: {_complaint(done.stderr)})" if done.returncode else None


def _complaint(stderr: bytes) -> str:
    """The line that says most: uv and git put their reason first."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[0].strip() if lines else "it gave no reason"
