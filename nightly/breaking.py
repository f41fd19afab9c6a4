"""Breaks services on purpose, in many small ways, and keeps which of them the suite noticed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from nightly.progress import Running, Shown
from nightly.results import bites_file
from nightly.sessions import LOOK_SECONDS
from tests.services import REPOSITORY


def run(frameworks: Sequence[str], jobs: int, folder: Path, console: Console) -> bool:
    """Whether every patch was caught; the outcomes are in `folder`. Without frameworks, all."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    outcomes = bites_file(folder, frameworks or ["all"]).resolve()
    outcomes.unlink(missing_ok=True)
    with Shown(console, 1) as shown, shown.part("services broken on purpose") as running:
        return broken(frameworks, jobs, outcomes, running)


def broken(frameworks: Sequence[str], jobs: int, outcomes: Path, running: Running) -> bool:
    command = [
        sys.executable,
        "-m",
        "tests.mutations",
        "--jobs",
        str(jobs),
        "--json",
        str(outcomes),
    ]
    command += ["--framework", ",".join(frameworks)] if frameworks else []
    log = outcomes.parent / "logs" / f"{outcomes.stem}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=output)
        try:
            while process.poll() is None:
                time.sleep(LOOK_SECONDS)
                tell(outcomes, running)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    tell(outcomes, running)
    return process.returncode == 0


def tell(outcomes: Path, running: Running) -> None:
    with suppress(OSError, ValueError):  # not there yet, or just being written
        found = json.loads(outcomes.read_text())
        missed = sum(not outcome["caught"] for outcome in found["outcomes"])
        running(len(found["outcomes"]), found["patches"], missed)
