"""A server that is measured: started on a core of its own, and what it costs read from the kernel.

Linux only: CPU affinity, and the memory of a process that it shares with nobody or with how many.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.serving.load import Refused
from tests.servers import free_port, process_tree
from tests.services import plain_environment

START_SECONDS = 60.0
POLL_SECONDS = 0.005
SETTLE_SECONDS = 30.0
CALM = 0.1  # of a core: what a server may go on using that has nothing more to do


@dataclass(frozen=True)
class Cores:
    """Who runs where: the service on one core, the load and the database on another."""

    service: int
    load: int

    @classmethod
    def of_this_machine(cls) -> Cores:
        """The first two that this process may use. `Refused` if there is one."""
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2:
            raise Refused("the service and the load need a core each, and there is one")
        return cls(allowed[0], allowed[1])


@dataclass(frozen=True)
class Server:
    """A running server; `start_seconds` is from its exec to its first 200."""

    pid: int
    url: str
    start_seconds: float

    def cpu_seconds(self) -> float:
        """User and system time of the whole process tree, of those that have ended too."""
        total = 0.0
        for process in process_tree(self.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def is_busy(self) -> bool:
        """Whether a thread of the process tree runs, or would if it had a core."""
        for process in process_tree(self.pid):
            for file in Path(f"/proc/{process.pid}/task").glob("*/stat"):
                with contextlib.suppress(OSError):
                    if file.read_text().rpartition(")")[2].split()[0] == "R":
                        return True
        return False

    def memory_mb(self) -> float:
        """Proportional set size of the process tree, in MB of 10^6 bytes."""
        return sum(_pss(process.pid) for process in process_tree(self.pid)) / 1e6

    def settle(self) -> None:
        """Wait until what was asked is done, also what goes on after the answer."""
        deadline, before = time.monotonic() + SETTLE_SECONDS, self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(0.2)
            now = self.cpu_seconds()
            if now - before <= 0.2 * CALM:
                return
            before = now
        raise Refused(f"the service is still busy {SETTLE_SECONDS:g} s after the load")


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


@contextlib.contextmanager
def serving(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: Path,
    core: int | None,
    ready: str,
) -> Iterator[Server]:
    """Run a server until the block ends; `ready` is the path that answers 200 when it serves.

    Its stdout is thrown away, as by a reader of the log that costs nothing. `core` None lets it run
    anywhere.
    """
    port = free_port()
    cores = f"0-{(os.cpu_count() or 1) - 1}" if core is None else str(core)
    complaints = folder / f"stderr-{port}"
    given = {"HOST": "127.0.0.1", "PORT": str(port), "PYTHONUNBUFFERED": "1", **environment}
    began = time.monotonic()
    with complaints.open("wb") as stderr:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", cores, *command],
            cwd=folder,
            env=plain_environment() | given,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        while not _answers(port, ready):
            if process.poll() is not None or time.monotonic() - began > START_SECONDS:
                said = complaints.read_text(errors="replace")[-2000:]
                variables = " ".join(f"{name}={value}" for name, value in given.items())
                raise Refused(f"did not serve: {variables} {' '.join(command)}\n{said}")
            time.sleep(POLL_SECONDS)
        yield Server(process.pid, f"http://127.0.0.1:{port}", time.monotonic() - began)
    finally:
        _end(process)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Every process of it at once: what it would still do is of no interest any more."""
    family = process_tree(process.pid)
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGKILL)
    process.wait(10)
    psutil.wait_procs(family, timeout=10)
