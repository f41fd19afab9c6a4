"""Turns a run into what people and programs read: one page, one JSON file, one Markdown summary."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2

from nightly.results import (
    FAIL,
    GOOD,
    GROUPS,
    LIMIT,
    NOT_RUN,
    SKIP,
    STEPS,
    TITLES,
    Bite,
    Check,
    Result,
    Run,
    worst,
)

MARKS = {"pass": "✓", LIMIT: "◐", FAIL: "✕", SKIP: "⤼", NOT_RUN: "·"}
MOST_FAILURES = 60  # lines of Markdown: a job summary holds a megabyte, a reader less


@dataclass(frozen=True)
class Promise:
    """One test function, and what became of it in each cell of a framework."""

    text: str
    checks: tuple[tuple[Check, ...], ...]
    """For each cell, its cases."""

    @property
    def states(self) -> list[str]:
        """For each cell; nothing where the promise is not asked for, such as on SQLite."""
        return [worst(c.state for c in cases) if cases else "" for cases in self.checks]

    @property
    def state(self) -> str:
        return worst(state for state in self.states if state)

    @property
    def words(self) -> list[tuple[str, str]]:
        """What was said of it and is no plain success: the case and the words, each once."""
        said = {
            check.said: check.id.rpartition("::")[2]
            for cases in self.checks
            for check in cases
            if check.said
        }
        return [(case, words) for words, case in said.items()]


@dataclass(frozen=True)
class Tile:
    """One requirement on one framework, over all its cells."""

    line: str
    framework: str
    results: tuple[Result, ...]

    @property
    def id(self) -> str:
        return f"{self.line}-{self.framework}"

    @cached_property
    def checks(self) -> list[Check]:
        """Each once, also one that speaks for several cells."""
        found = {
            (check.run, check.id): check
            for result in self.results
            for check in result.checks
            if self.line in check.lines
        }
        return list(found.values())

    @cached_property
    def state(self) -> str:
        unasked = any(self.line in result.missing_lines for result in self.results)
        states = [check.state for check in self.checks]
        return worst([*states, NOT_RUN] if unasked else states)

    @property
    def failed(self) -> int:
        return sum(check.state not in GOOD for check in self.checks)

    @property
    def seconds(self) -> float:
        return sum(check.seconds for check in self.checks)

    @property
    def depth(self) -> int:
        """How much proof there is, 1 to 4: ten times the checks are one more."""
        return min(len(str(len(self.checks) * 3)), 4) if self.checks else 0

    @cached_property
    def promises(self) -> list[Promise]:
        """The worst first, then in the order of the suite."""
        names = dict.fromkeys(check.promise for check in self.checks)
        found = [Promise(name, tuple(self._cases(result, name) for result in self.results))
                 for name in names]  # fmt: skip
        order = {state: place for place, state in enumerate((FAIL, SKIP, NOT_RUN, LIMIT, "pass"))}
        return sorted(found, key=lambda promise: order[promise.state])

    def _cases(self, result: Result, promise: str) -> tuple[Check, ...]:
        return tuple(c for c in result.checks if self.line in c.lines and c.promise == promise)


@dataclass(frozen=True)
class Bites:
    """What became of the patches on one framework's service."""

    framework: str
    all: tuple[Bite, ...]

    @property
    def caught(self) -> int:
        return sum(bite.caught for bite in self.all)


