"""What a run has shown: values that are written by each job, and read by the report.

A folder of results has one `<cell>.json` for each cell and one `mutations-<frameworks>.json` for
services that were broken on purpose; those of several jobs are put together by copying.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.contract.lines import TITLES as SUITE

PASS, LIMIT, NOT_RUN, SKIP, FAIL = "pass", "limit", "not run", "skip", "fail"
WORST_FIRST = (FAIL, SKIP, NOT_RUN, LIMIT, PASS)
GOOD = {PASS, LIMIT}
NEVER = ""  # where nothing ran

TITLES = {line: title for line, title in SUITE.items() if line != "D6"} | {
    "D1": "an image that runs hardened",
    "D2": "one lock; compose and its migrate step",
    "D3": "Kubernetes manifests",
    "D4": "a pipeline that may do little",
    "D5": "documents, dashboard, alerts",
    "D6": SUITE["D6"],
}
GROUPS = {
    "P": "Process",
    "H": "Health, metrics, logs",
    "R": "The resource",
    "E": "Errors and hostile input",
    "N": "Among its neighbours",
    "O": "As its owner has it",
    "A": "Who may call",
    "T": "Traces",
    "C": "Calls of other services",
    "D": "Deployment",
}
STEPS = (
    "generate",
    "install",
    "lint",
    "format",
    "types",
    "own tests",
    "contract",
    "faults",
    "image",
    "manifests",
)


@dataclass(frozen=True)
class Check:
    """A test of a cell: which lines it proves, what became of it, in seconds, and why.

    The same test in the same `run` may speak for several cells.
    """

    id: str
    lines: tuple[str, ...]
    step: str
    state: str
    seconds: float
    said: str
    run: str

    @property
    def promise(self) -> str:
        """The name of the test as a sentence, without its parameters."""
        name = self.id.partition("[")[0].rpartition("::")[2]
        return name.removeprefix("test_").replace("_", " ")


@dataclass(frozen=True)
class Step:
    """A part of a cell's proof; `said` is what a failed one complained of."""

    name: str
    state: str
    seconds: float
    said: str = ""
    checks: int = 0


@dataclass(frozen=True)
class Result:
    """A cell of the matrix, by `values` of its axes, and all that was asked of it.

    `made` are the steps before the first test; `versions` those of its Python and of what it
    depends on directly.
    """

    cell: str
    values: Mapping[str, str]
    began: str
    made: tuple[Step, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()

    @property
    def steps(self) -> list[Step]:
        """All of STEPS, in order; one that nothing was asked in has not run."""
        made = {step.name: step for step in self.made}
        return [made.get(name) or self._tested(name) for name in STEPS]

    def _tested(self, name: str) -> Step:
        checks = [check for check in self.checks if check.step == name]
        bad = next((c.id for c in checks if c.state not in GOOD), "")
        seconds = sum(check.seconds for check in checks)
        return Step(name, worst(c.state for c in checks), seconds, bad, len(checks))

    @property
    def missing_lines(self) -> list[str]:
        """The requirements that no test asked for here."""
        asked = {line for check in self.checks for line in check.lines}
        return [line for line in TITLES if line not in asked]

    @property
    def state(self) -> str:
        states = [step.state for step in self.steps]
        return worst([*states, NOT_RUN] if self.missing_lines else states)

    @property
    def holds(self) -> bool:
        return self.state in GOOD

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)


@dataclass(frozen=True)
class Bite:
    """A patch that breaks a promise of a service, and the test that noticed, or why none did."""

    framework: str
    line: str
    breaks: str
    caught: bool
    by: str
    seconds: float


@dataclass(frozen=True)
class About:
    """A run on one machine: `wanted` are the cells that it should have, `seconds` by the clock."""

    began: str
    seconds: float
    version: str
    commit: str
    wanted: tuple[str, ...]


