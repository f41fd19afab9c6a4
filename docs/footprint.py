"""Describes what takes memory and the time of a start: a part of docs/speed.md.

docs/data/footprint.json comes from `python -m benchmarks.serving.footprint --write`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.speed import NOT_YET, Goal, machine_of
from scaffold.catalog import catalog

HERE = Path(__file__).resolve().parent
RECORD = HERE / "data" / "footprint.json"
BARE = ("interpreter", "standard library", "framework", "server", "driver")
MAX_MB = {"django": 85}
USUAL_MAX_MB = 75
START_TIMES = 2.0


def part() -> Iterator[str]:
    """The part of the page that is generated."""
    if not RECORD.exists():
        yield NOT_YET
        return
    yield from told(json.loads(RECORD.read_text(encoding="utf-8")))


def told(found: Mapping[str, Any]) -> Iterator[str]:
    """Where and when it was measured, the goals, and a table each for memory and time."""
    names = {one.id: one.name for one in catalog.load(HERE.parent).frameworks}
    of = {names[framework]: of for framework, of in found["frameworks"].items()}
    yield (
        f"Made on {found['date']} by `python -m benchmarks.serving.footprint --write`, on "
        f"{machine_of(found)}: the lowest of {found['rounds']} runs for each figure."
    )
    yield ""
    over = [
        f"{names[framework]} {one['served']['mb']:g} MB"
        for framework, one in found["frameworks"].items()
        if one["served"]["mb"] > MAX_MB.get(framework, USUAL_MAX_MB)
    ]
    wanted = f"at most {USUAL_MAX_MB} MB after the first 200, Django {MAX_MB['django']} MB"
    yield f"- {Goal(wanted, ', '.join(over) or f'{len(of)} of {len(of)}', not over)}"
    late = [
        f"{name} {_times(one):.2g} times" for name, one in of.items() if _times(one) > START_TIMES
    ]
    wanted = (
        f"the first 200 takes at most {START_TIMES:g} times the CPU of a process that imports the "
        "framework, the server and the driver"
    )
    yield f"- {Goal(wanted, ', '.join(late) or f'{len(of)} of {len(of)}', not late)}"
    for key, title in {"mb": "Memory in MB", "ms": "CPU in ms"}.items():
        yield ""
        yield from _table(of, key, title)


def _times(one: Mapping[str, Any]) -> float:
    """The CPU until the first 200, as a multiple of what a bare process takes."""
    bare = sum(one["groups"][group]["ms"] for group in BARE if group in one["groups"])
    return float(one["served"]["ms"] / bare)


def _table(of: Mapping[str, Any], key: str, title: str) -> Iterator[str]:
    groups = list(dict.fromkeys(group for one in of.values() for group in one["groups"]))
    yield f"| {title} | {' | '.join(groups)} | one process | served |"
    yield f"|{' --- |' * (len(groups) + 3)}"
    for name, one in of.items():
        shown = [one["groups"].get(group, {}).get(key) for group in groups]
        total = sum(value for value in shown if value is not None)
        figures = [*shown, total, one["served"][key]]
        cells = ["" if value is None else f"{value:.3g}" for value in figures]
        yield f"| {' | '.join([name, *cells])} |"
