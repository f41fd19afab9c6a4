"""How long it takes from an empty folder to green tests, with a warm cache.

    python benchmarks/first_tests.py [--framework flask,falcon] [--runs 1] [--write]

For each framework: `scaffold new` as somebody types it, with its lock and its first commit, and
then `uv run pytest` in the new service, which installs it. What is measured is the clock, best on a
machine with nothing else to do; the goal is 20 s. A run before the first fills uv's cache, so that
the package index is asked for no more than what has changed.

Prints the table; `--write` puts a whole run into docs/data/first_tests.json and docs/speed.md. A
framework that fails is named at the end, with exit code 1, and costs the others nothing; but then
nothing is written. Takes about a minute for each framework with one run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks.serving import machine  # noqa: E402
from docs import first_tests as page  # noqa: E402
from docs import tables  # noqa: E402
from scaffold.catalog import catalog  # noqa: E402

NAME = "my-svc"
PATIENCE = 600.0  # seconds
FOREIGN = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV"}
WHO = {f"GIT_{role}_{key}": "ada@example.com" for role in ("AUTHOR", "COMMITTER")
       for key in ("NAME", "EMAIL")}  # fmt: skip


class Failed(Exception):
    """A command that did not do what it is measured for."""


def run(command: Sequence[str], folder: Path, **variables: str) -> tuple[float, str]:
    """Seconds of the clock, and what was printed; `Failed` where the command fails or hangs."""
    own = {
        name: value
        for name, value in os.environ.items()
        if name not in FOREIGN and not name.startswith(("PYTEST_", "TEST_"))
    }
    began = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=folder,
        env=own | WHO | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=PATIENCE)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise Failed(f"{' '.join(command)}: not done after {PATIENCE:g} s") from None
            raise
    if process.returncode:
        raise Failed(f"{' '.join(command)}: exit {process.returncode}\n{said[-4000:]}")
    return time.monotonic() - began, said


def measure(framework: str) -> dict[str, Any]:
    """Seconds of `new` and of the tests, and how many of these there are."""
    with tempfile.TemporaryDirectory(prefix="first-tests-") as folder:
        typed = f"-m scaffold new {NAME} --framework {framework} --defaults"
        scaffold = [sys.executable, *typed.split()]
        made, _ = run(scaffold, Path(folder), PYTHONPATH=str(REPOSITORY))
        tested, said = run(["uv", "run", "--python", sys.executable, "pytest"], Path(folder, NAME))
    passed = re.search(r"(\d+) passed", said)
    if not passed:
        raise Failed(f"{framework}: no test has passed\n{said[-4000:]}")
    return {
        "new_seconds": round(made, 1),
        "tests_seconds": round(tested, 1),
        "seconds": round(made + tested, 1),
        "tests": int(passed[1]),
    }


def least(framework: str, runs: int) -> dict[str, Any]:
    """The fastest of so many runs, after one that fills the cache."""
    measure(framework)
    return min((measure(framework) for _ in range(runs)), key=lambda one: one["seconds"])


def main() -> int:
    names = {one.id: one.name for one in catalog.load(REPOSITORY).frameworks}
    given = arguments(list(names))
    chosen = given.framework.split(",")
    found: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": machine.machine(),
        "load": round(os.getloadavg()[0], 1),
        "python": sys.version.split()[0],
        "runs": given.runs,
        "frameworks": {},
    }
    failures = []
    for framework in chosen:
        try:
            found["frameworks"][framework] = one = least(framework, given.runs)
            print(f"{framework}: {one['seconds']} s", file=sys.stderr, flush=True)
        except Failed as failure:
            failures.append(f"{framework}: {failure}")
            print(failures[-1], file=sys.stderr, flush=True)
    print("\n".join(page.told(found)))
    if failures:
        print(f"failed: {', '.join(one.partition(':')[0] for one in failures)}", file=sys.stderr)
    elif given.write:
        page.RECORD.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        tables.main()
    return 1 if failures else 0


def arguments(known: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--framework", default=",".join(known), help="a,b; all where not given")
    parser.add_argument("--runs", type=int, default=1, help="the least of so many is told")
    parser.add_argument("--write", action="store_true", help="into docs/data and the page")
    given = parser.parse_args()
    if unknown := set(given.framework.split(",")) - set(known):
        parser.error(f"{', '.join(sorted(unknown))}: there are {', '.join(known)}")
    if given.runs < 1:
        parser.error("--runs must be 1 or more")
    if given.write and set(given.framework.split(",")) != set(known):
        parser.error("--write takes a whole run: every framework")
    return given


if __name__ == "__main__":
    sys.exit(main())