@dataclass(frozen=True)
class Run(About):
    """All that one run, or several side by side, has shown."""

    results: tuple[Result, ...]
    bites: tuple[Bite, ...]

    @property
    def absent(self) -> list[str]:
        """Cells that should be there and left no result."""
        return [cell for cell in self.wanted if cell not in {r.cell for r in self.results}]

    @property
    def missed(self) -> list[Bite]:
        return [bite for bite in self.bites if not bite.caught]

    @property
    def holds(self) -> bool:
        return (
            bool(self.results)
            and all(result.holds for result in self.results)
            and not self.absent
            and not self.missed
        )


def worst(states: Iterable[str]) -> str:
    return min(states, key=WORST_FIRST.index, default=NOT_RUN)


def checks_of(
    tests: Iterable[Mapping[str, Any]], values: Mapping[str, str], run: str
) -> tuple[Check, ...]:
    """Those of the tests that `run` recorded that say something about the cell with these values.

    A test of a framework alone speaks for each of its cells, one of a rendering for the cell with
    its answers, and one of no service in particular for every cell.
    """
    return tuple(
        Check(t["id"], tuple(t["lines"]), t["step"], t["state"], t["seconds"], t["said"], run)
        for t in tests
        if t["service"].items() <= dict(values).items()
    )


def shared_out(tests: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The tests of one session, the time of those that ran together divided among them.

    Of several that run side by side the first takes all the time, and the others none.
    """
    together = defaultdict(list)
    result = [dict(test) for test in tests]
    for test in result:
        if test["together"]:
            together[test["id"].partition("[")[0]].append(test)
    for same in together.values():
        mean = sum(test["seconds"] for test in same) / len(same)
        for test in same:
            test["seconds"] = round(mean, 3)
    return result


# ---- files


def write(folder: Path, result: Result) -> None:
    _put(folder / f"{result.cell}.json", asdict(result))


def write_about(folder: Path, about: About) -> None:
    """Named by its first cell, so that those of several machines can lie side by side."""
    _put(folder / f"run-{(*about.wanted, 'nothing')[0]}.json", asdict(about))


def bites_file(folder: Path, frameworks: Iterable[str]) -> Path:
    """Where the outcomes of the patches on the services of these frameworks are."""
    return folder / f"mutations-{'-'.join(frameworks)}.json"


def gathered(folder: Path, whole: Iterable[str]) -> Run:
    """Everything in `folder` and below; the cells of `whole` should be there as well.

    Of runs side by side the time is that of the longest.
    """
    found = {path: json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))}
    about = [_about(data) for data in found.values() if "wanted" in data]
    wanted = dict.fromkeys((*whole, *(cell for one in about for cell in one.wanted)))
    bites = [b for data in found.values() if "outcomes" in data for b in _bites(data)]
    return Run(
        began=min((one.began for one in about), default=NEVER),
        seconds=max((one.seconds for one in about), default=0.0),
        version=", ".join(dict.fromkeys(one.version for one in about)),
        commit=", ".join(dict.fromkeys(one.commit for one in about)),
        wanted=tuple(wanted),
        results=tuple(_result(data) for data in found.values() if "checks" in data),
        bites=tuple(bites),
    )


def _about(data: Mapping[str, Any]) -> About:
    return About(**{**data, "wanted": tuple(data["wanted"])})


def _result(data: Mapping[str, Any]) -> Result:
    made = tuple(Step(**step) for step in data["made"])
    checks = tuple(Check(**{**check, "lines": tuple(check["lines"])}) for check in data["checks"])
    return Result(**{**data, "made": made, "checks": checks})


def _bites(data: Mapping[str, Any]) -> list[Bite]:
    """The outcomes of a mutation run; patches that it did not come to are missed ones."""
    found = [Bite(**outcome) for outcome in data["outcomes"]]
    absent = data["patches"] - len(found)
    return found + [Bite("no framework", "", "", False, "the run ended before it", 0.0)] * absent


def _put(path: Path, value: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
