"""Runs of the command that skip its start: each is a fork of a process that has imported the tool.

A run has a process, a folder, an environment, streams and an exit code of its own, as one that is
begun anew. It lacks what Python does at its start: the locale, the variables that Python reads
there, and the order of imports. Who tests that, begins one anew.

As a program (`python -P -m tests.tool.warm DESCRIPTOR`) it is the process that forks. It takes a
request of each packet from the socket DESCRIPTOR, and ends with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

REPOSITORY = Path(__file__).parents[2]
# What Python reads at its start, and a fork can no longer heed.
READ_AT_THE_START = ("PYTHON", "LC_", "LANG", "TZ")
DROP_FROM_BOUNDS = 24  # of linux/prctl.h
CAPABILITY_VERSION = 0x20080522  # the third, of linux/capability.h
IMPORTED = [
    "__main__",
    "cli",
    "matrix",
    "catalog.sources",
    "making.post_generate",
    "making.render",
    "making.service",
    "terminal.prompts",
    "terminal.report",
    "terminal.wizard",
    "updating.update",
]


@dataclass
class Run:
    """A run of the command that was begun, and the process that it is."""

    pid: int
    _answers: socket.socket

    def wait(self, seconds: float) -> int:
        """Its exit code, negative for a signal; it is killed and a TimeoutError after `seconds`."""
        self._answers.settimeout(seconds)
        try:
            answer = self._answers.recv(64)
        except TimeoutError:
            os.kill(self.pid, signal.SIGKILL)
            raise
        finally:
            self._answers.close()
        return int(answer)


@dataclass
class Warm:
    """The process that forks, and the socket to it."""

    _process: subprocess.Popen[bytes]
    _requests: socket.socket

    def run(
        self,
        root: Path,
        arguments: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str],
        streams: tuple[int, int, int],
        *,
        as_a_user: bool = False,
        umask: int | None = None,
        program: Path | None = None,
    ) -> Run:
        """Begins the tool in `root`, with these descriptors as its streams.

        Where the first is a terminal, it is that of the run's session. Permissions count
        `as_a_user`, which they do not for root. `program` is run in place of the command, and
        finds the tool imported.
        """
        asked: dict[str, Any] = {"root": str(root), "arguments": [*arguments], "cwd": str(cwd)}
        asked |= {"as_a_user": as_a_user, "umask": umask}
        asked |= {"program": str(program) if program else None}
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            request = json.dumps(asked | {"environment": dict(environment)}).encode()
            socket.send_fds(self._requests, [request], [there.fileno(), *streams])
        return Run(int(here.recv(64)), here)

    def end(self) -> None:
        self._requests.close()
        self._process.wait()


@functools.cache
def started() -> Warm:
    """The one of this process."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    keep = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")
    environment = {key: os.environ[key] for key in keep if key in os.environ}
    with there:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.tool.warm", str(there.fileno())],
            env=environment | {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[there.fileno()],
        )
    return Warm(process, here)


@contextlib.contextmanager
def ended_after() -> Iterator[None]:
    """Ends the process that forks with the block, if one was started in it."""
    try:
        yield
    finally:
        if started.cache_info().currsize:
            started().end()
            started.cache_clear()


# ---- the process that forks


def serve(requests: socket.socket) -> None:
    for name in IMPORTED:
        importlib.import_module(f"scaffold.{name}")
    gc.freeze()
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, 1 << 20, 4)
        _forget_the_ended(all_of_them=not request)
        if not request:
            return
        if os.fork() == 0:
            requests.close()
            _begin(json.loads(request), descriptors)
        for one in descriptors:
            os.close(one)


def _forget_the_ended(all_of_them: bool) -> None:
    with contextlib.suppress(ChildProcessError):  # there is none
        while os.waitpid(-1, 0 if all_of_them else os.WNOHANG)[0]:
            pass


def _begin(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Forks the run, and answers with its process id and, at its end, with its exit code."""
    answers, streams = socket.socket(fileno=descriptors[0]), descriptors[1:]
    pid = os.fork()
    if pid == 0:
        answers.close()
        _become(request, streams)
    for one in streams:
        os.close(one)
    answers.send(str(pid).encode())
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it
        answers.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(request: dict[str, Any], streams: list[int]) -> NoReturn:
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    _open_streams()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if request["umask"] is not None:
        os.umask(request["umask"])
    if request["as_a_user"]:
        _drop_every_right()
    _run(Path(request["root"]), request["program"], request["arguments"])


def _drop_every_right() -> None:
    """Also those that a program would get back which root begins, as git is."""
    system = ctypes.CDLL(None, use_errno=True)
    for one in range(64):
        system.prctl(DROP_FROM_BOUNDS, one, 0, 0, 0)
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    if system.capset(header, none):
        raise OSError(ctypes.get_errno(), "rights cannot be dropped")


def _open_streams() -> None:
    """As Python does it at its start, where the locale is of UTF-8."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        how = "backslashreplace" if name == "stderr" else "strict"
        stream = open(number, mode, encoding="utf-8", errors=how, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _run(root: Path, program: str | None, arguments: list[str]) -> NoReturn:
    import plumbum

    from scaffold import __main__ as entry
    from scaffold.catalog import catalog

    plumbum.local.env.clear()  # a copy of the environment, made when it was imported
    plumbum.local.env.update(os.environ)
    catalog.PACKAGE = root / "scaffold"
    sys.argv = [program or "scaffold", *arguments]
    if program:
        runpy.run_path(program, run_name="__main__")
    else:
        entry.main()
    sys.exit()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
