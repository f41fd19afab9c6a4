"""Names that a declaration leads to: each is defined once, and means one thing."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from scaffold.resources import short_form
from tests.contract.declarations import as_data
from tests.services import render

# The types of these enums would be AuthorContent, AuthorName2 twice, and ForeignKey.
MEETING = (
    "author content:enum=a,b:default=a name2:enum=a,b name_2:enum=c,d",
    "foreign key:enum=a,b:optional author:ref",
)


@pytest.mark.parametrize("framework", ["django", "falcon"])
def test_no_name_of_a_model_is_defined_twice(framework: str, tmp_path: Path) -> None:
    render(framework, tmp_path, resources=as_data(short_form.parse_all(MEETING)))
    models = [*tmp_path.glob("src/*/authors/model*.py"), *tmp_path.glob("src/*/foreigns/model*.py")]
    assert len(models) == 2
    for path in models:
        names = Counter(name for node in ast.parse(path.read_text()).body for name in defined(node))
        assert [name for name, times in names.items() if times > 1] == [], path


def defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
