"""What five generators do with bad input, in one run, as the table of docs/peers-bad-input.md.

    python benchmarks/bad_input [--only scaffold,copier] [--case HOME] [--write]

Each tool is installed from the package index, scaffold from this checkout, into an environment of
its own in a temporary folder. Each case runs in a fresh folder with a home of its own, and limits
of time and memory. Needs uv and git. The exit code is 1 where scaffold has a fault.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cases import CASES, Outcome
from sandbox import box, install
from tools import REPOSITORY, TOOLS, Tool

PAGE = REPOSITORY / "docs" / "peers-bad-input.md"
OURS = "scaffold"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="commands of tools, with commas")
    parser.add_argument("--case", default="", help="only cases with this in their name")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    chosen = parser.parse_args()
    tools = [t for t in TOOLS if not chosen.only or t.title in chosen.only.split(",")]
    cases = [name for name in CASES if chosen.case in name]
    with tempfile.TemporaryDirectory(prefix="bad-input-") as name:
        bench = Path(name).resolve()
        versions = {tool.title: prepared(tool, bench) for tool in tools}
        rows = {case: [outcome(case, tool, bench) for tool in tools] for case in cases}
    page = written(versions, rows)
    print(page)
    if chosen.write:
        PAGE.write_text(page, encoding="utf-8")
    ours = [row[i] for row in rows.values() for i, tool in enumerate(tools) if tool.title == OURS]
    return int(any(one.faults for one in ours))


def prepared(tool: Tool, bench: Path) -> str:
    """Installs a tool and writes its template; its version."""
    if tool.template:
        tool.template(bench / f"template-{tool.command}")
    return install(tool, bench / f"env-{tool.command}", sys.executable)


def outcome(case: str, tool: Tool, bench: Path) -> Outcome:
    with box(tool, bench) as fresh:
        found = CASES[case](fresh)
    print(f"{case} | {tool.title} | {found}", file=sys.stderr, flush=True)
    return found


def written(versions: dict[str, str], rows: dict[str, list[Outcome]]) -> str:
    """The page, in Markdown."""
    faults = [sum(bool(row[i].faults) for row in rows.values()) for i in range(len(versions))]
    table = [
        "| case | " + " | ".join(f"{tool} {version}" for tool, version in versions.items()) + " |",
        "| --- |" + " --- |" * len(versions),
        *(f"| {case} | {' | '.join(str(one) for one in row)} |" for case, row in rows.items()),
        "| **cases with a fault** | " + " | ".join(map(str, faults)) + " |",
    ]
    today = datetime.now(UTC).date().isoformat()
    python = sys.version.split()[0]
    return HEAD.format(date=today, python=python) + "\n".join(table) + "\n" + TAIL


HEAD = """\
# What generators do with bad input

Measured on {date} with Python {python} by `python benchmarks/bad_input --write`, all cases of all
tools in one run. **Bold is a fault.**

"""
TAIL = """
- *refused*: the exit code is not 0, nothing is left, and there is no traceback. *made*: the exit
  code is 0, every Python, TOML, YAML, JSON and cfg file parses, the package can be imported under
  its name, and the description stands there as it was given. Where an answer is wrong, only
  refusing it counts. *-*: the tool has no such thing.
- cookiecutter and copier are engines without a template of their own: both get the same small
  one, written as most are, with the values where they are needed and no validators. A template can
  do better: copier has validators, and both have hooks. What is counted here is what a template's
  author gets without asking.
- FastAPI-template installs the project that it makes and formats it; it has that time, and the
  network. Each tool has a git identity, and a home of its own.
- "Half way" is the middle one of the writes that an undisturbed run makes below the current folder,
  where a signal is sent or the disk starts to refuse. After SIGKILL nobody can tidy up: what counts
  is that the same command, run again, gives a whole project and nothing beside it.
- Limits: 60 s (FastAPI-template: 240 s), 60 s of CPU, 1 GiB for the YAML bomb.
"""

if __name__ == "__main__":
    sys.exit(main())
