"""Does the contract suite bite? Break services in many small ways, and see each one caught.

    python -m tests.mutations [--framework flask] [--line R3,E1] [--only "If-Match"] [--list]
                              [--json FILE]

For every patch the tests that it names run on the patched service, in a process of their own.
Caught means: each of them fails there, and passes on the service as it is. A service that does
not even start proves nothing about a test, unless starting is what the test is about. A test
of what owners do makes their change in a copy of the patched service. Every job has services and
a PostgreSQL of its own. The exit code is 0 if every patch was caught.

``--json FILE`` is written anew with each outcome: ``{"patches": 92, "outcomes": [{"framework":
"flask", "line": "R3", "breaks": ..., "caught": true, "by": ..., "seconds": 6.1}]}``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import queue
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.mutations.patches import PATCHES, Patch
from tests.mutations.selection import name_of
from tests.mutations.session import pytest_says
from tests.servers import any_postgres_url
from tests.services import PACKAGE, REPOSITORY, Projects, frameworks

WHERE_TESTS_ARE = ("tests/contract", "tests/deployment", "tests/owner")
FAILED = re.compile(r"^FAILED (\S+?::\S+.*?)(?: - .*)?$", re.MULTILINE)
PASSED = re.compile(r"^PASSED (\S+?::\S+.*?)$", re.MULTILINE)
DOES_NOT_START = re.compile(r"^ERROR (\S+?::\S+.*?)(?: - .*)?$", re.MULTILINE)
FUNCTIONS_AT_ONCE = 8
RAN = re.compile(r"\b\d+ (passed|failed|xfailed)")


@dataclass(frozen=True)
class Mutant:
    """A patch of a framework's service."""

    framework: str
    patch: Patch


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: caught by all of ``cases``, or why not."""

    mutant: Mutant
    cases: tuple[str, ...]
    missed: str
    seconds: float


class DoesNotApply(Exception):
    """What the patch replaces does not stand there exactly once."""


@dataclass
class Bench:
    """Services and a PostgreSQL that one patch at a time is tried on."""

    folder: Path
    stack: contextlib.ExitStack
    _postgres_url: str = ""
    _services: dict[str, Path] = field(default_factory=dict)

    def service(self, framework: str, having: tuple[str, ...] = ()) -> Path:
        """The framework's service, rendered and installed; `having` are answers of `with`."""
        name = "-".join((framework, *having))
        if name not in self._services:
            project = Projects(self.folder).made(framework, name, **{"with": list(having)})
            if not having:
                # What Python compiles at the first start is compiled here: no test waits for it.
                project.migrate({"DATABASE_URL": f"sqlite:///{self.folder}/{framework}.db"})
            self._services[name] = project.folder
        return self._services[name]

    def pytest_says(self, framework: str, *arguments: str, **environment: str) -> str:
        """The output of tests that run on the framework's service, whatever is broken in it."""
        if not self._postgres_url and "sqlite" not in arguments:
            self._postgres_url = self.stack.enter_context(any_postgres_url())
        command = [
            *("-q", "-rpfE", "--tb=no", "-m=", "-p", "tests.mutations.selection"),
            *(f"--project={name}={folder}" for name, folder in self._services.items()),
            *("--framework", framework),
            *arguments,
        ]
        own = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TEST_POSTGRES_URL": self._postgres_url}
        return pytest_says(command, REPOSITORY, own | environment)


def main() -> int:
    arguments = parsed()
    mutants = selected(arguments)
    if arguments.list:
        for mutant in mutants:
            print(f"{mutant.framework:8} {mutant.patch.line}  {mutant.patch.breaks}")
        return 0
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        told = Told(arguments.json, len(mutants))
        outcomes = run(mutants, Path(folder), arguments.jobs, told)
    print(summary(outcomes))
    return 1 if any(outcome.missed for outcome in outcomes) or not outcomes else 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--framework", default=",".join(PATCHES), help="flask,django (all)")
    parser.add_argument("--line", default="", help="only patches of these contract lines: R3,E1")
    parser.add_argument("--only", default="", help="only patches whose description has this text")
    parser.add_argument("--jobs", type=int, default=2, help="services that are tested at once")
    parser.add_argument("--json", type=Path, help="write the outcomes to this file")
    parser.add_argument("--list", action="store_true", help="show the patches, run nothing")
    return parser.parse_args()


