"""The rooms of the package: who imports whom, which library is used where, how long things are."""

from __future__ import annotations

import ast
import statistics
import sys

import pytest

from tests.services import REPOSITORY
from tests.tool import rooms

# Each library is imported by one module only, so that replacing it changes one file.
LIBRARIES = {
    "copier": "making.render",
    "jinja2": "making.render",
    "plumbum": "making.render",
    "questionary": "terminal.prompts",
    "prompt_toolkit": "terminal.prompts",
    "covertable": "matrix",
    "pluralizer": "resources.names",
    "rich": "terminal.understood",
    "ruff": "programs",
    "typer": "cli",
    "packaging": "catalog.versions",
    "platformdirs": "catalog.settings",
    "yaml": "documents",
    "tomllib": "documents",
    "subprocess": "programs",
}
MAX_MODULES = 12
MEDIAN_LINES = 10
MAX_LINES = 40

MODULES = rooms.modules()
ROOMS = sorted({rooms.room_of(module) for module in MODULES})
PACKAGES = [room for room in ROOMS if (rooms.PACKAGE / room).is_dir()]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_its_own_room_and_the_layers_below(module: str) -> None:
    own = rooms.room_of(module)
    assert own in rooms.LAYERS, "give a new room a layer in tests/tool/rooms.py"
    others = {rooms.room_of(imported) for imported in rooms.own_imports(module)} - {own}
    assert {room for room in others if rooms.LAYERS[room] >= rooms.LAYERS[own]} == set()


def test_the_layers_name_no_room_that_is_gone() -> None:
    assert set(rooms.LAYERS) - set(ROOMS) == set()


def test_neither_rooms_nor_modules_import_each_other_in_a_circle() -> None:
    assert rooms.circle(rooms.room_graph()) == []
    assert rooms.circle(rooms.module_graph()) == []


@pytest.mark.parametrize("module", MODULES)
def test_each_library_is_imported_by_one_module(module: str) -> None:
    roots = {name.split(".")[0] for name in rooms.imports(module)}
    assert {root for root in roots if LIBRARIES.get(root, module) != module} == set()
    unknown = roots - set(LIBRARIES) - set(sys.stdlib_module_names) - {"scaffold"}
    assert unknown == set(), "say in LIBRARIES which module imports a new library"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_small_enough_to_see_at_once(room: str) -> None:
    assert len(rooms.modules_of(room)) <= MAX_MODULES


@pytest.mark.parametrize("room", PACKAGES)
def test_a_package_lists_the_names_that_other_rooms_use(room: str) -> None:
    assert rooms.listed(room) == rooms.used_elsewhere(room)


@pytest.mark.parametrize("room", PACKAGES)
def test_a_package_imports_nothing_before_it_is_asked_for_a_module(room: str) -> None:
    """Else `scaffold --help` would import copier, which takes longer than all the rest."""
    assert list(rooms.imports(room)) == []


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"cli", "__main__"}))
def test_only_the_command_line_prints_or_exits(module: str) -> None:
    called = {
        ast.unparse(node.func)
        for node in ast.walk(rooms.tree_of(module))
        if isinstance(node, ast.Call)
    }
    assert called & {"print", "sys.exit", "exit", "os._exit"} == set()


@pytest.mark.parametrize("module", MODULES)
def test_no_module_of_the_tool_knows_a_framework_by_name(module: str) -> None:
    ids = {path.parent.name for path in REPOSITORY.glob("templates/*/framework.toml")}
    texts = {
        node.value
        for node in ast.walk(rooms.tree_of(module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert texts & ids == set()


def test_functions_are_short() -> None:
    lengths = {
        f"{module}.{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for module in MODULES
        for node in ast.walk(rooms.tree_of(module))
        if isinstance(node, ast.FunctionDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}
    assert statistics.median(lengths.values()) <= MEDIAN_LINES


# ---- the checks themselves


def test_a_circle_is_found() -> None:
    round_about = {"a": ["b"], "b": ["c"], "c": ["a"], "d": []}
    assert rooms.circle(round_about) == ["a", "b", "c"]
    assert rooms.circle({"a": ["b", "c"], "b": ["c"], "c": []}) == []
