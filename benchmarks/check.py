"""How many services `scaffold check` looks at in a minute.

    python benchmarks/check.py [--services 1000] [--drifted 300] [--jobs 2]

Makes one service of each framework, and as many copies as asked for (the files are links to the
nine, so that the disk's room is not what is measured); a copy has a README of its own, so that
there is drift to be found. Prints, for versions alone and for drift, the seconds of the clock and
of the processors, and the rate of each. A machine that is busy makes the clock's rate lower than
the processors' one.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from scaffold.answers import answers  # noqa: E402
from scaffold.catalog import catalog  # noqa: E402
from scaffold.making import render  # noqa: E402

BEHIND_OR_DRIFTED = 5


def make_services(folder: Path, count: int) -> list[str]:
    """`count` services in `folder`, of all frameworks in turn; their names."""
    known = catalog.load(REPOSITORY)
    models = []
    for framework in known.frameworks:
        given = {"name": f"{framework.id.replace('_', '-')}-svc", "framework": framework.id}
        models.append(folder / "models" / framework.id)
        render.make(known.root, answers.complete(known, given), models[-1])
    names = [f"service-{number}" for number in range(count)]
    for number, name in enumerate(names):
        shutil.copytree(models[number % len(models)], folder / name, copy_function=os.link)
        (folder / name / "README.md").unlink()
        (folder / name / "README.md").write_text("# Its owner's\n")
    return names


def environment() -> dict[str, str]:
    """Byte code is kept, as where the tool is installed."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return own | {"PYTHONPATH": str(REPOSITORY)}


def measure(folder: Path, names: list[str], *flags: str) -> tuple[float, float]:
    """Seconds of the clock and of the processors that one run takes."""
    before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", "scaffold", "check", "--json", *flags, *names],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    seconds = time.monotonic() - clock
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    expected = 0 if "--versions" in flags else BEHIND_OR_DRIFTED
    if ran.returncode != expected:
        raise SystemExit(f"scaffold check ended with {ran.returncode}, not with {expected}")
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return seconds, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--services", type=int, default=1000, help="for their versions")
    parser.add_argument("--drifted", type=int, default=300, help="for their drift")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        names = make_services(Path(name), max(given.services, given.drifted))
        rows = {
            "versions": (given.services, ("--versions",)),
            "drift": (given.drifted, ("--jobs", str(given.jobs))),
        }
        print(f"{given.jobs} processes, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
        print("| what | services | clock s | processor s | a minute | a minute and idle core |")
        print("| --- | --- | --- | --- | --- | --- |")
        for what, (count, flags) in rows.items():
            clock, spent = measure(Path(name), names[:count], *flags)
            rates = f"{count / clock * 60:.0f} | {count / spent * 60:.0f}"
            print(f"| {what} | {count} | {clock:.1f} | {spent:.1f} | {rates} |")


if __name__ == "__main__":
    main()