def selected(arguments: argparse.Namespace) -> list[Mutant]:
    frameworks = arguments.framework.split(",")
    if unknown := set(frameworks) - set(PATCHES):
        sys.exit(f"there are no patches for {', '.join(sorted(unknown))}, only for {[*PATCHES]}")
    lines = {line for line in arguments.line.split(",") if line}
    return [
        Mutant(framework, patch)
        for framework in frameworks
        for patch in PATCHES[framework]
        if (not lines or patch.line in lines) and arguments.only in patch.breaks
    ]


@dataclass
class Told:
    """Prints each outcome, and keeps them all in a file where one is wanted."""

    file: Path | None
    patches: int
    _latest: dict[Mutant, Outcome] = field(default_factory=dict)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, outcome: Outcome) -> None:
        """Tells of an outcome, which takes the place of one before it."""
        with self._one_at_a_time:
            print(shown(outcome), flush=True)
            self._latest[outcome.mutant] = outcome
            if self.file:
                found = [as_json(outcome) for outcome in self._latest.values()]
                document = {"patches": self.patches, "outcomes": found}
                self.file.write_text(json.dumps(document, indent=1) + "\n")


def run(mutants: list[Mutant], folder: Path, jobs: int, tell: Told) -> list[Outcome]:
    """Try all mutants, several at once, and tell what became of each as soon as it is known."""
    jobs = max(1, min(jobs, len(mutants)))
    benches: queue.Queue[Bench] = queue.Queue()
    places = places_of_tests()

    def attempt(mutant: Mutant) -> Outcome:
        bench = benches.get()
        try:
            outcome = tried(mutant, bench, places)
        finally:
            benches.put(bench)
        tell(outcome)
        return outcome

    with contextlib.ExitStack() as stack:
        for number in range(jobs):
            bench = Bench(folder / str(number), stack)
            # Now, because to render changes the folder of the whole process.
            for mutant in mutants:
                bench.service(mutant.framework)
                bench.service(mutant.framework, mutant.patch.having)
            benches.put(bench)
        with ThreadPoolExecutor(jobs) as pool:
            outcomes = list(pool.map(attempt, mutants))
            passing = passing_unpatched(outcomes, benches, folder, pool)
    return confirmed(outcomes, passing, tell)


def places_of_tests() -> dict[str, str]:
    """The file of each test function that no framework has to itself, by its name."""
    own = {f"test_{name}" for name in frameworks()}
    files = (
        path
        for place in WHERE_TESTS_ARE
        for path in (REPOSITORY / place).glob("test_*.py")
        if path.stem not in own
    )
    return {
        name: str(path.relative_to(REPOSITORY))
        for path in sorted(files)
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }


def tried(mutant: Mutant, bench: Bench, places: dict[str, str]) -> Outcome:
    """Run the tests that the patch names on the patched service."""
    patch = mutant.patch
    began = time.monotonic()
    tests = [f"{places[name]}::{name}" for name in patch.tests]
    if patch.case:
        tests += ["-k", patch.case]
    try:
        with applied(patch, bench.service(mutant.framework, patch.having)):
            said = bench.pytest_says(
                mutant.framework, "--database", patch.database, *tests, MUTATION=as_asked(patch)
            )
    except DoesNotApply as error:
        return Outcome(mutant, (), str(error), 0.0)
    cases = tuple(FAILED.findall(said))
    return Outcome(mutant, cases, missing(patch, cases, said), time.monotonic() - began)


def as_asked(patch: Patch) -> str:
    """The patch for services that a test makes for itself (`tests.services.break_as_asked`)."""
    file = patch.file.format(package=f"src/{PACKAGE}")
    return json.dumps({"file": file, "old": patch.old, "new": patch.new})


def missing(patch: Patch, cases: tuple[str, ...], said: str) -> str:
    """Which tests did not notice, and why; empty where all of them did."""
    silent = set(patch.tests) - set(map(name_of, cases))
    if not silent:
        return ""
    reason = "not by " + " ".join(sorted(silent))
    if errors := DOES_NOT_START.findall(said):
        return f"{reason}: a service does not start, or a test does not get as far: {errors[0]}"
    if not RAN.search(said):
        return f"{reason}: no test ran: " + " ".join(said.split()[-12:])
    return reason


