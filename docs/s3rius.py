"""Tells what FastAPI-template's service costs beside ours: a part of docs/speed.md.

docs/data/s3rius.json comes from `python -m benchmarks.serving.s3rius --write`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.speed import NOT_YET, REQUESTS, Goal, load_of, machine_of, measured

RECORD = Path(__file__).resolve().parent / "data" / "s3rius.json"
TIMES = 4.0


def part() -> Iterator[str]:
    """The part of the page that is generated."""
    if not RECORD.exists():
        yield NOT_YET
        return
    yield from told(json.loads(RECORD.read_text(encoding="utf-8")), kept_of_bare())


def kept_of_bare() -> float | None:
    """What the generated service keeps of a baseline on the same read, from the other run."""
    found = measured()
    of = found["frameworks"].get("fastapi") if found else None
    return float(of["databases"]["postgresql"]["read"]["kept"]) if of else None


def told(found: Mapping[str, Any], kept: float | None = None) -> Iterator[str]:
    """Where and when it was measured, the goal, and a line for each request of both.

    `kept` says how far a goal that is missed could be met with nothing added to the framework.
    """
    yield (
        f"Made on {found['date']} by `python -m benchmarks.serving.s3rius --write`, on "
        f"{machine_of(found)}: the median of {found['rounds']} rounds of {found['seconds']} s for "
        f"each figure. {load_of(found)}"
    )
    yield ""
    yield f"- {goal(found)}"
    if kept and not goal(found).met:
        yield (
            f"- of what is missing, at most this is ours to give: by the table of that read above, "
            f"the baseline of the same framework, server and statement answers {1 / kept:.2f} "
            f"times as often as ours, which comes to {goal_times(found) / kept:.2f} times theirs"
        )
    yield ""
    yield (
        "| ours asks | theirs | requests/s | theirs | times | CPU µs | theirs | p50 ms | theirs "
        "| p99 ms | theirs |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for request, of in found["requests"].items():
        cells = [REQUESTS[request], f"`GET {of['peer path']}`"]
        cells += [f"{of[who]['rps']:,.0f}" for who in ("own", "peer")]
        cells += [f"{of['times']:g}"]
        cells += [
            f"{of[who][key]:g}" for key in ("cpu_us", "p50_ms", "p99_ms") for who in ("own", "peer")
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""
    names = {"own": "Ours", "peer": f"Theirs, of FastAPI-template {found['version']}"}
    for who, name in names.items():
        versions = ", ".join(" ".join(one) for one in found["versions"][who].items())
        yield f"- {name}: {found['memory_mb'][who]:g} MB after the load; {versions}."


def goal_times(found: Mapping[str, Any]) -> float:
    return float(found["requests"]["read"]["times"])


def goal(found: Mapping[str, Any]) -> Goal:
    """What is asked of ours: four times the peer on a read of one row."""
    times = goal_times(found)
    return Goal(
        f"FastAPI as generated answers {REQUESTS['read']} on PostgreSQL at least {TIMES:g} times "
        "as often as FastAPI-template's service answers a read of one row",
        f"{times:.2f} times",
        times >= TIMES,
    )
