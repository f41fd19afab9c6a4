"""How much CPU the command line takes, beside what it stands on in the same run.

    python benchmarks/tool.py [--runs 7]

Commands that only tell something are held against an empty Typer command; `new`, without the lock
and the first commit, against plain `copier copy` of the same template with the same answers, from a
folder without git (copier would clone a repository first, and take longer). Prints the least CPU
seconds (user and system, with every process that is started) of each over the runs, which take
turns, and its ratio to what it is held against. A machine that is busy makes all of them slower
alike: compare ratios.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
EMPTY = "import typer\napp = typer.Typer()\n\n@app.command()\ndef main() -> None: ...\n\napp()\n"
EMPTY_COMMAND, COPIER = "an empty Typer command", "copier copy"
GOAL = 1.3
ANSWERS = {"name": "my-svc", "framework": "flask"}


@dataclass(frozen=True)
class Command:
    """What is typed behind `python`, and by its title what it is held against."""

    title: str
    typed: str
    beside: str | None = None


COMMANDS = (
    Command(EMPTY_COMMAND, "empty.py"),
    Command(COPIER, "-m copier copy --quiet --defaults --data-file answers.yml source copied"),
    Command("scaffold --help", "-m scaffold --help", EMPTY_COMMAND),
    Command("scaffold list", "-m scaffold list", EMPTY_COMMAND),
    Command("scaffold advise", "-m scaffold advise --talk live", EMPTY_COMMAND),
    Command(
        "scaffold new",
        "-m scaffold new {name} --framework {framework} --defaults --no-lock --no-git",
        COPIER,
    ),
)


def prepare(folder: Path) -> None:
    """What the commands find where they run."""
    (folder / "empty.py").write_text(EMPTY)
    (folder / "answers.yml").write_text("".join(f"{k}: {v}\n" for k, v in ANSWERS.items()))
    (folder / "source").mkdir()
    shutil.copy(REPOSITORY / "copier.yml", folder / "source")
    shutil.copytree(REPOSITORY / "templates", folder / "source" / "templates")


def environment() -> dict[str, str]:
    """Byte code is kept, as where the tool is installed."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return own | {"PYTHONPATH": str(REPOSITORY)}


def cpu_seconds(command: Command, folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *command.typed.format_map(ANSWERS).split()],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(runs: int) -> dict[str, float]:
    """The least CPU seconds of each command, by its title."""
    least: dict[str, float] = {}
    for number in range(runs + 1):
        with tempfile.TemporaryDirectory() as name:
            prepare(Path(name))
            for command in COMMANDS:
                taken = cpu_seconds(command, Path(name))
                if number:  # the first one fills the caches
                    least[command.title] = min(taken, least.get(command.title, taken))
            if not number:
                check_same(Path(name))
    return least


def check_same(folder: Path) -> None:
    """Both generators have made the same service, but for the line on where it comes from."""
    made, copied = (files(folder / name) for name in (ANSWERS["name"], "copied"))
    if made != copied:
        raise SystemExit(f"not the same service: {sorted(made.items() ^ copied.items())}")


def files(folder: Path) -> dict[str, bytes]:
    """The files of a service, without the record of what it was made from."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".copier-answers.yml"
    }


def table(least: Mapping[str, float]) -> list[str]:
    """A line for each command, with its ratio and whether that is within the goal."""
    lines = ["| command | CPU s | times | of | |", "| --- | --- | --- | --- | --- |"]
    for command in COMMANDS:
        cells = [f"`{command.title}`" if command.beside else command.title]
        cells += [f"{least[command.title]:.2f}"]
        if command.beside:
            times = least[command.title] / least[command.beside]
            verdict = "met" if times <= GOAL else "missed"
            cells += [f"{times:.2f}", command.beside, f"at most {GOAL}: {verdict}"]
        else:
            cells += ["", "", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    print("\n".join(table(measure(parser.parse_args().runs))))


if __name__ == "__main__":
    main()
