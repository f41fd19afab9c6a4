"""Measures the nine generated services beside baselines of the same framework and server.

    python -m benchmarks.serving [--framework flask,falcon] [--database sqlite] [--write]

Each service runs as it is shipped, alone on one core, on a database with 1,000 items; wrk, with 16
connections, and PostgreSQL run on another. The service and its twin take turns, round by round; a
measurement with an answer that is not 2xx is refused. Prints tables; `--write` puts a whole run
into measured.json and the documentation. Needs Debian's `wrk`, `postgresql` and, for Nameko,
`rabbitmq-server`. A whole run takes half an hour, and a machine that does nothing else meanwhile.
What was refused in it can be measured again alone: `--json FILE` the first time, and then `--after
FILE`, which takes a file that was made on the same day in the same way.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving import figures, machine
from benchmarks.serving.bench import STARTS, Bench, bench, beside_bare, tell
from benchmarks.serving.load import CONNECTIONS, Refused
from docs import speed, tables
from scaffold.catalog import catalog
from tests.services import REPOSITORY, frameworks, uv_environment


def main(words: Sequence[str] | None = None) -> int:
    given = arguments(words)
    known = frameworks()
    chosen, databases = given.framework or known, given.database or list(figures.DATABASES)
    if given.write and given.statements_once:
        raise SystemExit("--write takes the baselines as they are")
    if given.write and (set(chosen) != set(known) or set(databases) != set(figures.DATABASES)):
        raise SystemExit("--write takes a whole run: every framework, on both databases")
    earlier = json.loads(given.after.read_text()) if given.after else {"frameworks": {}}
    missing = [framework for framework in chosen if framework not in earlier["frameworks"]]
    try:
        with bench(missing, with_postgresql="postgresql" in databases) as stand:
            stand.statements_once = given.statements_once
            now = circumstances(stand, given)
            found = continued(earlier, now) if given.after else {}
            measured = {**now, "frameworks": found}
            failures = run(stand, missing, databases, measured, given)
    except (Refused, pytest.fail.Exception, pytest.skip.Exception) as error:
        raise SystemExit(str(error)) from None
    print("\n".join(speed.serving_tables(measured)))
    for failure in failures:
        print(failure, file=sys.stderr)
    if given.write:
        if not figures.is_whole(measured, known):
            raise SystemExit("nothing is written, as not all was measured")
        write(speed.MEASURED, measured)
        speed.PICTURE.write_text(speed.picture(measured), encoding="utf-8")
        tables.main()
    return 1 if failures else 0


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--framework", type=listed(frameworks()), help="a,b; all where not given")
    parser.add_argument("--database", type=listed(figures.DATABASES), help="both where not given")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--seconds", type=positive, default=3, help="of each measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    parser.add_argument(
        "--after", type=Path, metavar="FILE", help="go on with what such a FILE lacks"
    )
    parser.add_argument(
        "--statements-once",
        action="store_true",
        help="let the baselines, too, build the statements that read but once",
    )
    parser.add_argument("--write", action="store_true", help="into measured.json and the pages")
    return parser.parse_args(words)


def listed(known: Sequence[str]) -> Any:
    """What takes `a,b` for a list of known names, in the order in which they are known."""

    def names(text: str) -> list[str]:
        if unknown := set(text.split(",")) - set(known):
            raise argparse.ArgumentTypeError(
                f"{', '.join(sorted(unknown))}: there are {', '.join(known)}"
            )
        return [name for name in known if name in text.split(",")]

    return names


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number from 1 on")
    return int(text)


def run(
    stand: Bench,
    chosen: Sequence[str],
    databases: Sequence[str],
    measured: dict[str, Any],
    given: argparse.Namespace,
) -> list[str]:
    """Measure into `measured`; what was refused, which costs its framework its place, no more."""
    packages = {one.id: one.facts.package for one in catalog.load(REPOSITORY).frameworks}
    failures = []
    for framework in chosen:
        try:
            samples = {
                database: beside_bare(
                    stand,
                    framework,
                    database,
                    rounds=given.rounds,
                    seconds=given.seconds,
                    starts=STARTS if database == databases[0] else 1,
                )
                for database in databases
            }
        except (Refused, pytest.fail.Exception) as error:
            failures.append(f"refused: {error}")
            tell(failures[-1])
            continue
        folder = stand.project(framework).folder
        versions = machine.package_versions(folder, packages[framework])
        measured["frameworks"][framework] = figures.of_framework(samples, versions)
        if given.json:
            write(given.json, measured)
    return failures


def circumstances(stand: Bench, given: argparse.Namespace) -> dict[str, Any]:
    """All that a record says beside its figures."""
    return {
        **machine.circumstances(uv_environment()["UV_PYTHON"], stand.admin_url),
        "seconds": given.seconds,
        "rounds": given.rounds,
        "connections": CONNECTIONS,
    }


def continued(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The frameworks of an earlier run. `Refused` where it was made in any other way than this."""
    other = [name for name, value in now.items() if earlier.get(name) != value]
    if other:
        raise Refused(f"that run cannot be continued, it has another {', another '.join(other)}")
    return dict(earlier["frameworks"])


def write(file: Path, measured: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
