"""A pytest plugin: which line of the contract holds on which service.

Each test names its lines with ``@pytest.mark.contract("R3", "E1")``. At the end the terminal
shows a grid, lines by services; ``--grid-json FILE`` also writes it as
``{"columns": ["flask-sqlite"], "lines": {"R3": {"title": ..., "cells": {"flask-sqlite":
{"state": "pass", "tests": 17}}}}}``. The states, the worst of a line's tests first: FAIL, skip,
xfail, pass; "not run" where no test of the line ran. A test of a framework alone counts for
each of its databases.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from tests.contract.lines import TITLES

NOT_RUN = "not run"
WORST_FIRST = ("FAIL", "skip", "xfail", "pass")

WRONG_LINES = pytest.StashKey[str]()
"""What is wrong with the lines that a test names."""

Cells = dict[tuple[str, str], dict[str, str]]
"""(line, column) to the state of each test by its node id."""


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Grid(), "contract-grid")


class Grid:
    """Collects the reports of all tests, also those that other processes ran."""

    def __init__(self) -> None:
        self._cells: Cells = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties = dict(report.user_properties)
        state = state_of(report)
        if "contract" not in properties or state is None:
            return
        for line in str(properties["contract"]).split():
            for column in str(properties["columns"]).split():
                states = self._cells[line, column]
                states[report.nodeid] = worst([state, states.get(report.nodeid, "pass")])

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        if not self._cells:
            return
        terminalreporter.section("the contract")
        for row in table(self._cells):
            terminalreporter.write_line(row)
        if path := config.getoption("grid_json"):
            Path(path).write_text(json.dumps(document(self._cells), indent=2) + "\n")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Not while tests are collected, when pytest-xdist would hide which test it is."""
    if wrong := item.stash.get(WRONG_LINES, ""):
        pytest.fail(wrong, pytrace=False)


def state_of(report: pytest.TestReport) -> str | None:
    """The state that one phase of a test adds, or nothing for an uneventful phase."""
    if hasattr(report, "wasxfail"):
        return "xfail" if report.skipped else "FAIL"
    if report.failed:
        return "FAIL"
    if report.skipped:
        return "skip"
    return "pass" if report.when == "call" else None


def worst(states: list[str]) -> str:
    return min(states, key=WORST_FIRST.index) if states else NOT_RUN


def columns_of(cells: Cells) -> list[str]:
    return sorted({column for _line, column in cells})


def document(cells: Cells) -> dict[str, object]:
    """The grid as data; see the module's docstring for its shape."""
    columns = columns_of(cells)
    lines = {
        line: {
            "title": title,
            "cells": {
                column: {
                    "state": worst(list(cells.get((line, column), {}).values())),
                    "tests": len(cells.get((line, column), {})),
                }
                for column in columns
            },
        }
        for line, title in TITLES.items()
    }
    return {"columns": columns, "lines": lines}


def table(cells: Cells) -> list[str]:
    """The grid as text, with the databases shortened to fit many services."""
    columns = columns_of(cells)
    heads = [column.replace("postgresql", "pg") for column in columns]
    widths = [max(len(head), len(NOT_RUN)) for head in heads]
    left = max(len(f"{line} {title}") for line, title in TITLES.items())
    rows = [" ".join([" " * left, *(h.ljust(w) for h, w in zip(heads, widths, strict=True))])]
    for line, title in TITLES.items():
        states = [worst(list(cells.get((line, column), {}).values())) for column in columns]
        rows.append(
            " ".join(
                [
                    f"{line} {title}".ljust(left),
                    *(s.ljust(w) for s, w in zip(states, widths, strict=True)),
                ]
            )
        )
    return [row.rstrip() for row in rows]