class Report:
    """All that the page, the JSON and the Markdown show of a run; `names` are those to show."""

    def __init__(self, run: Run, names: dict[str, str]) -> None:
        self.run = run
        self._names = names
        by_framework = defaultdict(list)
        place = {cell: number for number, cell in enumerate(run.wanted)}
        for result in sorted(run.results, key=lambda result: place.get(result.cell, len(place))):
            by_framework[result.values["framework"]].append(result)
        self.by_framework = {
            name: tuple(by_framework[name]) for name in names if by_framework[name]
        }

    def name(self, framework: str) -> str:
        return self._names.get(framework, framework)

    @cached_property
    def tiles(self) -> dict[str, list[Tile]]:
        """For each requirement, a tile for each framework."""
        return {
            line: [Tile(line, name, results) for name, results in self.by_framework.items()]
            for line in TITLES
        }

    @property
    def groups(self) -> list[tuple[str, list[str]]]:
        return [(title, [line for line in TITLES if line[0] == letter])
                for letter, title in GROUPS.items()]  # fmt: skip

    @cached_property
    def checks(self) -> list[Check]:
        found = {(c.run, c.id): c for result in self.run.results for c in result.checks}
        return list(found.values())

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if check.state not in GOOD]

    @property
    def limits(self) -> list[Check]:
        return [check for check in self.checks if check.state == LIMIT]

    @property
    def limits_told(self) -> list[tuple[str, list[str], str]]:
        """Each declared limit: its lines, the frameworks that have it, and the evidence."""
        told: dict[tuple[str, str], list[str]] = defaultdict(list)
        for framework, results in self.by_framework.items():
            found = {c.said: c for r in results for c in r.checks if c.state == LIMIT}
            for said, check in found.items():
                told[" ".join(check.lines), said].append(framework)
        return [(line, names, said) for (line, said), names in sorted(told.items())]

    @property
    def broken(self) -> list[Tile]:
        return [tile for tiles in self.tiles.values() for tile in tiles if tile.state not in GOOD]

    @property
    def bites(self) -> list[Bites]:
        frameworks = dict.fromkeys(bite.framework for bite in self.run.bites)
        return [Bites(name, tuple(b for b in self.run.bites if b.framework == name))
                for name in frameworks]  # fmt: skip

    @property
    def longest(self) -> float:
        """Seconds of the cell that took longest."""
        return max((result.seconds for result in self.run.results), default=0.0)

    @property
    def verdict(self) -> str:
        """The whole run in a sentence."""
        holding = sum(result.holds for result in self.run.results)
        if self.run.holds:
            return f"All {holding} services hold every line"
        broken = len(self.run.results) - holding
        do = "does" if broken == 1 else "do"
        parts = [f"{broken} of {len(self.run.wanted)} services {do} not hold"]
        if self.run.absent:
            parts.append(f"{len(self.run.absent)} left no result")
        if self.run.missed:
            missed = len(self.run.missed)
            parts.append(f"{missed} patch{'es were' if missed > 1 else ' was'} missed")
        return ", ".join(parts if broken else parts[1:]) or "Nothing was run"

    def versions(self) -> dict[str, dict[str, list[str]]]:
        """For each framework, what its services run on: every version that one of them has."""
        found: dict[str, dict[str, list[str]]] = {}
        for framework, results in self.by_framework.items():
            names = dict.fromkeys(name for result in results for name in result.versions)
            found[framework] = {
                name: sorted({r.versions[name] for r in results if name in r.versions})
                for name in names
            }
        return found


def as_json(report: Report) -> dict[str, Any]:
    run = report.run
    return {
        "holds": run.holds,
        "verdict": report.verdict,
        "began": run.began or None,
        "seconds": round(run.seconds, 1),
        "version": run.version,
        "commit": run.commit,
        "absent": run.absent,
        "lines": {
            line: {
                "title": TITLES[line],
                "frameworks": {
                    tile.framework: {
                        "state": tile.state,
                        "checks": len(tile.checks),
                        "failed": tile.failed,
                        "seconds": round(tile.seconds, 1),
                    }
                    for tile in tiles
                },
            }
            for line, tiles in report.tiles.items()
        },
        "services": [_service(result) for result in run.results],
        "mutations": {
            bites.framework: {
                "patches": len(bites.all),
                "caught": bites.caught,
                "missed": [_missed(bite) for bite in bites.all if not bite.caught],
            }
            for bites in report.bites
        },
    }


def _service(result: Result) -> dict[str, Any]:
    steps = {
        step.name: {"state": step.state, "seconds": round(step.seconds, 1), "checks": step.checks}
        for step in result.steps
    }
    return {
        "service": result.cell,
        "state": result.state,
        "seconds": round(result.seconds, 1),
        "steps": steps,
        "missing_lines": result.missing_lines,
        "versions": dict(result.versions),
    }


def _missed(bite: Bite) -> dict[str, str]:
    return {"line": bite.line, "breaks": bite.breaks, "why": bite.by}


