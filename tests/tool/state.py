"""What a failed run has to leave as it was: every file of a folder, and git's view of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from tests.tool.lineage import git

OURS = ("scaffold-update", "index.lock")


class State(NamedTuple):
    """`files` are of the working tree, ignored ones and folders included, with modes."""

    head: str
    index: str
    files: dict[str, tuple[int, bytes]]
    left: list[str]  # in the git directory, of a run


def state_of(folder: Path) -> State:
    """The state of the folder, and of the repository that it is the top of, if it is one."""
    files = {
        path.relative_to(folder).as_posix(): _file(path)
        for path in folder.rglob("*")
        if ".git" not in path.relative_to(folder).parts
    }
    if not (folder / ".git").exists():
        return State("", "", files, [])
    left = [name for name in OURS if (folder / ".git" / name).exists()]
    head = git(folder, "rev-list", "--all", "--max-count=1")
    return State(head, git(folder, "ls-files", "--stage"), files, left)


def _file(path: Path) -> tuple[int, bytes]:
    mode = path.lstat().st_mode
    if path.is_symlink():
        return stat.S_IFLNK, os.fsencode(path.readlink())
    return stat.S_IMODE(mode), b"" if path.is_dir() else path.read_bytes()
