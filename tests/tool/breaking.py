"""Runs the command in a process of its own and breaks it at its k-th write, or at its k-th line.

It is broken by a signal (SIGKILL, SIGINT, SIGTERM) or by an error of the disk (ENOSPC, from there
on, or EACCES, once). LINE is SIGINT and SIGTERM together at a line of the tool.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import scaffold.__main__ as entry

LASTING = ("ENOSPC",)
WRITES = {"os.mkdir", "os.rename", "os.chmod", "os.link", "os.symlink"}
# What a full disk still does: it needs no room.
NEEDS_NO_ROOM = {"os.rename", "os.chmod"}
REMOVALS = {"os.remove", "os.rmdir"}  # by names within a folder that is open
TOOL = (f"{Path(entry.__file__).parent}/", contextlib.__file__)


class Broken(NamedTuple):
    """The exit code (negative: a signal), whether it was broken, and what it said on stderr."""

    code: int
    struck: bool
    said: str


class Break:
    """An audit hook: it sees every write of Python below a folder before it is done.

    With `programs` the start of another program counts as one.
    """

    def __init__(self, kind: str, at: int, folder: Path, programs: bool) -> None:
        self.kind = kind
        self.at = at
        self.seen = 0
        self._folder = f"{folder}/"
        self._programs = programs

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_write(event, arguments):
            return
        self.seen += 1
        lasting = self.kind in LASTING and self.seen > self.at
        if self.seen == self.at or (lasting and event not in NEEDS_NO_ROOM):
            self._strike(arguments[0])

    def _is_write(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "subprocess.Popen":
            return self._programs
        if event == "open":
            writes = bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        else:
            writes = event in WRITES
        if event in REMOVALS:
            return self.kind.startswith("SIG")
        return writes and any(str(one).startswith(self._folder) for one in arguments[:2])

    def _strike(self, path: object) -> None:
        if self.kind.startswith("SIG"):
            os.kill(os.getpid(), getattr(signal, self.kind))
        else:
            number = getattr(errno, self.kind)
            raise OSError(number, os.strerror(number), str(path))


class BreakAtLine:
    """A trace function: it sees each line of the tool, and of its with blocks, before it is run.

    Those before the tool heeds signals end it as they end any program.
    """

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(TOOL):
            return None
        if event == "line" and signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            self.seen += 1
            if self.seen == self.at:
                self._strike()
        return self

    def _strike(self) -> None:
        """Two at once: each would be an exception of its own."""
        both = {signal.SIGINT, signal.SIGTERM}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, both)
        for one in both:
            os.kill(os.getpid(), one)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(
    command: Sequence[str],
    kind: str,
    at: int,
    folder: Path,
    *,
    cwd: Path | None = None,
    programs: bool = False,
) -> Broken:
    """Runs the command, broken at `at`; not at all if that is 0."""
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(said.fileno(), 2)
            os.chdir(cwd or os.curdir)
            broken = BreakAtLine(at) if kind == "LINE" else Break(kind, at, folder, programs)
            os._exit(_in_child(command, broken, writer))
        os.close(writer)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        struck = os.read(reader, 1) == b"x" or code < 0
        os.close(reader)
        said.seek(0)
        return Broken(code, struck, said.read().decode())


def _in_child(command: Sequence[str], broken: Break | BreakAtLine, writer: int) -> int:
    sys.argv = ["scaffold", *command]
    if broken.at and isinstance(broken, BreakAtLine):
        sys.settrace(broken)  # type: ignore[arg-type]
    elif broken.at:
        sys.addaudithook(broken)  # type: ignore[arg-type]
    try:
        entry.main()
    except SystemExit as end:
        return int(str(end.code or 0))
    except BaseException:  # a traceback would have been shown
        return 99
    finally:
        sys.settrace(None)
        os.write(writer, b"x" if broken.at and broken.seen >= broken.at else b"")
    return 0
