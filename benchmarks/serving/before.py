"""Measures each service beside the one that an earlier commit of this repository generates.

    python -m benchmarks.serving.before COMMIT [--framework flask,falcon] [--database sqlite]
                                        [--rounds 5] [--seconds 1] [--json FILE]

Both have 1,000 items and take turns on the core of the service, as a service and its baseline do in
`benchmarks.serving`. The earlier service is made by the command line and the templates of that
commit, on the packages of today. Prints how much of the earlier throughput is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving import figures
from benchmarks.serving.__main__ import listed, positive
from benchmarks.serving.bench import ITEMS, Bench, bench, tell
from benchmarks.serving.besides import REQUESTS, Column, cell, in_turns
from benchmarks.serving.figures import compared, significant
from benchmarks.serving.load import Refused
from tests.services import NAME, REPOSITORY, Project, frameworks, install


def main(words: Sequence[str] | None = None) -> int:
    given = arguments(words)
    chosen, databases = given.framework or frameworks(), given.database or list(figures.DATABASES)
    found: dict[str, dict[str, Any]] = {}
    try:
        with bench(chosen, with_postgresql="postgresql" in databases) as stand:
            earlier = stand.folder / "earlier"
            unpack(given.commit, earlier)
            for framework in chosen:
                project = made_by(earlier, framework, stand)
                for database in databases:
                    figure = beside_earlier(stand, framework, database, project, given)
                    found.setdefault(framework, {})[database] = figure
                    if given.json:
                        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    except (Refused, pytest.fail.Exception, pytest.skip.Exception) as error:
        raise SystemExit(str(error)) from None
    print("\n".join(told(found, databases)))
    return 0


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.before", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("commit", help="a commit, branch or tag of this repository")
    parser.add_argument("--framework", type=listed(frameworks()), help="a,b; all where not given")
    parser.add_argument("--database", type=listed(figures.DATABASES), help="both where not given")
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--seconds", type=positive, default=1, help="of each measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    return parser.parse_args(words)


def unpack(commit: str, target: Path) -> None:
    """The tree of a commit as a folder. Ends with git's own words if there is none."""
    archive = subprocess.run(
        ["git", "archive", commit], cwd=REPOSITORY, capture_output=True, check=False
    )
    if archive.returncode:
        raise SystemExit(archive.stderr.decode().strip())
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(target, filter="data")


def made_by(earlier: Path, framework: str, stand: Bench) -> Project:
    """The service that the code in `earlier` makes by its defaults, installed."""
    tell(f"{framework}: render and install, as of before")
    parent = earlier / "made" / framework
    parent.mkdir(parents=True)
    options = ("--output", str(parent), "--defaults", "--no-git", "--no-lock")
    subprocess.run(
        [sys.executable, "-m", "scaffold", "new", NAME, "--framework", framework, *options],
        cwd=earlier,
        env=os.environ | {"PYTHONPATH": str(earlier)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    install(parent / NAME)
    return Project(framework, parent / NAME, stand.project(framework).surroundings)


def beside_earlier(
    stand: Bench, framework: str, database: str, project: Project, given: argparse.Namespace
) -> dict[str, Any]:
    """The figures of the service of today, and of the earlier one, by request."""
    today = stand.project(framework)
    own = stand.databases.make(database, today, ITEMS)
    # The earlier service cannot use a database of today's migrations, so each has its own.
    other = stand.databases.beside(database, project, ITEMS, "earlier")
    with stand.generated(today, own) as service, stand.generated(project, other) as before:
        what = f"{framework}, {database}"
        rounds = in_turns(stand, (service, before), Column("before", {}), what, given)
        memory = service.memory_mb(), before.memory_mb()
    measured: dict[str, Any] = {request: compared(found) for request, found in rounds.items()}
    return measured | {"memory_mb": [significant(one) for one in memory]}


def told(found: Mapping[str, Mapping[str, Any]], databases: Sequence[str]) -> list[str]:
    """A table for each request: the throughput kept, and the CPU microseconds of both."""
    lines = []
    for request in REQUESTS:
        lines += [f"### {request}", "", f"| framework | {' | '.join(databases)} |"]
        lines.append("| --- |" + " --- |" * len(databases))
        for framework, measured in found.items():
            cells = [
                cell(measured[name][request]) if name in measured else "" for name in databases
            ]
            lines.append(f"| {framework} | {' | '.join(cells)} |")
        lines.append("")
    return lines


if __name__ == "__main__":
    sys.exit(main())
