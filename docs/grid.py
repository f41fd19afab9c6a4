"""Draws the grid of the contract from runs of its suite: docs/pictures/contract.svg.

    python -m pytest tests/contract --grid-json everyday.json
    python -m pytest tests/contract -m "slow or fault" --grid-json slow.json
    python -m docs.grid everyday.json slow.json

puts the runs together in docs/data/contract.json and draws that; without files it only draws. A
cell is the worst of its tests over all runs: what one run did not ask, another may have.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from scaffold.catalog import catalog

HERE = Path(__file__).resolve().parent
DATA = HERE / "data" / "contract.json"
PICTURE = HERE / "pictures" / "contract.svg"
Grid = dict[str, Any]
WORST_FIRST = ("FAIL", "xfail", "skip", "pass", "not run")
GROUPS = {
    "P": "process",
    "H": "health",
    "R": "resource",
    "E": "errors",
    "N": "neighbours",
    "O": "ownership",
    "A": "auth",
    "T": "tracing",
    "C": "calls",
    "D": "code",
}
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
LEGEND = {
    "pass": "passed",
    "xfail": "a declared limit",
    "FAIL": "failed",
    "skip": "skipped in part",
    "not run": "not run",
}
LEFT, TOP, CELL, ROW, GAP = 452, 112, 24, 25, 12
COLUMN = 2 * CELL + GAP
LIGHT = {
    "page": "#fbfbfa", "edge": "#d5d5d0", "text": "#24292f", "faint": "#6a737d",
    "pass": "#1a7f4b", "xfail": "#b5730b", "fail": "#c2273a", "mark": "#ffffff",
}  # fmt: skip
DARK = {
    "page": "#16181d", "edge": "#44474f", "text": "#d7dae0", "faint": "#8b919c",
    "pass": "#3fa56d", "xfail": "#d29a3a", "fail": "#e5616e", "mark": "#10131a",
}  # fmt: skip


def together(grids: Sequence[Grid]) -> Grid:
    """One grid of several: the worst state of each cell, and how many tests it had in all."""
    columns = sorted({column for grid in grids for column in grid["columns"]})
    lines: dict[str, Any] = {}
    for line, about in grids[-1]["lines"].items():
        having = [grid for grid in grids if line in grid["lines"]]  # an older run may lack it
        cells = {
            column: _cell([grid["lines"][line]["cells"].get(column) for grid in having])
            for column in columns
        }
        lines[line] = {"title": about["title"], "cells": cells}
    return {"columns": columns, "lines": lines}


def _cell(found: Sequence[dict[str, Any] | None]) -> dict[str, Any]:
    runs = [cell for cell in found if cell]
    state = min((cell["state"] for cell in runs), key=WORST_FIRST.index, default="not run")
    return {"state": state, "tests": sum(cell["tests"] for cell in runs)}


def picture(grid: Grid) -> str:
    """The grid as SVG, in light and dark. Raises KeyError for a framework that it lacks."""
    frameworks = catalog.load(HERE.parent).frameworks
    width = LEFT + len(frameworks) * COLUMN + 30
    height = TOP + ROW * len(grid["lines"]) + _breaks(grid) * GAP + 64
    body = [
        *_heads([(f.id, f.name) for f in frameworks]),
        *_lines(grid, [f.id for f in frameworks]),
        *_legend(grid, height - 30),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-labelledby="title text">',
            '<title id="title">The contract, line by line</title>',
            f'<desc id="text">{escape(in_words(grid))}</desc>',
            "<style>",
            *_style(),
            "</style>",
            f'<rect class="page" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>',
            *body,
            "</svg>\n",
        ]
    )


def in_words(grid: Grid) -> str:
    """What the picture says, for who cannot see it."""
    states = [cell["state"] for line in grid["lines"].values() for cell in line["cells"].values()]
    counted = (f"{states.count(state)} {words}" for state, words in LEGEND.items())
    tests = sum(c["tests"] for line in grid["lines"].values() for c in line["cells"].values())
    lines, columns = len(grid["lines"]), len(grid["columns"])
    return f"{lines} lines by {columns} services, {tests} tests: {', '.join(counted)}."


def _heads(frameworks: Sequence[tuple[str, str]]) -> Iterator[str]:
    for number, (_, name) in enumerate(frameworks):
        x = LEFT + number * COLUMN + CELL
        short = name.removesuffix(" with DRF")
        yield (
            f'<text class="head" text-anchor="start" transform="translate({x - 4} {TOP - 30}) '
            f'rotate(-35)">{escape(short)}</text>'
        )
        for half, letter in enumerate("SP"):
            yield (
                f'<text class="faint" text-anchor="middle" x="{x - CELL / 2 + half * CELL:g}" '
                f'y="{TOP - 10}">{letter}</text>'
            )


def _breaks(grid: Grid) -> int:
    return len({line[0] for line in grid["lines"]}) - 1


def _lines(grid: Grid, frameworks: Sequence[str]) -> Iterator[str]:
    y, group = float(TOP), next(iter(grid["lines"]))[0]
    for line, about in grid["lines"].items():
        if line[0] != group:
            y, group = y + GAP, line[0]
        yield f'<text class="faint" x="18" y="{y + 17:g}">{line}</text>'
        yield f'<text x="54" y="{y + 17:g}">{escape(about["title"])}</text>'
        for number, framework in enumerate(frameworks):
            for half, database in enumerate(DATABASES):
                column = f"{framework}-{database}"
                cell = about["cells"].get(column, {"state": "not run", "tests": 0})
                x = LEFT + number * COLUMN + half * CELL
                yield _drawn(x, y, cell, f"{line} {framework} {DATABASES[database]}")
        y += ROW


def _drawn(x: float, y: float, cell: dict[str, Any], name: str = "") -> str:
    """A cell: a shape of its own for each state, so that nobody needs to tell colours apart."""
    box = f'x="{x + 2:g}" y="{y + 2:g}" width="{CELL - 4}" height="{CELL - 4}" rx="4"'
    cx, cy = x + CELL / 2, y + CELL / 2
    words = f"{name}: {LEGEND[cell['state']]}, {cell['tests']} tests".removeprefix(": ")
    title = f"<title>{escape(words)}</title>" if name else ""
    match cell["state"]:
        case "pass":
            tick = f'<path class="tick" d="M{cx - 4.5:g} {cy + 0.5:g}l3 3.2 6-6.6"/>'
            return f'<g>{title}<rect class="pass" {box}/>{tick}</g>'
        case "xfail":
            corner = f"M{x + 3:g} {y + CELL - 3:g}V{y + 7:g}l{CELL - 10} {CELL - 10}z"
            half = f'<path class="xfail" d="{corner}"/>'
            return f'<g>{title}<rect class="limit" {box}/>{half}</g>'
        case "FAIL":
            cross = f'<path class="tick" d="M{cx - 4:g} {cy - 4:g}l8 8m0-8l-8 8"/>'
            return f'<g>{title}<rect class="fail" {box}/>{cross}</g>'
        case "skip":
            bar = f'<path class="bar" d="M{cx - 4:g} {cy:g}h8"/>'
            return f'<g>{title}<rect class="empty" {box}/>{bar}</g>'
    return f'<g>{title}<rect class="empty" {box}/></g>'


def _legend(grid: Grid, y: float) -> Iterator[str]:
    states = {cell["state"] for line in grid["lines"].values() for cell in line["cells"].values()}
    x = 18.0
    for state, words in LEGEND.items():
        if state in states:
            yield _drawn(x, y - 17, {"state": state, "tests": 0})
            yield f'<text class="small" x="{x + CELL + 5:g}" y="{y}">{escape(words)}</text>'
            x += CELL + 26 + 6.6 * len(words)
    yield f'<text class="small" x="{x + 8:g}" y="{y}">S SQLite, P PostgreSQL</text>'


def _style() -> Iterator[str]:
    yield "text { font: 14px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: var(--text) }"
    yield "text.faint { fill: var(--faint); font-size: 12px } text.small { font-size: 13px }"
    yield "text.head { font-weight: 600 }"
    yield ".page { fill: var(--page); stroke: var(--edge) }"
    yield ".pass { fill: var(--pass) } .xfail { fill: var(--xfail) } .fail { fill: var(--fail) }"
    yield ".limit { fill: none; stroke: var(--xfail); stroke-width: 1.5 }"
    yield ".empty { fill: none; stroke: var(--edge); stroke-width: 1.5 }"
    yield (
        ".tick { fill: none; stroke: var(--mark); stroke-width: 2; stroke-linecap: round;"
        " stroke-linejoin: round } .bar { stroke: var(--faint); stroke-width: 2 }"
    )
    yield f":root {{ {_variables(LIGHT)} }}"
    yield f"@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}"


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())


def main(files: Sequence[str]) -> None:
    if files:
        grid = together([json.loads(Path(file).read_text(encoding="utf-8")) for file in files])
        DATA.write_text(json.dumps(grid, indent=1) + "\n", encoding="utf-8")
    PICTURE.write_text(picture(json.loads(DATA.read_text(encoding="utf-8"))), encoding="utf-8")
    print(in_words(json.loads(DATA.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main(sys.argv[1:])
