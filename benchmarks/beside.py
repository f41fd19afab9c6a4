"""How much longer an update takes with many files beside the service in its repository.

    python benchmarks/beside.py [--files 60000] [--runs 5]

Makes one service, in a repository of its own and in one with as many other files as asked for, all
committed. Changes an answer in both, in turn, and undoes it. Prints the least seconds of each, for
`update` and for `update --dry-run`, and how many times as long the second takes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
IN_A_FOLDER = 100
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
}


def run(folder: Path, *command: str) -> float:
    """Seconds of the clock that a command takes."""
    environment = os.environ | IDENTITY | {"PYTHONPATH": str(REPOSITORY)}
    start = time.monotonic()
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return time.monotonic() - start


def committed(folder: Path) -> None:
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "add", "--all", "--force")
    run(folder, "git", "commit", "--quiet", "--message", "As generated")


def many(folder: Path, count: int) -> None:
    for number in range(count):
        parent = folder / "others" / str(number // IN_A_FOLDER)
        if number % IN_A_FOLDER == 0:
            parent.mkdir(parents=True)
        (parent / f"{number}.txt").write_text(f"{number}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=60_000)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    scaffold = (sys.executable, "-m", "scaffold")
    with tempfile.TemporaryDirectory() as name:
        alone, beside = Path(name) / "alone", Path(name) / "beside"
        for folder in (alone, beside):
            folder.mkdir()
            run(folder, *scaffold, "new", "my-svc", "--defaults", "--no-lock", "--no-git")
        many(beside, asked.files)
        committed(alone / "my-svc")
        committed(beside)
        for words in (["--dry-run"], []):
            taken: dict[Path, list[float]] = {alone: [], beside: []}
            for _ in range(asked.runs):
                for folder, seconds in taken.items():
                    answer = ("--description", "Another", "--no-lock", *words)
                    seconds.append(run(folder / "my-svc", *scaffold, "update", *answer))
                    run(folder / "my-svc", "git", "reset", "--hard", "--quiet")
            least, most = min(taken[alone]), min(taken[beside])
            print(
                f"update {' '.join(words):10} alone {least:.2f} s, "
                f"with {asked.files} files beside it {most:.2f} s: {most / least:.2f} times"
            )
        shutil.rmtree(beside, ignore_errors=True)


if __name__ == "__main__":
    main()
