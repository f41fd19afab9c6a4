"""How long it takes from an empty folder to green tests, with a warm cache.

    python benchmarks/first_tests.py [--framework flask,falcon] [--runs 1]

For each framework: `scaffold new` as somebody types it, with its lock and its first commit, and
then `uv run pytest` in the new service, which installs it. What is measured is the clock, best on a
machine with nothing else to do; the goal is 20 s. A run before the first fills uv's cache, so that
the package index is asked for no more than what has changed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from scaffold import catalog  # noqa: E402

NAME = "my-svc"
GOAL_SECONDS = 20.0
FOREIGN = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV"}
WHO = {f"GIT_{role}_{key}": "ada@example.com" for role in ("AUTHOR", "COMMITTER")
       for key in ("NAME", "EMAIL")}  # fmt: skip


def run(command: list[str], folder: Path, **variables: str) -> tuple[float, str]:
    """Seconds of the clock, and what was printed; SystemExit where the command fails."""
    own = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    began = time.monotonic()
    ran = subprocess.run(
        command,
        cwd=folder,
        env=own | WHO | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return time.monotonic() - began, ran.stdout


def measure(framework: str) -> tuple[float, float, int]:
    """Seconds of `new` and of the tests, and how many of these there are."""
    with tempfile.TemporaryDirectory() as folder:
        typed = f"-m scaffold new {NAME} --framework {framework} --defaults"
        scaffold = [sys.executable, *typed.split()]
        made, _ = run(scaffold, Path(folder), PYTHONPATH=str(REPOSITORY))
        tested, said = run(["uv", "run", "--python", sys.executable, "pytest"], Path(folder, NAME))
    passed = re.search(r"(\d+) passed", said)
    if not passed:
        raise SystemExit(f"{framework}: no test has passed\n{said}")
    return made, tested, int(passed[1])


def main() -> None:
    known = [one.id for one in catalog.load(REPOSITORY).frameworks]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--framework", default=",".join(known), help="a,b; all where not given")
    parser.add_argument("--runs", type=int, default=1, help="the least of so many is told")
    given = parser.parse_args()
    print("| framework | `new` s | tests | `uv run pytest` s | together s | |", flush=True)
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    for framework in given.framework.split(","):
        measure(framework)  # fills the cache
        made, tested, tests = min(
            (measure(framework) for _ in range(given.runs)), key=lambda one: one[0] + one[1]
        )
        verdict = "met" if made + tested <= GOAL_SECONDS else "missed"
        cells = f"{made:.1f} | {tests} | {tested:.1f} | {made + tested:.1f}"
        told = f"at most {GOAL_SECONDS:g}: {verdict}"
        print(f"| {framework} | {cells} | {told} |", flush=True)


if __name__ == "__main__":
    main()
