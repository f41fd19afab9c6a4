"""Tells what other generators cost: the table of docs/compared.md.

docs/data/peers.json comes from `python benchmarks/peers.py --write`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.speed import load_of

RECORD = Path(__file__).resolve().parent / "data" / "peers.json"
NOT_YET = "Not measured yet."


def part() -> Iterator[str]:
    """The part of the page that is generated."""
    if not RECORD.exists():
        yield NOT_YET
        return
    yield from told(json.loads(RECORD.read_text(encoding="utf-8")))


def told(found: Mapping[str, Any]) -> Iterator[str]:
    """Where and when it was measured, and a line for each tool, the cheapest first."""
    on = found["machine"]
    node = f", Node {found['node']}" if found["node"] else ""
    yield (
        f"Made on {found['date']} by `python benchmarks/peers.py --write`, on {on['cpu']}, "
        f"{on['cores']} cores, Linux {on['kernel']}, Python {found['python']}{node}: the least of "
        f"{found['runs']} runs. {load_of(found)}"
    )
    yield ""
    yield (
        "| tool | release | `--help`, CPU s | generate, CPU s (clock) | files | lines "
        "| without a network |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    cheapest = sorted(found["tools"].items(), key=lambda one: one[1]["generate_cpu_seconds"])
    for title, of in cheapest:
        cells = [
            title,
            of["version"],
            f"{of['help_cpu_seconds']:.2f}",
            f"{of['generate_cpu_seconds']:.2f} ({of['generate_seconds']:.1f})",
            f"{of['files']:,}",
            f"{of['lines']:,}",
            _offline(of["missing_offline"]),
        ]
        yield f"| {' | '.join(cells)} |"


def _offline(missing: list[str] | None) -> str:
    if missing is None:
        return "not tried"
    if missing == ["everything"]:
        return "no"
    return f"without {', '.join(missing)}" if missing else "yes"
