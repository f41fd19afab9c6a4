"""Raises the least versions that are asked for to the newest that serve every supported Python.

    python -m nightly.floors [--days 7]

A floor that nobody runs is a promise that nobody keeps: this makes floors of what the nightly run
has on it. For the tool's own dependencies and those of every template it asks uv for the newest
releases (none younger than `--days`), takes of several for different Pythons the oldest, and
writes it where the floor stands, with as many parts as were there. Bounds from above are kept:
to lift one is a decision. What was raised is printed as a list in Markdown.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.services import REPOSITORY

OLDEST_PYTHON = "3.11"
REQUIREMENT = re.compile(
    r'^(?P<before> *"(?P<name>[A-Za-z0-9._-]+)(?:\[[\w,-]+\])?>=)'
    r'(?P<floor>\d+(?:\.\d+)*)(?P<after>[^"]*",)$',
    re.MULTILINE,
)
RESOLVED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\d+(?:\.\d+)*)", re.MULTILINE)

Version = tuple[int, ...]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m nightly.floors", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--days", type=int, default=7, help="leave out what is younger (7)")
    before = datetime.now(UTC) - timedelta(days=parser.parse_args().days)
    newest = oldest_of(resolved(asked, before) for asked in projects(REPOSITORY))
    for path in files(REPOSITORY):
        text, changes = raised(path.read_text(encoding="utf-8"), newest)
        path.write_text(text, encoding="utf-8")
        for name, old, new in changes:
            print(f"- `{path.relative_to(REPOSITORY)}`: {name} {old} → {new}")
    return 0


def files(root: Path) -> list[Path]:
    """Where floors stand: the tool's own, and the templates' beside what they share."""
    return [root / "pyproject.toml", *sorted(root.glob("templates/**/pyproject.toml.jinja"))]


def projects(root: Path) -> list[list[str]]:
    """The requirements of each project that has to be solved as a whole."""
    own = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = own.get("optional-dependencies", {}).values()
    services = [
        tomllib.loads(path.read_text()) for path in sorted(root.glob("examples/*/pyproject.toml"))
    ]
    return [
        [*own["dependencies"], *(entry for extra in extras for entry in extra)],
        *(requirements(service) for service in services),
    ]


def requirements(service: Mapping[str, Any]) -> list[str]:
    groups = service.get("dependency-groups", {}).values()
    return [*service["project"]["dependencies"], *(entry for group in groups for entry in group)]


def resolved(asked: Iterable[str], before: datetime) -> dict[str, Version]:
    """The newest release of each package, before a date, that every supported Python can have."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.in"
        file.write_text("\n".join(asked))
        command = [
            *("uv", "pip", "compile", "--quiet", "--universal", "--no-header", "--no-annotate"),
            *("--python-version", OLDEST_PYTHON, "--exclude-newer", before.isoformat(), str(file)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"floors: {done.stderr}")
    return read_resolved(done.stdout)


def read_resolved(text: str) -> dict[str, Version]:
    return oldest_of(
        {normal(found["name"]): parsed(found["version"])} for found in RESOLVED.finditer(text)
    )


def oldest_of(versions: Iterable[Mapping[str, Version]]) -> dict[str, Version]:
    """Of each package, the oldest that one of them needs."""
    result: dict[str, Version] = {}
    for found in versions:
        for name, version in found.items():
            result[name] = min(result.get(name, version), version)
    return result


def raised(text: str, newest: Mapping[str, Version]) -> tuple[str, list[tuple[str, str, str]]]:
    """`text` with its floors raised, and what was: the name, the old floor and the new one."""
    changes = []

    def replaced(found: re.Match[str]) -> str:
        old = found["floor"]
        new = floor(parsed(old), newest.get(normal(found["name"]), ()))
        if new == old:
            return found[0]
        changes.append((found["name"], old, new))
        return f"{found['before']}{new}{found['after']}"

    return REQUIREMENT.sub(replaced, text), changes


def floor(old: Version, newest: Version) -> str:
    """The newest with as many parts as the old one; never one below it."""
    return ".".join(map(str, max(old, newest[: len(old)])))


def parsed(version: str) -> Version:
    return tuple(int(part) for part in version.split("."))


def normal(name: str) -> str:
    """A name as the package index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
