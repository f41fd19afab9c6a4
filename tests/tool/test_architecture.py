"""The floors of the package: who imports whom, which library lives where, how long things are."""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tool.conftest import REPOSITORY

PACKAGE = REPOSITORY / "scaffold"
# A module imports only from floors below its own.
FLOORS = (
    ("errors", "quoting", "__init__"),
    ("documents", "naming", "staging", "programs", "versions", "view"),
    ("record", "settings", "history", "finish", "changelog", "measured"),
    ("catalog", "render", "merge"),
    ("advice", "service", "sources"),
    ("evidence", "update", "check", "matrix"),
    ("answers", "figures"),
    ("screen", "prompts", "schema", "upkeep"),
    ("wizard",),
    ("cli",),
    ("__main__",),
)
# Each library is known to one module, its room.
ROOMS = {
    "copier": "render",
    "jinja2": "render",
    "plumbum": "render",
    "questionary": "prompts",
    "prompt_toolkit": "prompts",
    "covertable": "matrix",
    "typer": "cli",
    "packaging": "versions",
    "platformdirs": "settings",
    "yaml": "documents",
    "tomllib": "documents",
    "subprocess": "programs",
}
MEDIAN_LINES = 10
MOST_LINES = 40

MODULES = sorted(PACKAGE.glob("*.py"))


def floor(module: str) -> int:
    return next(number for number, names in enumerate(FLOORS) if module in names)


def imports(path: Path) -> Iterator[str]:
    """Every module that is imported anywhere in the file, also inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute in this package"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names)


def own_modules(path: Path) -> set[str]:
    names = {name.split(".")[1] for name in imports(path) if name.startswith("scaffold.")}
    return {name if (PACKAGE / f"{name}.py").exists() else "__init__" for name in names}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_only_from_the_floors_below_it(path: Path) -> None:
    assert {name for name in own_modules(path) if floor(name) >= floor(path.stem)} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_each_library_lives_in_one_room(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    assert {root for root in roots if ROOMS.get(root, path.stem) != path.stem} == set()
    unknown = roots - set(ROOMS) - set(sys.stdlib_module_names) - {"scaffold"}
    assert unknown == set(), "give a new library a room in this test"


def test_only_the_command_line_prints_or_exits() -> None:
    for path in MODULES:
        if path.stem in {"cli", "__main__"}:
            continue
        called = {
            ast.unparse(node.func)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
        }
        assert called & {"print", "sys.exit", "exit", "os._exit"} == set(), path.stem


def test_no_module_of_the_tool_knows_a_framework_by_name() -> None:
    ids = {path.parent.name for path in REPOSITORY.glob("templates/*/framework.toml")}
    for path in MODULES:
        texts = {
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert texts & ids == set(), path.stem


def test_functions_are_short() -> None:
    lengths = {
        f"{path.stem}.{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}
    assert statistics.median(lengths.values()) <= MEDIAN_LINES
