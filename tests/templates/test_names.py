"""Names that a declaration leads to: each is defined once, and means one thing."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from string import ascii_lowercase

import pytest

from scaffold.resources import short_form
from tests.contract.declarations import as_data
from tests.services import NAME, frameworks, lint, render

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


LETTERS = ascii_lowercase[:20]
# Names whose plural has forty characters, and as many resources as a service may have.
LONGEST = [f"{letter}_name_that_is_as_long_as_may_be".ljust(39, "n") for letter in LETTERS]
FIELD = "another_name_that_is_as_long".ljust(37, "n")
VALUE = "a_value_that_is_as_long_as".ljust(40, "n")
FIELDS = " ".join(
    f"{FIELD}_{number}:{said}"
    for number, said in enumerate(
        (
            "str:1..100:unique",
            "text:optional",
            "int:0..9:default=1:filter:sort",
            "float:optional:sort",
            "decimal:10.2:filter:sort",
            "bool:default=false:filter",
            f"enum={VALUE},second:default={VALUE}:filter:sort",
            f"enum={VALUE},{VALUE[2:]}:optional",
            "datetime:optional:filter:sort",
            "date:unique",
            "uuid:unique:optional",
            "email:filter",
            "url:optional",
        )
    )
)
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in frameworks() if name != "falcon"]


@pytest.mark.parametrize("framework", ["falcon", *SLOW])
def test_lint_has_nothing_to_say_of_the_longest_names(framework: str, tmp_path: Path) -> None:
    texts = [
        f"{name} {FIELDS} {FIELD}_20:ref={name}:optional:filter {FIELD}_21:ref={LONGEST[0]}:filter"
        for name in LONGEST[1:]
    ]
    resources = short_form.parse_all([f"{LONGEST[0]} {FIELDS}", *texts])
    render(framework, tmp_path / NAME, resources=as_data(resources))
    assert lint(tmp_path / NAME) == ""


def defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
