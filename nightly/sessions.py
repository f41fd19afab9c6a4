"""Divides the tests of generated services into pytest sessions, as few as can be, and runs them.

Services on one database and one Python share a session of the contract, where scenarios that
mostly wait run for several of them at once. What is tested of a framework whatever its answers,
such as its image, is tested once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nightly import recorder
from nightly.cells import Made
from scaffold.matrix import PYTHON
from tests.services import REPOSITORY

Seen = Callable[[int, int, int], None]
"""Is told how many tests are done, how many there are, and how many of them are no success."""

LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Session:
    """One call of pytest; `cells` are those that it is about, by name."""

    name: str
    arguments: tuple[str, ...]
    cells: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


def plan(made: Sequence[Made], jobs: int) -> list[Session]:
    """Every session that the services need, the shortest way to a first failure first."""
    services = [one for one in made if one.works]
    if not services:
        return []
    together = list(groups(services))
    side_by_side = ("-n", str(jobs)) if jobs > 1 else ()
    return [
        deployment("manifests", "not container and not slow", services, side_by_side),
        *(
            contract("contract", "not slow and not fault", group, side_by_side)
            for group in together
        ),
        *(
            contract("faults", "(slow or fault) and not alone", group, side_by_side)
            for group in together
        ),
        *(contract("alone", "(slow or fault) and alone", group, ()) for group in together),
        deployment("image", "container or slow", services, side_by_side),
    ]


def groups(services: Iterable[Made]) -> Iterable[list[Made]]:
    """Services that can share a session: one database, one Python, no framework twice."""
    found: dict[tuple[str, ...], list[Made]] = defaultdict(list)
    seen: dict[tuple[str, ...], int] = defaultdict(int)
    for one in services:
        values = one.cell.values
        key = (values["database"], values[PYTHON])
        seen[*key, values["framework"]] += 1
        found[*key, str(seen[*key, values["framework"]])].append(one)
    return found.values()


def contract(name: str, marked: str, group: Sequence[Made], side_by_side: Sequence[str]) -> Session:
    values = group[0].cell.values
    frameworks = [one.cell.values["framework"] for one in group]
    projects = [
        word
        for one in group
        for word in ("--project", f"{one.cell.values['framework']}={one.folder}")
    ]
    return Session(
        f"{name}, {values['database']}, Python {values[PYTHON]}",
        ("tests/contract", "-m", marked, *side_by_side, "--framework", ",".join(frameworks),
         "--database", values["database"], *projects),
        tuple(one.cell.id for one in group),
        {"TEST_PYTHON": group[0].python},
    )  # fmt: skip


def deployment(
    name: str, marked: str, services: Sequence[Made], side_by_side: Sequence[str]
) -> Session:
    frameworks = dict.fromkeys(one.cell.values["framework"] for one in services)
    renderings = dict.fromkeys(
        f"{v['framework']}-{v['database']}-{v['ci']}" for v in (s.cell.values for s in services)
    )
    return Session(
        name,
        ("tests/deployment", "-m", marked, *side_by_side, "--framework", ",".join(frameworks),
         "--rendering", ",".join(renderings)),
        tuple(one.cell.id for one in services),
    )  # fmt: skip


def run(session: Session, log: Path, seen: Seen) -> list[dict[str, Any]]:
    """The tests of a session as they were recorded; what pytest printed is in `log`.

    A session that ends without a single test is a failed one.
    """
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record"
        followed = Followed(recorder.Reader(record), seen)
        with log.open("wb") as output:
            process = start(session, record, output)
            try:
                while process.poll() is None:
                    followed.look()
                    time.sleep(LOOK_SECONDS)
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
        followed.look()
    if not followed.tests or process.returncode not in (0, 1):
        followed.tests.append(broken(session, process.returncode, log))
    return followed.tests


@dataclass
class Followed:
    """A session that is on its way: its tests so far, of which `seen` is told."""

    reader: recorder.Reader
    seen: Seen
    tests: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0

    def look(self) -> None:
        for line in self.reader.new():
            if "total" in line:
                self.total = line["total"]
            else:
                self.tests.append(line)
        failed = sum(test["state"] in ("fail", "skip") for test in self.tests)
        self.seen(len(self.tests), self.total, failed)


def start(session: Session, record: Path, output: Any) -> subprocess.Popen[bytes]:
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=short", "-p", "nightly.recorder"),
        *("--record", str(record), *session.arguments),
    ]
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=os.environ | {"CI": "true"} | session.environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def broken(session: Session, code: int, log: Path) -> dict[str, Any]:
    """The session itself, as a test that failed."""
    said = log.read_text(errors="replace")[-recorder.LONGEST :]
    part = session.name.partition(",")[0]
    step = "faults" if part == "alone" else part
    about = {"lines": [], "service": {}, "step": step, "together": False}
    return {"id": f"the session {session.name}", **about, "state": "fail", "seconds": 0.0,
            "said": f"pytest ended with exit code {code}\n{said}"}  # fmt: skip
