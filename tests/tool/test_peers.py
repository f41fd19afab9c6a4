"""The table of docs/peers-bad-input.md, and the judge that fills it in."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.tool.conftest import REPOSITORY, write

PAGE = REPOSITORY / "docs" / "peers-bad-input.md"
GOOD = {
    "pyproject.toml": '[project]\nname = "x"\ndescription = "Keeps stock"\n',
    "src/x/__init__.py": "X = 1\n",
    "ci.yml": "on: push\n",
}


@pytest.fixture(scope="module")
def judge() -> Iterator[ModuleType]:
    """benchmarks/bad_input/cases.py, which is run as a folder and is no package."""
    folder = str(REPOSITORY / "benchmarks" / "bad_input")
    sys.path.insert(0, folder)
    try:
        yield importlib.import_module("cases")
    finally:
        sys.path.remove(folder)
        for name in ("cases", "sandbox", "tools"):
            sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("changed", "faults"),
    [
        ({}, []),
        ({"src/x/__init__.py": "X = '\n"}, ["broken Python"]),
        ({"pyproject.toml": '[project]\ndescription = "a"b"\n'}, ["broken pyproject.toml"]),
        ({"ci.yml": "a: b: c\n"}, ["broken ci.yml"]),
        ({"src/class/__init__.py": ""}, ["a package that cannot be imported"]),
        ({"src/json/__init__.py": ""}, ["a package in place of the standard library's"]),
        (
            {"pyproject.toml": '[project]\ndescription = "49"\n'},
            ["another description than was given"],
        ),
    ],
    ids=str,
)
def test_the_judge_sees_what_would_not_work(
    judge: Any, tmp_path: Path, changed: dict[str, str], faults: list[str]
) -> None:
    write(tmp_path, {**GOOD, **changed})
    assert judge.broken(tmp_path, "Keeps stock") == faults


def rows() -> list[list[str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:1] == "|"]


def test_the_table_has_every_case_and_scaffold_alone_has_no_fault(judge: Any) -> None:
    head, _, *cases, last = rows()
    assert [tool.split()[0] for tool in head[1:]] == [
        *("scaffold", "cookiecutter", "copier", "PyScaffold", "FastAPI-template")
    ]
    assert [row[0] for row in cases] == list(judge.CASES)
    faults = [sum(row[column].startswith("**") for row in cases) for column in range(1, 6)]
    assert [str(count) for count in faults] == last[1:]
    assert faults[0] == 0
    assert all(count > 0 for count in faults[1:])
