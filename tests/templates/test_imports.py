"""No circle of imports between the modules of a generated service."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import PACKAGE, REPOSITORY, frameworks

Graph = dict[str, set[str]]


def module_of(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imported(path: Path, package: Path) -> Iterator[str]:
    """What a module imports when it is imported itself: not in a function, not for types alone."""
    own = module_of(path, package).split(".")
    level_of_package = 0 if path.name == "__init__.py" else 1
    statements = list(ast.parse(path.read_text()).body)
    while statements:
        node = statements.pop()
        if isinstance(node, ast.ImportFrom) and node.level:
            above = own[: len(own) - level_of_package - (node.level - 1)]
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            statements += node.orelse
        elif isinstance(node, ast.If | ast.Try | ast.With):
            statements += node.body
        elif isinstance(node, ast.ClassDef):
            statements += [one for one in node.body if isinstance(one, ast.ImportFrom)]


def graph_of(package: Path) -> Graph:
    paths = {module_of(path, package): path for path in package.rglob("*.py")}
    return {
        # A package is there before its modules, whatever these import of it.
        name: {
            other
            for other in imported(path, package)
            if other in paths and other != name and not name.startswith(f"{other}.")
        }
        for name, path in paths.items()
    }


def circle_in(graph: Graph) -> list[str]:
    """The modules of one circle, in the order of their imports; empty if there is none."""
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name not in done:
            for other in sorted(graph[name]):
                if found := visit(other, [*trail, name]):
                    return found
            done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := visit(name, []))), [])


@pytest.mark.parametrize("framework", frameworks())
def test_no_module_imports_itself_by_way_of_others(framework: str) -> None:
    graph = graph_of(REPOSITORY / "examples" / framework / "src" / PACKAGE)
    assert sum(map(len, graph.values())) > 40, "the imports were found"
    assert circle_in(graph) == []


def test_a_circle_is_found() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c", "a"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
