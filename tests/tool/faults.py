"""Runs `scaffold new` again and again and breaks each run at another place. Not a test itself.

    faults.py FOLDER KIND FIRST STEP    as a program of `warm`

A run is broken at its k-th write below FOLDER, for k from FIRST in steps of STEP for as long as
there is one: by a signal (KIND is SIGKILL, SIGINT or SIGTERM) or by an error of the disk (KIND is
ENOSPC, from there on, or EACCES, once). Where KIND is LINE, it is broken by SIGINT and SIGTERM
together at the k-th line of the tool that it comes to. But for SIGKILL, the service goes into a
folder that has to be made first. After each break at a write the command is run again, unbroken.
Prints one JSON object for each k.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

import scaffold.__main__ as entry
from scaffold.making import render

folder, kind = Path(sys.argv[1]), sys.argv[2]
first, step = int(sys.argv[3]), int(sys.argv[4])
output = folder if kind == "SIGKILL" else folder / "made" / "first"
COMMAND = ["new", "my-svc", "--defaults", "--no-lock", "--no-git", "--output", str(output)]
LASTING = ("ENOSPC",)
WRITES = {"os.mkdir", "os.rename", "os.chmod"}
REMOVALS = {"os.remove", "os.rmdir"}  # by names within a folder that is open
TOOL = (f"{Path(entry.__file__).parent}/", contextlib.__file__)


class Break:
    """An audit hook: it sees every write of Python before it is done."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_write(event, arguments):
            return
        self.seen += 1
        if self.seen == self.at or (kind in LASTING and self.seen > self.at):
            self.strike(arguments[0])

    def is_write(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            writes = bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        else:
            writes = event in WRITES
        if event in REMOVALS:
            return kind.startswith("SIG")
        return writes and str(arguments[0]).startswith(f"{folder}/")

    def strike(self, path: object) -> None:
        if kind.startswith("SIG"):
            os.kill(os.getpid(), getattr(signal, kind))
        else:
            number = getattr(errno, kind)
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
                self.strike()
        return self

    def strike(self) -> None:
        """Two at once: each would be an exception of its own."""
        both = {signal.SIGINT, signal.SIGTERM}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, both)
        for one in both:
            os.kill(os.getpid(), one)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(at: int | None) -> tuple[int, bool, str]:
    """Runs the command in a process of its own, broken at `at`.

    The exit code (negative: a signal), whether it was broken, and what it said on stderr.
    """
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(said.fileno(), 2)
            os._exit(in_child(at, writer))
        os.close(writer)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        struck = os.read(reader, 1) == b"x" or code < 0
        os.close(reader)
        said.seek(0)
        return code, struck, said.read().decode()


def in_child(at: int | None, writer: int) -> int:
    broken = (BreakAtLine if kind == "LINE" else Break)(at or 0)
    sys.argv = ["scaffold", *COMMAND]
    if at and kind == "LINE":
        sys.settrace(broken)  # type: ignore[arg-type]
    elif at:
        sys.addaudithook(broken)  # type: ignore[arg-type]
    try:
        entry.main()
    except SystemExit as end:
        return int(str(end.code or 0))
    except BaseException:  # a traceback would have been shown
        return 99
    finally:
        sys.settrace(None)
        os.write(writer, b"x" if at and broken.seen >= at else b"")
    return 0


def listing() -> list[str]:
    """What lies in FOLDER, and in what was made for the service there."""
    names = sorted(path.name for path in folder.iterdir())
    return sorted(path.name for path in output.iterdir()) if names == ["made"] else names


def files() -> list[str]:
    target = output / "my-svc"
    return render.files_in(target) if target.exists() else []


def clean() -> None:
    for path in folder.iterdir():
        shutil.rmtree(path)


at = first
while True:
    code, struck, said = run(at)
    if not struck:
        break
    after = {"at": at, "code": code, "said": said, "left": listing(), "files": files()}
    again = None if kind == "LINE" else run(None)[0]
    print(json.dumps({**after, "again": again, "left_again": listing(), "files_again": files()}))
    clean()
    at += step
