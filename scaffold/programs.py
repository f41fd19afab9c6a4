"""Runs other programs (git, uv), with nobody to ask. subprocess only here."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scaffold.escaping import escape

SECONDS = 120
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# They would make git work on another repository than the one of its folder.
FOREIGN = (
    "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_COMMON_DIR GIT_NAMESPACE "
    "GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_PREFIX"
).split()
# The same bytes on every machine, no program of a repository's or a user's choice, no signature.
PLAIN_GIT = [
    word
    for setting in (
        f"core.hooksPath={os.devnull}",
        "core.fsmonitor=false",
        "core.autocrlf=false",
        "core.quotePath=false",
        "commit.gpgSign=false",
        "gc.auto=0",
    )
    for word in ("-c", setting)
]


class ProgramFailed(Exception):
    """A program that could not be run or did not end well; what it complained of, in one line."""


class Ended(NamedTuple):
    code: int
    out: bytes
    err: bytes

    @property
    def complaint(self) -> str:
        """The line that says most: uv and git put their reason first."""
        plain = COLOURS.sub("", self.err.decode("utf-8", "replace"))
        lines = plain.strip().splitlines()
        return escape(lines[0].strip()) if lines else "it gave no reason"


def found(program: str) -> bool:
    return shutil.which(program) is not None


def run(
    folder: Path,
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
    seconds: float = SECONDS,
) -> Ended:
    """Runs `command` in `folder` to its end; `given` is what it reads.

    Raises ProgramFailed where it is not there, or takes longer than `seconds`.
    """
    kept = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**kept, "GIT_TERMINAL_PROMPT": "0", **(environment or {})},
            input=given,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProgramFailed(f"{command[0]}: it took longer than {seconds:g} seconds") from error
    except OSError as error:
        raise ProgramFailed(f"{command[0]}: {error.strerror or error}") from error
    return Ended(done.returncode, done.stdout, done.stderr)


def git(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
) -> bytes:
    """What git prints, run the same whatever the user's settings. Raises ProgramFailed."""
    ended = run(folder, ["git", *PLAIN_GIT, *arguments], environment, given)
    if ended.code:
        raise ProgramFailed(f"git {arguments[0]}: {ended.complaint}")
    return ended.out


def git_line(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """The one line that git prints. Raises ProgramFailed."""
    return git(folder, *arguments, environment=environment).decode().rstrip("\n")


def git_paths(folder: Path, *arguments: str) -> list[str]:
    """The paths that git prints with NUL between them. Raises ProgramFailed."""
    printed = git(folder, *arguments).decode("utf-8", "surrogateescape")
    return [path for path in printed.split("\0") if path]
