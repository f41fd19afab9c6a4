"""Prove the templates, break them on purpose, and show what came of it.

    python -m nightly                      everything: the matrix, the patches, the report
    python -m nightly prove flask 3.12     the cells with these values (see `scaffold matrix`)
    python -m nightly prove CELL           one cell alone
    python -m nightly break flask          the patches that the contract suite has to catch
    python -m nightly report               the page, from the results that lie there

Results are one JSON file for each cell in `--results`; copy those of several machines into one
folder, and `report` shows them all. Where a cell does not hold, or a patch is not caught, the exit
code is 1. Nothing may be skipped: what a test misses on this machine is a failure.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from nightly import breaking, proving, report, results
from scaffold import matrix
from scaffold.catalog import catalog
from scaffold.errors import UserError
from tests.services import REPOSITORY

# Who commits where nobody has told git a name.
SOMEBODY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "nightly"), ("EMAIL", "nightly@scaffold.invalid"))
}


def main() -> int:
    arguments = parsed()
    for variable, value in SOMEBODY.items():
        os.environ.setdefault(variable, value)
    console = Console(stderr=False, highlight=False)
    try:
        return int(not COMMANDS[arguments.command](arguments, console))
    except UserError as error:
        print(f"nightly: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("nightly: interrupted; finished cells are in the results", file=sys.stderr)
        return 130


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m nightly", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("command", nargs="?", choices=COMMANDS, default="all")
    parser.add_argument("part", nargs="*", help="values of cells, or frameworks to break")
    parser.add_argument("--jobs", type=int, default=2, help="tests that run at once (2)")
    parser.add_argument("--results", type=Path, default=Path("nightly-results"))
    parser.add_argument("--report", type=Path, default=Path("nightly-report"))
    parser.add_argument("--keep", type=Path, help="make the services here, and leave them")
    parser.add_argument(
        "--whole",
        action="store_true",
        help="report: a cell of the matrix without a result is broken",
    )
    return parser.parse_args()


def everything(arguments: argparse.Namespace, console: Console) -> bool:
    for old in arguments.results.glob("*.json"):
        old.unlink()
    proven = prove(arguments, console)
    broken = break_(arguments, console)
    arguments.whole = not arguments.part
    return show(arguments, console) and proven and broken


def prove(arguments: argparse.Namespace, console: Console) -> bool:
    known = catalog.load(REPOSITORY)
    cells = matrix.chosen(known, proving.cells(known), arguments.part)
    return proving.prove(cells, arguments.jobs, arguments.results, arguments.keep, console)


def break_(arguments: argparse.Namespace, console: Console) -> bool:
    parts = arguments.part if arguments.command == "break" else ()
    return breaking.run(parts, arguments.jobs, arguments.results, console)


def show(arguments: argparse.Namespace, console: Console) -> bool:
    known = catalog.load(REPOSITORY)
    whole = [cell.id for cell in proving.cells(known)] if arguments.whole else []
    run = results.gathered(arguments.results, whole)
    shown = report.Report(run, report.names_of(known.frameworks))
    report.write(arguments.report, shown)
    console.print(f"{shown.verdict}: {arguments.report / 'index.html'}")
    return run.holds


COMMANDS = {"all": everything, "prove": prove, "break": break_, "report": show}

if __name__ == "__main__":
    sys.exit(main())
