"""Describes the cost of the services compared with raw versions: a part of docs/speed.md.

docs/data/raw.json comes from `python -m benchmarks.serving.raw --write`, and
docs/data/profile_raw.json from `python -m benchmarks.serving.profile --against raw --write`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.speed import DATABASES, NOT_YET, REQUESTS, Goal, load_of, machine_of
from scaffold.catalog import catalog

HERE = Path(__file__).resolve().parent
RECORD = HERE / "data" / "raw.json"
PROFILED = HERE / "data" / "profile_raw.json"
P99_TIMES = 2.0
Measured = Mapping[str, Any]
KEPT_AT_LEAST = {
    ("read", "sqlite"): 0.80,
    ("read", "postgresql"): 0.75,
    ("list", "sqlite"): 0.75,
    ("list", "postgresql"): 0.75,
    ("create", "sqlite"): 0.70,
    ("create", "postgresql"): 0.70,
}
# An event of each POST, and a container between the server and the handler.
NAMEKO_AT_LEAST = {"read": 0.65, "create": 0.50}


def part() -> Iterator[str]:
    """The part of the page that is generated."""
    if not RECORD.exists():
        yield NOT_YET
        return
    yield from told(json.loads(RECORD.read_text(encoding="utf-8")))


def told(found: Measured) -> Iterator[str]:
    """Where and when it was measured, the goals, and a table for each request and database."""
    yield (
        f"Made on {found['date']} by `python -m benchmarks.serving.raw --write`, on "
        f"{machine_of(found)}: the median of {found['rounds']} rounds of {found['seconds']} s for "
        f"each figure. {load_of(found)}"
    )
    yield ""
    for goal in goals(found):
        yield f"- {goal}"
    for request, database in KEPT_AT_LEAST:
        rows = list(_rows(found, request, database))
        if rows:
            yield ""
            yield f"### {REQUESTS[request]} on {DATABASES[database]}, beside the driver"
            yield ""
            yield (
                "| framework | requests/s | baseline | raw | of raw | CPU µs | baseline | raw "
                "| times raw | p99 ms | baseline | raw | times raw |"
            )
            yield f"|{' --- |' * 13}"
            yield from rows


def goals(found: Measured) -> Iterator[Goal]:
    """What is asked of the services beside their raw versions, as far as it was measured."""
    for (request, database), least in KEPT_AT_LEAST.items():
        kept = {
            (framework, name): of
            for framework, name in _names(found)
            if (of := _figures(found, framework, database, request))
        }
        if not kept:
            continue
        on = f"{REQUESTS[request]} on {DATABASES[database]}"
        below = [
            f"{name} {of['kept']:.0%}"
            for (framework, name), of in kept.items()
            if of["kept"] < at_least(framework, request, least)
        ]
        wanted = f"{on} keeps at least {least:.0%} of the raw version's throughput"
        yield Goal(wanted, ", ".join(below) or f"{len(kept)} of {len(kept)}", not below)
        late = [
            f"{name} {of['p99 times']:g} times"
            for (_, name), of in kept.items()
            if of["p99 times"] > P99_TIMES
        ]
        wanted = f"the p99 of {on} is at most {P99_TIMES:g} times the raw version's"
        yield Goal(wanted, ", ".join(late) or f"{len(kept)} of {len(kept)}", not late)


def at_least(framework: str, request: str, usually: float) -> float:
    """The part of the raw version's throughput that a framework has to keep."""
    return NAMEKO_AT_LEAST.get(request, usually) if framework == "nameko" else usually


def _rows(found: Measured, request: str, database: str) -> Iterator[str]:
    """The fastest first."""
    have = [
        (name, of)
        for framework, name in _names(found)
        if (of := _figures(found, framework, database, request))
    ]
    for name, of in sorted(have, key=lambda one: -one[1]["generated"]["rps"]):
        sides = [of[side] for side in ("generated", "bare", "raw")]
        cells = [name, *(f"{side['rps']:,.0f}" for side in sides), f"{of['kept']:.0%}"]
        cells += [*(f"{side['cpu_us']:g}" for side in sides), f"{of['cpu times']:g}"]
        cells += [*(f"{side['p99_ms']:g}" for side in sides), f"{of['p99 times']:g}"]
        yield f"| {' | '.join(cells)} |"


def _names(found: Measured) -> list[tuple[str, str]]:
    """Ids and names of the frameworks that were measured, in the article's order."""
    known = catalog.load(HERE.parent).frameworks
    return [(one.id, one.name) for one in known if one.id in found["frameworks"]]


def _figures(found: Measured, framework: str, database: str, request: str) -> Any:
    return found["frameworks"].get(framework, {}).get(database, {}).get(request)


def profile_part() -> Iterator[str]:
    """The part of the page that says where the additional CPU time goes."""
    if not PROFILED.exists():
        yield NOT_YET
        return
    found = json.loads(PROFILED.read_text(encoding="utf-8"))
    runs = found["frameworks"].values()
    loads = [of["load"] for of in runs]
    seconds = sorted({of["seconds"] for of in runs})
    yield (
        f"Made on {' and '.join(sorted({of['date'] for of in runs}))} by `python -m "
        f"benchmarks.serving.profile --against raw --write`, on {machine_of(found)}: "
        f"{found['rate']} looks a second for {' or '.join(map(str, seconds))} s each, at "
        f"{found['connections']} connections. The load of the machine was up to "
        f"{max(loads):g}."
    )
    yield ""
    yield from profile_tables(found)


def profile_tables(found: Measured) -> Iterator[str]:
    """For each request and database: CPU of both in microseconds, and the difference by part."""
    shown = {
        (request, database, name): of[database][request]
        for request, database in KEPT_AT_LEAST
        for framework, name in _names(found)
        if request in (of := found["frameworks"][framework]).get(database, {})
    }
    parts = list(dict.fromkeys(part for sides in shown.values() for part in sides["generated"]))
    parts.sort(key=lambda part: -sum(_more(sides, part) for sides in shown.values()))
    for request, database in KEPT_AT_LEAST:
        rows = {name: of for (*at, name), of in shown.items() if at == [request, database]}
        if rows:
            yield f"### Additional CPU µs of {REQUESTS[request]} on {DATABASES[database]}"
            yield ""
            yield f"| framework | generated | raw | {' | '.join(parts)} |"
            yield f"|{' --- |' * (3 + len(parts))}"
            for name, of in rows.items():
                both = [f"{sum(of[side].values()):.0f}" for side in ("generated", "raw")]
                yield f"| {' | '.join([name, *both, *(f'{_more(of, p):+.0f}' for p in parts)])} |"
            yield ""


def _more(sides: Mapping[str, Mapping[str, float]], part: str) -> float:
    return sides["generated"].get(part, 0) - sides["raw"].get(part, 0)
