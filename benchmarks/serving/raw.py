"""Measures the nine generated services beside their bare and their raw twins.

    python -m benchmarks.serving.raw [--framework flask,falcon] [--database sqlite] [--write]

A raw twin is what somebody writes for speed alone: the same framework and server straight on the
driver, in some forty lines (`benchmarks/raw`). The three take turns, round by round, under the load
of `benchmarks.serving`. Prints the tables; `--write` puts them into docs/data/raw.json and
docs/speed.md. On all nine and both databases, with five rounds of a second, it takes half an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from benchmarks.serving import figures, machine
from benchmarks.serving.__main__ import listed, positive
from benchmarks.serving.bench import (
    DRIVERS,
    ITEMS,
    WARM_UP_SECONDS,
    Bench,
    bench,
    measure,
    saying,
    tell,
)
from benchmarks.serving.figures import Sample, medians, significant
from benchmarks.serving.items import some_ids
from benchmarks.serving.load import CONNECTIONS, Refused, check
from benchmarks.serving.processes import Server
from docs import raw as page
from docs import tables
from tests.services import frameworks, uv_environment

PACKAGES = ("asyncpg>=0.30", "psycopg_pool>=3.2")
REQUESTS = ("read", "list", "create")
SIDES = ("generated", "bare", "raw")
Turns = Mapping[str, Mapping[str, Sequence[Sample]]]  # by request, and then by side


def main(words: Sequence[str] | None = None) -> int:
    given = arguments(words)
    chosen, databases = given.framework or frameworks(), given.database or list(figures.DATABASES)
    try:
        with bench(chosen, with_postgresql="postgresql" in databases) as stand:
            install_drivers(stand.folder)
            found = run(stand, chosen, databases, given)
    except (Refused, pytest.fail.Exception, pytest.skip.Exception) as error:
        raise SystemExit(str(error)) from None
    print("\n".join(page.told(found)))
    for file in [page.RECORD] if given.write else [given.json] if given.json else []:
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if given.write:
        tables.main()
    return 0


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.raw", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--framework", type=listed(frameworks()), help="a,b; all where not given")
    parser.add_argument("--database", type=listed(figures.DATABASES), help="both where not given")
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--seconds", type=positive, default=1, help="of each measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    parser.add_argument("--write", action="store_true", help="into docs/data and the page")
    return parser.parse_args(words)


def install_drivers(folder: Path) -> Path:
    """What the raw twins need beyond the packages of the services, in a folder of its own."""
    drivers = folder / DRIVERS
    command = ["uv", "pip", "install", "--quiet", "--no-deps", "--target", drivers, *PACKAGES]
    subprocess.run(command, env=uv_environment(), check=True)
    return drivers


def run(
    stand: Bench, chosen: Sequence[str], databases: Sequence[str], given: argparse.Namespace
) -> dict[str, Any]:
    """The record of a run."""
    load = significant(os.getloadavg()[0], 2)
    found: dict[str, Any] = {}
    for framework in chosen:
        of = found[framework] = {}
        for database in databases:
            turns = in_turns(stand, framework, database, given.rounds, given.seconds)
            of[database] = {request: compared(sides) for request, sides in turns.items()}
    return {
        **machine.circumstances(uv_environment()["UV_PYTHON"], stand.admin_url),
        "load": load,
        "seconds": given.seconds,
        "rounds": given.rounds,
        "connections": CONNECTIONS,
        "frameworks": found,
    }


def compared(sides: Mapping[str, Sequence[Sample]]) -> dict[str, Any]:
    """The figures of a request: medians of each side, and of the ratios within a round."""
    rounds = list(zip(sides["generated"], sides["raw"], strict=True))
    return {
        **{side: medians(samples) for side, samples in sides.items()},
        "kept": significant(median(own.rps / raw.rps for own, raw in rounds)),
        "p99 times": significant(median(own.p99_ms / raw.p99_ms for own, raw in rounds)),
        "cpu times": significant(median(own.cpu_us / raw.cpu_us for own, raw in rounds)),
    }


def in_turns(stand: Bench, framework: str, database: str, rounds: int, seconds: int) -> Turns:
    """Round by round, each request of the three; who goes first takes turns, too."""
    project, wrk = stand.project(framework), stand.wrk()
    own = stand.databases.make(database, project, ITEMS)
    bare_url, raw_url = stand.databases.copy(database), stand.databases.copy(database, "raw")
    found: dict[str, dict[str, list[Sample]]] = {
        request: {side: [] for side in SIDES} for request in REQUESTS
    }
    with (
        stand.generated(project, own) as generated,
        stand.bare(project, bare_url) as bare,
        stand.raw(project, raw_url) as raw,
    ):
        servers = dict(zip(SIDES, (generated, bare, raw), strict=True))
        for side, server in servers.items():
            with saying(f"{framework}, {database}, {side}"):
                warm_up(stand, server)
        for number in range(rounds):
            first = number % len(SIDES)
            for request in REQUESTS:
                for side in (*SIDES[first:], *SIDES[:first]):
                    with saying(f"{framework}, {database}, {side}"):
                        sample = measure(servers[side], wrk, request, seconds)
                    found[request][side].append(sample)
                tell(progress(framework, database, request, number, found[request]))
    return found


def warm_up(stand: Bench, server: Server) -> None:
    """Each request by hand, and then for a while."""
    for request in REQUESTS:
        check(server.url, request, some_ids(ITEMS)[0])
        stand.wrk().run(server.url, request, WARM_UP_SECONDS)
        server.settle()


def progress(
    framework: str, database: str, request: str, number: int, sides: Mapping[str, list[Sample]]
) -> str:
    rates = " / ".join(f"{sides[side][-1].rps:,.0f}" for side in SIDES)
    cpu = " / ".join(f"{sides[side][-1].cpu_us:,.0f}" for side in SIDES)
    told = f"{framework} {database} {request}, round {number + 1}: {' / '.join(SIDES)}"
    return f"{told}: {rates} a second, {cpu} CPU µs"


if __name__ == "__main__":
    sys.exit(main())
