"""Tells how long the first green tests take: a part of docs/speed.md.

docs/data/first_tests.json comes from `python benchmarks/first_tests.py --write`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.speed import NOT_YET, Goal, load_of
from scaffold.catalog import catalog

HERE = Path(__file__).resolve().parent
RECORD = HERE / "data" / "first_tests.json"
GOAL_SECONDS = 20.0


def part() -> Iterator[str]:
    """The part of the page that is generated."""
    if not RECORD.exists():
        yield NOT_YET
        return
    yield from told(json.loads(RECORD.read_text(encoding="utf-8")))


def told(found: Mapping[str, Any]) -> Iterator[str]:
    """Where and when it was measured, the goal, and a line for each framework."""
    on, runs = found["machine"], found["runs"]
    counted = "one run" if runs == 1 else f"the least of {runs} runs"
    yield (
        f"Made on {found['date']} by `python benchmarks/first_tests.py --write`, on {on['cpu']}, "
        f"{on['cores']} cores, Linux {on['kernel']}, Python {found['python']}: {counted} after one "
        f"that filled the cache. {load_of(found)}"
    )
    yield ""
    have = [one for one in catalog.load(HERE.parent).frameworks if one.id in found["frameworks"]]
    yield f"- {goal({one.name: found['frameworks'][one.id]['seconds'] for one in have})}"
    yield ""
    yield f"| framework | `new` s | tests | `uv run pytest` s | together s, goal {GOAL_SECONDS:g} |"
    yield "| --- | --- | --- | --- | --- |"
    for one in have:
        of = found["frameworks"][one.id]
        cells = [one.name, f"{of['new_seconds']:.1f}", str(of["tests"])]
        cells += [f"{of['tests_seconds']:.1f}", f"{of['seconds']:.1f}"]
        yield f"| {' | '.join(cells)} |"


def goal(seconds: Mapping[str, float]) -> Goal:
    """Twenty seconds for each."""
    above = {name: taken for name, taken in seconds.items() if taken > GOAL_SECONDS}
    said = ", ".join(f"{name} {taken:.1f} s" for name, taken in above.items())
    slowest = max(seconds, key=lambda name: seconds[name], default="")
    return Goal(
        f"from an empty folder to green tests in at most {GOAL_SECONDS:g} s",
        said
        or f"{len(seconds)} of {len(seconds)}, the slowest is {slowest} with "
        f"{seconds.get(slowest, 0):.1f} s",
        not above,
    )
