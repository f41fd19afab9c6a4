"""Tells what FastAPI-template's service costs beside ours: a part of docs/speed.md.

docs/data/s3rius.json comes from `python -m benchmarks.serving.s3rius --write`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.speed import NOT_YET, REQUESTS, Goal, machine_of

RECORD = Path(__file__).resolve().parent / "data" / "s3rius.json"
TIMES = 4.0


def part() -> Iterator[str]:
    """The part of the page that is generated."""
    if not RECORD.exists():
        yield NOT_YET
        return
    yield from told(json.loads(RECORD.read_text(encoding="utf-8")))


def told(found: Mapping[str, Any]) -> Iterator[str]:
    """Where and when it was measured, the goal, and a line for each request of both."""
    yield (
        f"Made on {found['date']} by `python -m benchmarks.serving.s3rius --write`, on "
        f"{machine_of(found)}: the median of {found['rounds']} rounds of {found['seconds']} s for "
        f"each figure. The load of the machine was {found['load']:g} at the beginning."
    )
    yield ""
    yield f"- {goal(found)}"
    yield ""
    yield (
        "| FastAPI | asks | requests/s | CPU µs | p50 ms | p99 ms | memory MB | ours answers | on |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    names = {"own": "as generated here", "peer": f"FastAPI-template {found['version']}"}
    for request, of in found["requests"].items():
        paths = {"own": REQUESTS[request], "peer": f"`GET {of['peer path']}`"}
        for who, name in names.items():
            rps, *others = (of[who][key] for key in ("rps", "cpu_us", "p50_ms", "p99_ms"))
            versions = ", ".join(" ".join(one) for one in found["versions"][who].items())
            cells = [name, paths[who], f"{rps:,.0f}", *(f"{value:g}" for value in others)]
            cells += [f"{found['memory_mb'][who]:g}"]
            cells += [f"{of['times']:g} times as often" if who == "own" else "", versions]
            yield f"| {' | '.join(cells)} |"


def goal(found: Mapping[str, Any]) -> Goal:
    """What is asked of ours: four times the peer on a read of one row."""
    times = found["requests"]["read"]["times"]
    return Goal(
        f"FastAPI as generated answers {REQUESTS['read']} on PostgreSQL at least {TIMES:g} times "
        "as often as FastAPI-template's service answers a read of one row",
        f"{times:.2f} times",
        times >= TIMES,
    )
