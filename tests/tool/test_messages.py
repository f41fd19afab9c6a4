"""Every sentence with which a run can be refused stands in a test, and reads like help."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scaffold import errors
from tests.tool import rooms

# Where answers are judged and services are put in place. What `update` says has tests of its own.
MODULES = (
    "__main__ cli documents advice.ranking answers.answers answers.declarations answers.naming "
    "making.service making.staging"
).split()
KINDS = {name for name, value in vars(errors).items() if isinstance(value, type)}
RUN_OF_WORDS = 3  # in a row, that a test has to share with a sentence


def words(text: str) -> list[str]:
    return re.findall(r"[\w`'-]+", text.replace("\\", ""))


def sentences(tree: ast.AST) -> Iterator[list[str]]:
    """The texts in errors that are made, and in the reasons that functions and rules give."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Return | ast.Yield) or _speaks(node) or _is_rule(node):
            yield from texts(node)


def _speaks(node: ast.AST) -> bool:
    named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return named and node.func.id in {*KINDS, "print"}


def _is_rule(node: ast.AST) -> bool:
    return isinstance(node, ast.Tuple) and any(isinstance(e, ast.Lambda) for e in node.elts)


def texts(node: ast.AST) -> Iterator[list[str]]:
    """The fixed parts of each text below a node; an f-string is one text."""
    if isinstance(node, ast.JoinedStr):
        parts = [part for part in node.values if isinstance(part, ast.Constant)]
        yield [str(part.value) for part in parts]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield [node.value]
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


def runs(text: str) -> list[str]:
    found = words(text)
    return [" ".join(found[i : i + RUN_OF_WORDS]) for i in range(len(found) - RUN_OF_WORDS + 1)]


@pytest.fixture(scope="module")
def tested() -> str:
    """All that the tests of the tool have as text, in plain words."""
    trees = [ast.parse(path.read_text()) for path in Path(__file__).parent.glob("test_*.py")]
    constants = (
        node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)
    )
    return " | ".join(" ".join(words(c.value)) for c in constants if isinstance(c.value, str))


@pytest.mark.parametrize("module", MODULES)
def test_every_message_is_in_a_test(module: str, tested: str) -> None:
    tree = rooms.tree_of(module)
    missing = []
    for parts in sentences(tree):
        shared = [run for part in parts for run in runs(part)]
        if shared and not any(run in tested for run in shared):
            missing.append("...".join(parts))
    assert missing == []


def test_the_modules_have_messages_to_look_for() -> None:
    found = {module: len(list(sentences(rooms.tree_of(module)))) for module in MODULES}
    assert all(found.values()), found
    assert sum(found.values()) > 60
