"""Runs `scaffold new` again and again and breaks each run at another write. Not a test itself.

    python faults.py CHECKOUT FOLDER KIND

Run k is broken at its k-th write below FOLDER, for every k there is: by a signal (KIND is SIGKILL,
SIGINT or SIGTERM) or by an error of the disk (KIND is ENOSPC, from there on, or EACCES, once).
After each break the command is run again, unbroken. Prints one JSON object for each k.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

checkout, folder, kind = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
sys.path.insert(0, checkout)

import scaffold.__main__ as entry  # noqa: E402
from scaffold import cli, render, staging  # noqa: E402, F401  (imported once, for all runs)

COMMAND = ["new", "my-svc", "--defaults", "--no-lock", "--no-git", "--output", str(folder)]
LASTING = ("ENOSPC",)
WRITES = {"os.mkdir", "os.rename", "os.chmod"}


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
        return writes and str(arguments[0]).startswith(f"{folder}/")

    def strike(self, path: object) -> None:
        if kind.startswith("SIG"):
            os.kill(os.getpid(), getattr(signal, kind))
        else:
            number = getattr(errno, kind)
            raise OSError(number, os.strerror(number), str(path))


def run(at: int | None) -> tuple[int, bool]:
    """The exit code of a run in a process of its own (negative: a signal), and whether it broke."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        broken = Break(at or 0)
        if at:
            sys.addaudithook(broken)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.argv = ["scaffold", *COMMAND]
        try:
            entry.main()
        except SystemExit as end:
            os.write(writer, b"x" if at and broken.seen >= at else b"")
            os._exit(int(str(end.code or 0)))
        except BaseException:  # a traceback would have been shown
            os._exit(99)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    struck = os.read(reader, 1) == b"x" or code < 0
    os.close(reader)
    return code, struck


def listing() -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def files() -> list[str]:
    target = folder / "my-svc"
    return render.files_in(target) if target.exists() else []


def clean() -> None:
    for path in folder.iterdir():
        shutil.rmtree(path)


at = 0
while True:
    at += 1
    code, struck = run(at)
    if not struck:
        break
    after = {"at": at, "code": code, "left": listing(), "files": files()}
    again = run(None)[0] if not after["files"] else 3
    print(json.dumps({**after, "again": again, "left_again": listing(), "files_again": files()}))
    clean()
