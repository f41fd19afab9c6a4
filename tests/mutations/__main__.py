"""Does the contract suite bite? Break a service in many small ways, and see each one caught.

    python -m tests.mutations [--line R3,E1] [--only "If-Match"] [--jobs 2] [--list]

A service is rendered and installed once for each job. For every patch the tests of its contract
line run on the patched service, in a process of their own. Caught means: a test failed that
passes on the service as it is. A service that does not even start proves nothing about a test,
unless starting is what the test is about. The exit code is 0 if every patch was caught.
"""

from __future__ import annotations

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.mutations.patches import PATCHES, Patch
from tests.services import PACKAGE, REPOSITORY, Projects

FRAMEWORK = "flask"
FAILED = re.compile(r"^FAILED (\S+?::\S+.*?)(?: - .*)?$", re.MULTILINE)
DOES_NOT_START = re.compile(r"^ERROR (\S+?::\S+.*?)(?: - .*)?$", re.MULTILINE)
RAN = re.compile(r"\b\d+ (passed|failed|xfailed)")


@dataclass(frozen=True)
class Outcome:
    """What became of a patch: ``caught`` by the test ``by``, or why not."""

    patch: Patch
    caught: bool
    by: str
    seconds: float


class DoesNotApply(Exception):
    """What the patch replaces does not stand there exactly once."""


def main() -> int:
    arguments = parsed()
    patches = selected(arguments.line, arguments.only)
    if arguments.list:
        print("\n".join(f"{patch.line}  {patch.breaks}" for patch in patches))
        return 0
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        outcomes = run(patches, Path(folder), arguments.jobs)
    missed = [outcome for outcome in outcomes if not outcome.caught]
    print(f"\n{len(outcomes) - len(missed)} of {len(outcomes)} patches were caught")
    return 1 if missed or not outcomes else 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--line", default="", help="only patches of these contract lines: R3,E1")
    parser.add_argument("--only", default="", help="only patches whose description has this text")
    parser.add_argument("--jobs", type=int, default=2, help="services that are tested at once")
    parser.add_argument("--list", action="store_true", help="show the patches, run nothing")
    return parser.parse_args()


def selected(lines: str, text: str) -> list[Patch]:
    wanted = {line for line in lines.split(",") if line}
    return [p for p in PATCHES if (not wanted or p.line in wanted) and text in p.breaks]


def run(patches: list[Patch], folder: Path, jobs: int) -> list[Outcome]:
    """Test all patches, several at once, and print each as soon as it is known."""
    services: queue.Queue[Path] = queue.Queue()
    for number in range(max(1, min(jobs, len(patches)))):
        services.put(Projects(folder / str(number)).get(FRAMEWORK).folder)

    def attempt(patch: Patch) -> Outcome:
        service = services.get()
        try:
            outcome = tested(patch, service)
        finally:
            services.put(service)
        print(shown(outcome), flush=True)
        return outcome

    with ThreadPoolExecutor(jobs) as pool:
        outcomes = list(pool.map(attempt, patches))
    return confirmed(outcomes, services.get())


def confirmed(outcomes: list[Outcome], service: Path) -> list[Outcome]:
    """A test that fails on the service as it is has caught nothing."""
    tests = sorted({outcome.by for outcome in outcomes if outcome.caught})
    failing = set(FAILED.findall(pytest_says(service, *tests))) if tests else set()
    result = []
    for outcome in outcomes:
        if outcome.caught and outcome.by in failing:
            outcome = replace(outcome, caught=False, by=f"{outcome.by} fails without the patch")
            print(shown(outcome), flush=True)
        result.append(outcome)
    return result


def shown(outcome: Outcome) -> str:
    verdict = "caught" if outcome.caught else "MISSED"
    head = f"{outcome.patch.line} {verdict} {outcome.seconds:5.1f} s  {outcome.patch.breaks}"
    return f"{head:75} {outcome.by}"


def tested(patch: Patch, service: Path) -> Outcome:
    """Run the patch's tests on the patched service until one fails."""
    began = time.monotonic()
    wanted = ["-x", "--line", patch.line, "--database", patch.database]
    if patch.only.startswith("test_") and " " not in patch.only:
        wanted.append(f"tests/contract/{patch.only}.py")
    else:
        wanted += ["tests/contract", *(["-k", patch.only] if patch.only else [])]
    try:
        with applied(patch, service):
            said = pytest_says(service, *wanted)
    except DoesNotApply as error:
        return Outcome(patch, False, str(error), 0.0)
    return Outcome(patch, *judged(said), time.monotonic() - began)


def judged(said: str) -> tuple[bool, str]:
    """Whether a test noticed, and which; or why nobody did."""
    if failed := FAILED.findall(said):
        return True, failed[0]
    if DOES_NOT_START.search(said):
        return False, "the patched service does not start"
    if not RAN.search(said):
        return False, "no test ran: " + " ".join(said.split()[-12:])
    return False, "every test passed"


@contextmanager
def applied(patch: Patch, service: Path) -> Iterator[None]:
    """Within the block the service is broken."""
    path = service / patch.file.format(package=f"src/{PACKAGE}")
    before = path.read_text()
    found = before.count(patch.old)
    everywhere = patch.file.startswith("tests/") and found
    if found != 1 and not everywhere:
        raise DoesNotApply(f"{path.name} has {found} times: {patch.old.strip()[:60]}")
    path.write_text(before.replace(patch.old, patch.new))
    try:
        yield
    finally:
        path.write_text(before)


def pytest_says(service: Path, *arguments: str) -> str:
    """The output of the contract suite, or of the part that is asked for, on a service."""
    for cache in (service / "src").rglob("__pycache__"):
        shutil.rmtree(cache)  # two versions of a file within a second have the same time stamp
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider"),
        *("--project", f"{FRAMEWORK}={service}", "--framework", FRAMEWORK, *arguments),
    ]
    result = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    return result.stdout + result.stderr


if __name__ == "__main__":
    sys.exit(main())