@contextmanager
def applied(patch: Patch, service: Path) -> Iterator[None]:
    """Within the block the service is broken."""
    path = service / patch.file.format(package=f"src/{PACKAGE}")
    before = path.read_text()
    write(path, patched(before, patch))
    try:
        yield
    finally:
        write(path, before)


def write(path: Path, text: str) -> None:
    """What was compiled goes too: two versions of one length within a second look the same."""
    path.write_text(text)
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)


def patched(text: str, patch: Patch) -> str:
    """The text of the patch's file, broken."""
    if (found := text.count(patch.old)) != 1:
        where = patch.file.format(package="src")
        raise DoesNotApply(f"{where} has {found} times: {patch.old.strip()[:60]}")
    return text.replace(patch.old, patch.new)


def passing_unpatched(
    outcomes: list[Outcome], benches: queue.Queue[Bench], folder: Path, pool: ThreadPoolExecutor
) -> set[tuple[str, str]]:
    """Of the cases that noticed a patch those that pass without it, each with its framework."""

    def ask(number: int, framework: str, cases: list[str]) -> set[tuple[str, str]]:
        file = folder / f"cases-{number}"
        file.write_text("\n".join(cases))
        tests = dict.fromkeys(case.partition("[")[0] for case in cases)
        bench = benches.get()
        try:
            said = bench.pytest_says(framework, *tests, MUTATIONS_CASES=str(file))
        finally:
            benches.put(bench)
        return {(framework, case) for case in PASSED.findall(said)}

    parts = list(enumerate(confirmations(outcomes)))
    asked = [pool.submit(ask, number, framework, cases) for number, (framework, cases) in parts]
    return {found for answer in asked for found in answer.result()}


def confirmations(outcomes: list[Outcome]) -> Iterator[tuple[str, list[str]]]:
    """The cases that noticed a patch, a few test functions at a time, with their framework."""
    for framework in dict.fromkeys(outcome.mutant.framework for outcome in outcomes):
        mine = (o for o in outcomes if o.mutant.framework == framework and not o.missed)
        cases = sorted({case for outcome in mine for case in outcome.cases})
        functions = list(dict.fromkeys(case.partition("[")[0] for case in cases))
        for start in range(0, len(functions), FUNCTIONS_AT_ONCE):
            some = set(functions[start : start + FUNCTIONS_AT_ONCE])
            yield framework, [case for case in cases if case.partition("[")[0] in some]


def confirmed(outcomes: list[Outcome], passing: set[tuple[str, str]], tell: Told) -> list[Outcome]:
    """A test that fails on the service as it is has caught nothing."""
    result = []
    for outcome in outcomes:
        framework = outcome.mutant.framework
        cases = set() if outcome.missed else set(outcome.cases)
        if doubtful := sorted(case for case in cases if (framework, case) not in passing):
            reason = f"without the patch there fails too: {' '.join(doubtful)}"
            outcome = replace(outcome, missed=reason)
            tell(outcome)
        result.append(outcome)
    return result


def shown(outcome: Outcome) -> str:
    mutant, verdict = outcome.mutant, "MISSED" if outcome.missed else "caught"
    what = f"{mutant.framework:8} {mutant.patch.line} {verdict} {outcome.seconds:5.1f} s"
    return f"{what}  {mutant.patch.breaks:55} {noticed(outcome)}"


def noticed(outcome: Outcome) -> str:
    """The tests that failed, or why the patch was missed."""
    return outcome.missed or " ".join(case.partition("::")[2] for case in outcome.cases)


def as_json(outcome: Outcome) -> dict[str, object]:
    return {
        "framework": outcome.mutant.framework,
        "line": outcome.mutant.patch.line,
        "breaks": outcome.mutant.patch.breaks,
        "caught": not outcome.missed,
        "by": noticed(outcome),
        "seconds": round(outcome.seconds, 1),
    }


def summary(outcomes: list[Outcome]) -> str:
    """A line for each framework: how many patches were caught, and the seconds of all its runs."""
    lines = [""]
    for framework in dict.fromkeys(outcome.mutant.framework for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.mutant.framework == framework]
        caught = sum(not outcome.missed for outcome in mine)
        seconds = sum(outcome.seconds for outcome in mine)
        lines.append(f"{framework:8} {caught} of {len(mine)} patches were caught, {seconds:.0f} s")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
