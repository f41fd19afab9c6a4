"""Runs `scaffold new` again and again and breaks each run at another place. Not a test itself.

    faults.py FOLDER KIND FIRST STEP    as a program of `warm`

A run is broken at its k-th write below FOLDER, for k from FIRST in steps of STEP for as long as
there is one, in one of the ways of `breaking`. But for SIGKILL, the service goes into a folder that
has to be made first. After each break at a write the command is run again, unbroken. Prints one
JSON object for each k.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from scaffold.making import render
from tests.tool import breaking

folder, kind = Path(sys.argv[1]), sys.argv[2]
first, step = int(sys.argv[3]), int(sys.argv[4])
output = folder if kind == "SIGKILL" else folder / "made" / "first"
COMMAND = ["new", "my-svc", "--defaults", "--no-lock", "--no-git", "--output", str(output)]


def listing() -> list[str]:
    """What lies in FOLDER, and in what was made for the service there."""
    names = sorted(path.name for path in folder.iterdir())
    return sorted(path.name for path in output.iterdir()) if names == ["made"] else names


def files() -> list[str]:
    target = output / "my-svc"
    return render.files_in(target) if target.exists() else []


def clean() -> None:
    for path in folder.iterdir():
        shutil.rmtree(path)


at = first
while True:
    code, struck, said = breaking.run(COMMAND, kind, at, folder)
    if not struck:
        break
    after = {"at": at, "code": code, "said": said, "left": listing(), "files": files()}
    again = None if kind == "LINE" else breaking.run(COMMAND, kind, 0, folder).code
    print(json.dumps({**after, "again": again, "left_again": listing(), "files_again": files()}))
    clean()
    at += step
