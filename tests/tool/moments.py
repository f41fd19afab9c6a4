"""Runs a command again and again and breaks each run at another moment. Not a test itself.

    moments.py PLACE KIND FIRST STEP MOST COMMAND...    as a program of `warm`

PLACE has a folder `before`, with what the command finds, and a file `cwd` with the folder in it to
run in. Each run has a copy of it. A moment is a write in it or in the temporary folder, or the
start of another program; KIND is one of `breaking`. At most MOST moments are tried, from FIRST in
steps of STEP. Prints one JSON object for each: `found` says whether all was as `before` or `after`
then, and `again` what the same command, unbroken, made of it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from tests.tool import breaking
from tests.tool.state import State, state_of

place, kind = Path(sys.argv[1]), sys.argv[2]
first, step, most = map(int, sys.argv[3:6])
command = sys.argv[6:]
work = place / "work"
before, here = place / "before", (place / "cwd").read_text()
os.environ["TMPDIR"] = str(work / "tmp")


def fresh() -> None:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    (work / "tmp").mkdir()
    shutil.copytree(before, work / "it", symlinks=True)


def run(at: int) -> breaking.Broken:
    return breaking.run(command, kind, at, work, cwd=work / "it" / here, programs=True)


def state() -> State:
    return state_of(work / "it")


def found(states: dict[str, State]) -> list[str]:
    """Which of `states` it is, or what is in none of them."""
    now = state()
    names = [name for name, known in states.items() if known == now]
    if command[0] == "new":  # what follows the files is a warning if it fails
        names += [name for name, known in states.items() if _same_files(known, now)]
    return names or [_difference(states, now)]


def _same_files(one: State, other: State) -> bool:
    return (one.files, one.left) == (other.files, other.left)


def _difference(states: dict[str, State], now: State) -> str:
    """What is neither as it was nor as it should be."""
    said = []
    for name, known in states.items():
        wrong = sorted(
            path
            for path in known.files.keys() | now.files.keys()
            if known.files.get(path) != now.files.get(path)
        )
        parts = [part for part in ("head", "index", "left") if known[_at(part)] != now[_at(part)]]
        said.append(f"not {name}: {wrong[:5]} {parts} {now.left}")
    return "; ".join(said)


def _at(part: str) -> int:
    return State._fields.index(part)


fresh()
states = {"before": state()}
whole = run(0)
states["after"] = state()
print(json.dumps({"code": whole.code, "said": whole.said}))
for at in range(first, first + step * most, step):
    fresh()
    broken = run(at)
    if not broken.struck:
        break
    was = found(states)
    again = run(0)
    print(
        json.dumps(
            {
                "at": at,
                "code": broken.code,
                "said": broken.said,
                "found": was,
                "again": again.code,
                "again_said": again.said,
                "found_again": found(states),
            }
        )
    )
