"""A service in a repository of its owner's, and the commands that it grows by."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from scaffold import cli
from tests.tool.conftest import Ran
from tests.tool.lineage import SOMEBODY, commit, git

NAME = "hotel"


@dataclass(frozen=True)
class Service:
    folder: Path

    def run(self, *arguments: str) -> Ran:
        return run(self.folder, *arguments)

    def grow(self, *arguments: str) -> Ran:
        """Runs `add` or `remove`, which has to succeed, and commits what it did."""
        ran = self.run(*arguments, "--no-lock")
        assert ran.code == 0, ran.err
        commit(self.folder)
        return ran

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        commit(self.folder)

    def contents(self) -> dict[str, str]:
        listed = git(self.folder, "ls-files").split("\n")
        return {name: (self.folder / name).read_text() for name in listed if name}


def run(folder: Path, *arguments: str) -> Ran:
    """The command, in this process: a process of its own takes a second to start."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        patch.delenv("SCAFFOLD_SOURCE", raising=False)
        patch.setenv("XDG_CONFIG_HOME", str(folder / "no-settings"))
        for name, value in SOMEBODY.items():
            patch.setenv(name, value)
        code = cli.run(arguments)
        out.flush()
        err.flush()
    printed = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    return Ran(code, *printed)


def made(folder: Path, framework: str, declarations: Sequence[str], name: str = NAME) -> Service:
    """A service of these resources in `folder`, committed."""
    folder.mkdir(parents=True, exist_ok=True)
    flags = [word for text in declarations for word in ("--resource", text)]
    arguments = ("--framework", framework, "--defaults", "--no-lock", *flags)
    ran = run(folder, "new", name, *arguments)
    assert ran.code == 0, ran.err
    return Service(folder / name)


def program(folder: Path, *arguments: str, **environment: str) -> str:
    """Runs a program of the service's environment, which has to succeed."""
    python = folder / ".venv" / "bin"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    ended = subprocess.run(
        [str(python / arguments[0]), *arguments[1:]],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, f"{arguments}\n{ended.stdout}{ended.stderr}"
    return ended.stdout
