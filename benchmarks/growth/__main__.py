"""Measures what growing costs: items, connections, replicas, workers, readers of the stream.

    python -m benchmarks.growth [--part items,stream] [--framework falcon,fastapi] [--write]

Frameworks are Falcon and FastAPI where none is given, and for the stream those that have one. The
service runs on one core; wrk, PostgreSQL and the readers on another. Replicas and workers run on
every core, as then does all the rest. Prints tables; `--write` puts a whole run into
docs/data/growth.json and the documentation. Takes twenty minutes, and needs what
`python -m benchmarks.serving` needs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.growth import parts
from benchmarks.serving import machine
from benchmarks.serving.__main__ import listed, positive
from benchmarks.serving.bench import Bench, bench
from benchmarks.serving.figures import DATABASES
from benchmarks.serving.load import CONNECTIONS, Refused
from docs import speed, tables
from tests.services import features, frameworks

PARTS = ("items", "connections", "replicas", "workers", "stream")
DEFAULT = ("falcon", "fastapi")


def main(words: Sequence[str] | None = None) -> int:
    given = arguments(words)
    chosen = given.framework or [name for name in frameworks() if name in DEFAULT]
    streaming = [name for name in given.framework or frameworks() if "stream" in features(name)]
    wanted = given.part or list(PARTS)
    if given.write and (set(wanted) != set(PARTS) or given.framework):
        raise SystemExit("--write takes a whole run: every part, of the frameworks that it has")
    listing = chosen if set(wanted) - {"stream"} else []
    needed = dict.fromkeys([*listing, *(streaming if "stream" in wanted else [])])
    try:
        with bench(list(needed), with_postgresql=True) as stand:
            grown = run(stand, listing, streaming, wanted, given)
    except (Refused, pytest.fail.Exception, pytest.skip.Exception) as error:
        raise SystemExit(str(error)) from None
    print("\n".join(speed.growth_tables(grown)))
    if given.json:
        write(given.json, grown)
    if given.write:
        write(speed.GROWN, grown)
        tables.main()
    return 0


def write(file: Path, grown: dict[str, Any]) -> None:
    file.write_text(json.dumps(grown, indent=1) + "\n", encoding="utf-8")


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--framework", type=listed(frameworks()), help="a,b")
    parser.add_argument("--part", type=listed(PARTS), help="a,b; all where not given")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--seconds", type=positive, default=3, help="of each measurement")
    parser.add_argument("--items", type=sizes, default=parts.SIZES, help="how many, as a,b")
    parser.add_argument("--readers", type=sizes, default=parts.AUDIENCES, help="how many, as a,b")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    parser.add_argument("--write", action="store_true", help="into docs/data and the pages")
    return parser.parse_args(words)


def sizes(text: str) -> list[int]:
    return sorted(positive(size) for size in text.split(","))


def run(
    stand: Bench,
    chosen: Sequence[str],
    streaming: Sequence[str],
    wanted: Sequence[str],
    given: argparse.Namespace,
) -> dict[str, Any]:
    assert stand.admin_url is not None
    grown: dict[str, Any] = {
        **machine.circumstances(stand.project((*chosen, *streaming)[0]).python, stand.admin_url),
        "seconds": given.seconds,
        "rounds": given.rounds,
        "connections": CONNECTIONS,
    }
    often = given.rounds, given.seconds
    if "items" in wanted:
        grown["items"] = {name: both(stand, name, given) for name in chosen}
    if "connections" in wanted:
        grown["crowds"] = {n: parts.connections(stand, n, "postgresql", *often) for n in chosen}
    if "replicas" in wanted:
        grown["replicas"] = {n: parts.replicas(stand, n, "postgresql", *often) for n in chosen}
    if "workers" in wanted:
        grown["workers"] = {n: parts.workers(stand, n, "postgresql", *often) for n in chosen}
    if "stream" in wanted:
        grown["stream"] = {
            name: {kind: parts.stream(stand, name, kind, given.readers) for kind in DATABASES}
            for name in streaming
        }
    return grown


def both(stand: Bench, framework: str, given: argparse.Namespace) -> dict[str, Any]:
    """The list on both databases; PostgreSQL remembers the query, so it is asked first."""
    found = {}
    query = ""
    for kind in reversed(DATABASES):
        found[kind] = parts.items(stand, framework, kind, given.rounds, given.seconds, given.items)
        query = found[kind].pop("query", query)
        found[kind]["plan"] = parts.plan(stand, kind, query, given.items[-1])
    return {"query": query, **found}


if __name__ == "__main__":
    sys.exit(main())
