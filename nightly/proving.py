"""Proves cells of the matrix: makes their services, runs the sessions, keeps what was seen."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from nightly import results, sessions
from nightly.cells import Made, make, versions
from nightly.progress import Running, Shown
from nightly.results import Result
from scaffold import __version__, matrix
from scaffold.catalog import sources
from scaffold.catalog.catalog import Catalog
from scaffold.matrix import Cell
from tests.services import REPOSITORY

Recorded = dict[str, list[dict[str, Any]]]
"""The tests of each session, by its name."""


def cells(known: Catalog) -> list[Cell]:
    """The matrix of this checkout, with its own last release to update from."""
    with sources.own_source() as source:
        return matrix.cells(known, matrix.before(source))


def prove(
    wanted: Sequence[Cell], jobs: int, folder: Path, keep: Path | None, console: Console
) -> bool:
    """Whether all the cells hold; their results are in `folder`, and the logs of pytest too.

    What the run is about is there from its beginning: one that ended too soon tells what it lacks.
    """
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    clock = time.monotonic()
    run = results.About(
        datetime.now(UTC).isoformat(timespec="seconds"),
        0.0,
        __version__,
        commit(),
        tuple(cell.id for cell in wanted),
    )
    results.write_about(folder, run)
    with ExitStack() as stack:
        place = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nightly-")))
        made = make_all(wanted, place.resolve(), jobs, console)
        found = sessions_run(made, jobs, folder, console)
    results.write_about(folder, replace(run, seconds=round(time.monotonic() - clock, 1)))
    return all(result.holds for result in found)


def make_all(wanted: Sequence[Cell], place: Path, jobs: int, console: Console) -> list[Made]:
    with Shown(console, 1) as shown, shown.part("services made") as running:
        made: list[Made] = []
        with ThreadPoolExecutor(jobs) as pool:
            for one in pool.map(lambda cell: make(cell, place), wanted):
                made.append(one)
                running(len(made), len(wanted), sum(not m.works for m in made))
    return made


def sessions_run(made: Sequence[Made], jobs: int, folder: Path, console: Console) -> list[Result]:
    """The results of the cells; written anew after each session, so that none is lost."""
    planned = sessions.plan(made, jobs)
    locked = {one.cell.id: versions(one) for one in made}
    recorded: Recorded = {}
    found = written(made, locked, recorded, planned, folder)
    with Shown(console, len(planned)) as shown:
        for session in planned:
            with shown.part(session.name) as running:
                recorded[session.name] = run(session, folder, running)
            found = written(made, locked, recorded, planned, folder)
    return found


def run(session: sessions.Session, folder: Path, running: Running) -> list[dict[str, Any]]:
    log = folder / "logs" / f"{session.name.replace(', ', '-').replace(' ', '-')}.log"
    return results.shared_out(sessions.run(session, log, running))


def written(
    made: Sequence[Made],
    locked: dict[str, dict[str, str]],
    recorded: Recorded,
    planned: Sequence[sessions.Session],
    folder: Path,
) -> list[Result]:
    about: dict[str, list[str]] = defaultdict(list)
    for session in planned:
        for cell in session.cells:
            about[cell].append(session.name)
    found = []
    for one in made:
        checks = [
            check
            for name in about[one.cell.id]
            for check in results.checks_of(recorded.get(name, ()), one.cell.values, name)
        ]
        result = Result(
            one.cell.id,
            dict(one.cell.values),
            one.began,
            tuple(one.steps),
            locked[one.cell.id],
            tuple(checks),
        )
        results.write(folder, result)
        found.append(result)
    return found


def commit() -> str:
    """The commit of this checkout; nothing where it is none."""
    command = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip()
