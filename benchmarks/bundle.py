"""How large the bundle of releases gets.

    python benchmarks/bundle.py [--releases 100]

Builds the bundle as a wheel has it, and one in which each of the last commits that changed the
templates is a release of its own, so that a release changes what such a commit did in truth. Prints
the bytes of both.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from scaffold.catalog import history  # noqa: E402


def changes(most: int) -> list[history.Release]:
    """The last commits that changed the templates, the oldest first, each as a release."""
    words = ["git", "log", "--first-parent", "--format=%H", "--", *history.CONTENT]
    listed = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    commits = listed.stdout.split()[:most]
    return [history.Release(f"0.0.{n}", commit) for n, commit in enumerate(reversed(commits))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--releases", type=int, default=100)
    wanted = parser.parse_args().releases
    print("| releases | bytes |\n| --- | --- |")
    for past in (None, changes(wanted - 1)):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "releases.bundle"
            tags = history.bundle(REPOSITORY, file, past)
            print(f"| {len(tags)} | {file.stat().st_size:,} |")


if __name__ == "__main__":
    main()