# ---- Markdown


def as_markdown(report: Report) -> str:
    """For the summary of a job, and for an issue."""
    run = report.run
    mark = "✅" if run.holds else "❌"
    lines = [
        f"## {mark} {report.verdict}",
        "",
        f"{_about(run)}{len(report.checks)} checks, {len(report.limits)} declared limits, "
        f"{_duration(run.seconds)}.",
        "",
        *_markdown_grid(report),
        *_markdown_failures(report),
        *_markdown_bites(report.bites),
    ]
    return "\n".join(lines) + "\n"


def _markdown_grid(report: Report) -> list[str]:
    names = [report.name(framework) for framework in report.by_framework]
    rows = [f"| line | {' | '.join(names)} |", f"| --- |{' :-: |' * len(names)}"]
    for line, tiles in report.tiles.items():
        cells = " | ".join(_emoji(tile) for tile in tiles)
        rows.append(f"| {line} {TITLES[line]} | {cells} |")
    return [*rows, "", "🟢 holds · 🟡 holds but for a declared limit · 🔴 broken · ⚪ not run", ""]


def _emoji(tile: Tile) -> str:
    return {"pass": "🟢", LIMIT: "🟡", NOT_RUN: "⚪"}.get(tile.state, "🔴")


def _markdown_failures(report: Report) -> list[str]:
    rows = [f"- `{cell}` left no result" for cell in report.run.absent]
    for result in report.run.results:
        rows += [f"- `{result.cell}`: {step.name} {step.state}: {_one_line(step.said)}"
                 for step in result.made if step.state not in GOOD]  # fmt: skip
        if result.missing_lines:
            rows.append(f"- `{result.cell}`: nothing asked for {', '.join(result.missing_lines)}")
    for check in report.failed:
        rows.append(f"- `{check.id}` ({check.run}) {check.state}: {_one_line(check.said)}")
    more = len(rows) - MOST_FAILURES
    rows = [*rows[:MOST_FAILURES], *([f"- and {more} more, on the page"] if more > 0 else [])]
    return ["### Failed", "", *rows, ""] if rows else []


def _markdown_bites(bites: Sequence[Bites]) -> list[str]:
    rows = []
    for one in bites:
        rows.append(f"- {one.framework}: {one.caught} of {len(one.all)} patches caught")
        missed = [bite for bite in one.all if not bite.caught]
        rows += [f"  - missed: {b.line} {b.breaks} ({_one_line(b.by)})" for b in missed]
    return ["### Does the suite catch bugs?", "", *rows, ""] if rows else []


def _one_line(said: str) -> str:
    """The last line that says something, without what Markdown would take for its own."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["no words"]
    error = next((line for line in reversed(lines) if line.startswith("E ")), lines[-1])
    return re.sub(r"[`<>|]", "'", error.removeprefix("E "))[:200].strip()


# ---- the page


def as_page(report: Report) -> str:
    """One HTML file that needs nothing beside itself: no script, no font, no other host."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "duration": _duration,
        "date": _date,
        "sentence": _sentence,
        "report_name": report.name,
    }
    page = environment.get_template("page.html.jinja")
    return page.render(report=report, run=report.run, TITLES=TITLES, MARKS=MARKS, STEPS=STEPS)


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _about(run: Run) -> str:
    if not run.began:
        return ""
    return f"{_date(run.began)}, version {run.version}, commit `{run.commit[:12]}`: "


def _date(began: str) -> str:
    return datetime.fromisoformat(began).strftime("%d %B %Y, %H:%M UTC").lstrip("0")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def write(folder: Path, report: Report) -> None:
    """`index.html`, `report.json` and `summary.md` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(as_page(report), encoding="utf-8")
    (folder / "report.json").write_text(json.dumps(as_json(report), indent=1) + "\n")
    (folder / "summary.md").write_text(as_markdown(report), encoding="utf-8")


def names_of(frameworks: Iterable[Any]) -> dict[str, str]:
    """What each framework is called, in the order of the catalog."""
    return {framework.id: framework.name.split(" with ")[0] for framework in frameworks}
