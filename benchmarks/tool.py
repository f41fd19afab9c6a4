"""How much CPU the command line takes, beside an empty Typer command in the same run.

    python benchmarks/tool.py [--runs 7]

Prints the least CPU seconds (user and system, with every process that is started) of each command
over the runs, which take turns, and its ratio to the empty command. A machine that is busy makes
all of them slower alike: compare ratios.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
EMPTY = "import typer\napp = typer.Typer()\n\n@app.command()\ndef main() -> None: ...\n\napp()\n"
NEW = "new my-svc --defaults --no-lock --no-git".split()
COMMANDS = {
    "an empty Typer command": None,
    "scaffold --help": ["--help"],
    "scaffold list": ["list"],
    "scaffold advise": ["advise", "--talk", "live"],
    "scaffold new, without lock and git": NEW,
}


def cpu_seconds(command: list[str], folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(runs: int) -> dict[str, float]:
    least: dict[str, float] = {}
    for _ in range(runs + 1):  # the first one fills the caches
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "empty.py").write_text(EMPTY)
            for title, arguments in COMMANDS.items():
                tail = ["empty.py"] if arguments is None else ["-m", "scaffold", *arguments]
                taken = cpu_seconds([sys.executable, *tail], folder)
                least[title] = min(taken, least.get(title, taken))
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    least = measure(parser.parse_args().runs)
    empty = least["an empty Typer command"]
    print("| command | CPU s | times the empty command |\n| --- | --- | --- |")
    for title, seconds in least.items():
        print(f"| {title} | {seconds:.2f} | {seconds / empty:.2f} |")


if __name__ == "__main__":
    main()
