"""The rooms of `scaffold/`: its packages, and the modules that stand alone.

`LAYERS` is the rule; all else here is read from the code. `python -m docs.tables` draws it into
CONTRIBUTING.md, and test_architecture.py holds the code to it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.services import REPOSITORY

PACKAGE = REPOSITORY / "scaffold"
BASE = "base"  # the modules that every room may use, as one room
BASE_MODULES = {"__init__", "documents", "errors", "escaping", "processes", "programs"}
# A room imports only from layers below its own. A new package needs a line here.
LAYERS = {
    "__main__": 9,
    "cli": 8,
    "terminal": 7,
    "schema": 7,
    "growing": 6,
    "updating": 5,
    "answers": 5,
    "merging": 4,
    "making": 4,
    "advice": 4,
    "matrix": 4,
    "catalog": 3,
    "resources": 2,
    BASE: 1,
}

Graph = Mapping[str, Collection[str]]


def modules() -> list[str]:
    """Every module by its name under `scaffold`, like `catalog.sources`; a package by its own."""
    found = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return sorted(".".join(path.parts).removesuffix(".__init__") for path in found)


def file_of(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(file_of(module).read_text(encoding="utf-8"))


def room_of(module: str) -> str:
    room = module.partition(".")[0]
    return BASE if room in BASE_MODULES else room


def modules_of(room: str) -> list[str]:
    """The modules of a room, without the `__init__` of its package."""
    return [module for module in modules() if room_of(module) == room and not _is_init(module)]


def _is_init(module: str) -> bool:
    return module == "__init__" or file_of(module).name == "__init__.py"


def imports(module: str) -> Iterator[str]:
    """Every name that a module imports, with its module, also inside a function."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute in this package"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(module: str) -> set[str]:
    """The modules of the package that a module imports."""
    known = set(modules())
    return {_longest(name, known) for name in imports(module) if name.split(".")[0] == "scaffold"}


def _longest(name: str, known: set[str]) -> str:
    """The module that an imported name means, be it the module itself or something in it."""
    path = name.split(".")[1:]
    ends = (".".join(path[:end]) for end in range(len(path), 0, -1))
    return next((module for module in ends if module in known), "__init__")


def module_graph() -> Graph:
    return {module: own_imports(module) for module in modules()}


def room_graph() -> Graph:
    """Which other rooms each room imports from, the highest layer first."""
    graph: dict[str, set[str]] = {room: set() for room in map(room_of, modules())}
    for module, imported in module_graph().items():
        graph[room_of(module)] |= {room_of(one) for one in imported} - {room_of(module)}
    order = list(LAYERS)
    return {room: sorted(found, key=order.index) for room, found in graph.items()}


def circle(graph: Graph) -> list[str]:
    """What imports itself by way of others, or imports something that does; empty if nothing."""
    left = {module: set(imported) - {module} for module, imported in graph.items()}
    while leaves := {module for module, imported in left.items() if not imported & left.keys()}:
        left = {module: imported for module, imported in left.items() if module not in leaves}
    return sorted(left)


def used_elsewhere(room: str) -> set[str]:
    """The names of a package that other rooms use, as `module.name`."""
    others = (module for module in modules() if room_of(module) != room)
    return {name for module in others for name in _used(room, module)}


def _used(room: str, module: str) -> Iterator[str]:
    prefix = f"scaffold.{room}."
    inside = {name.removeprefix(prefix) for name in imports(module) if name.startswith(prefix)}
    yield from (name for name in inside if "." in name)
    whole = {name for name in inside if "." not in name}
    for node in ast.walk(tree_of(module)):
        match node:
            case ast.Attribute(value=ast.Name(id=used), attr=name) if used in whole:
                yield f"{used}.{name}"


def listed(room: str) -> set[str]:
    """The names that the docstring of a package lists for other rooms, as `module.name`."""
    text = ast.get_docstring(tree_of(room)) or ""
    found: set[str] = set()
    module = ""
    for line in text.partition("Other rooms use:\n")[2].splitlines():
        words = line.split()
        if len(line) - len(line.lstrip()) == 4:
            module, *words = words
        found |= {f"{module}.{word}" for word in words}
    return found


# ---- the drawing


def purpose(room: str) -> str:
    """What a room is for: the first sentence of its docstring."""
    if room == BASE:
        return (
            "Errors, escaping, reading of data files and running of other programs, for all rooms."
        )
    text = ast.get_docstring(tree_of(room)) or ""
    return " ".join(text.split("\n\n")[0].split()).partition(". ")[0].removesuffix(".") + "."


def drawing() -> Iterator[str]:
    """The rooms in their layers, then a table of what each is for and imports."""
    yield "The layers, with the entry point at the top:"
    yield ""
    yield "```text"
    for layer in sorted(set(LAYERS.values()), reverse=True):
        rooms = (_title(room) for room, number in LAYERS.items() if number == layer)
        yield f"{layer}  {'   '.join(rooms)}"
    yield f"   ({', '.join(f'{module}.py' for module in modules_of(BASE))})"
    yield "```"
    yield ""
    yield "| room | what it is for | modules | imports from |"
    yield "| --- | --- | --- | --- |"
    graph = room_graph()
    for room in LAYERS:
        inside = ", ".join(module.rpartition(".")[2] for module in modules_of(room))
        imported = ", ".join(_title(other) for other in graph[room])
        alone = "" if inside == room else inside
        yield f"| `{_title(room)}` | {purpose(room)} | {alone} | {imported} |"


def _title(room: str) -> str:
    if room == BASE:
        return BASE
    return f"{room}/" if file_of(room).name == "__init__.py" else f"{room}.py"
