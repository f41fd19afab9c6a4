"""The reserved names are those that Python, the libraries and the generated code really use."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaffold.errors import BadAnswers
from scaffold.making import render
from scaffold.resources import checks, names, short_form
from scaffold.resources.model import class_name
from tests.contract.declarations import RICH, SHORT_FORMS, as_data
from tests.services import NAME, PACKAGE, frameworks
from tests.tool.declarations import FIELD_WORDS, REPOSITORY, RESOURCE_WORDS, reserved_everywhere

DECLARED = short_form.parse_all(SHORT_FORMS[RICH])
# The argument of Nameko's handler, which would mean the same thing.
HARMLESS = {"event"}


def common() -> names.Reserved:
    return names.reserved_from(
        tomllib.loads((REPOSITORY / "templates/resource_names.toml").read_text())
    )


def refused(text: str, reserved: names.Reserved | None = None) -> bool:
    try:
        checks.check([short_form.parse(text)], reserved or common())
    except BadAnswers:
        return True
    return False


@pytest.mark.parametrize("word", [w for w in keyword.kwlist if w == w.lower()])
def test_keywords_are_no_names(word: str) -> None:
    assert refused(f"room {word}:int")
    assert refused(f"{word}/{word}_rows a:int")


def test_builtins_are_no_resources_but_may_be_fields() -> None:
    lower = [name for name in dir(builtins) if re.fullmatch(names.PATTERN, name)]
    assert [name for name in lower if not refused(f"{name}/{name}_rows a:int")] == []
    assert not refused("room type:str range:int min:int format:str hash:str")


def test_soft_keywords_are_names_like_any_other() -> None:
    assert not refused("match case:str match:int type:str lazy:bool")


@pytest.mark.parametrize("word", ["exception", "warning", "not_found", "value_error", "true"])
def test_a_class_that_python_or_the_service_has_is_no_resource(word: str) -> None:
    assert refused(f"{word} a:int")


def test_whatever_pydantic_would_warn_of_is_no_field() -> None:
    attributes = {name for name in dir(pydantic.BaseModel) if re.fullmatch(names.PATTERN, name)}
    candidates = {*attributes, "register", "model_dump_all", "model_validate_all", "model_year"}
    shadowing = {name for name in candidates if _shadows(name)}
    assert "model_year" not in shadowing
    assert {name for name in shadowing if not refused(f"room {name}:int")} == set()
    assert not refused("room model_year:int")


def _shadows(name: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            pydantic.create_model("Model", **{name: (int, ...)})  # type: ignore[call-overload]
        except (UserWarning, NameError, TypeError, ValueError, pydantic.PydanticUserError):
            return True
    return False


@pytest.mark.parametrize("word", "order user group table select where desc end default".split())
def test_sql_words_that_both_libraries_quote_are_names(word: str) -> None:
    assert not refused(f"room {word}:str")


@pytest.mark.parametrize("word", ["returning", "lateral", "collation", "xmin", "ctid"])
def test_sql_words_that_would_break_a_statement_are_no_names(word: str) -> None:
    assert refused(f"room {word}:str")


def test_what_one_framework_uses_is_free_in_the_others() -> None:
    assert not refused("room objects:int data:text context:str")
    assert refused("room objects:int", reserved_everywhere())
    assert not refused("message body:text")
    assert refused("message body:text", reserved_everywhere())


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory,
    compiled_once: None,  # noqa: ARG001
) -> list[Path]:
    """Services of every framework that have fields of each type, and references in a circle."""
    folders = []
    for framework in frameworks():
        folder = tmp_path_factory.mktemp("made") / framework
        answers = {"name": NAME, "framework": framework, "resources": as_data(DECLARED)}
        render.render(REPOSITORY, answers, folder)
        folders.append(folder)
    return folders


def sources(made: list[Path]) -> Iterator[Path]:
    """The modules in which the names of a resource stand beside others."""
    for project in made:
        folder = project / "src" / PACKAGE
        yield from (folder / name for name in ("app.py", "urls.py") if (folder / name).exists())
        for resource in DECLARED:
            yield from (folder / resource.plural).rglob("*.py")
        yield from folder.glob("migrations/versions/0001_*.py")


def names_in(path: Path) -> Iterator[str]:
    """Every name that the file imports, defines or uses, apart from attributes."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0]
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name):
            yield node.id


def is_declared(name: str) -> bool:
    """Whether a name comes from a declaration."""
    words = [resource.name for resource in DECLARED]
    fields = {f for r in DECLARED for field in r.fields for f in (field.name, field.column)}
    return any(word in _snake(name) for word in words) or name in {*HARMLESS, *fields}


def test_a_resource_cannot_be_called_what_the_generated_code_uses(made: list[Path]) -> None:
    used = {name for path in sources(made) for name in names_in(path)}
    own = {name for name in used if is_declared(name)}
    reserved = common()
    plain = {name for name in used - own if re.fullmatch(names.PATTERN, name)}
    assert plain - {*reserved.resources, *dir(builtins)} == set()
    classes = {name for name in used - own if name == class_name(_snake(name))}
    classes -= {class_name(word) for word in reserved.resources}
    assert classes - {*reserved.classes, *dir(builtins)} == set()


def test_a_plural_cannot_be_what_the_service_calls_a_folder_or_a_module(made: list[Path]) -> None:
    """A resource is a folder of the package and a module of the tests, by its plural."""
    plurals = {resource.plural for resource in DECLARED}
    taken = {
        path.stem.removeprefix("test_")
        for project in made
        for path in (*(project / "src" / PACKAGE).iterdir(), *(project / "tests").glob("*.py"))
        if re.fullmatch(names.PATTERN, path.stem) and (path.is_dir() or path.suffix == ".py")
    }
    reserved = common().resources
    assert sorted(taken - plurals - set(reserved)) == []


def _snake(name: str) -> str:
    return re.sub("(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def test_the_classes_of_each_resource_are_among_those_that_are_known(made: list[Path]) -> None:
    written = {
        node.name
        for path in sources(made)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }
    classes = [(one.class_name, class_name(one.plural)) for one in DECLARED]
    known = {
        pattern.format(name=name, plural=plural)
        for pattern in common().patterns
        for name, plural in classes
    }
    known |= {f"{r.class_name}{class_name(f.name)}" for r in DECLARED for f in r.fields if f.values}
    of_resources = {name for name in written if any(one in name for one, _ in classes)}
    assert of_resources - known == set()


def test_words_are_written_as_names_are_and_once() -> None:
    for file in ("templates/resource_names.toml", *_frameworks()):
        data = tomllib.loads((REPOSITORY / file).read_text())
        for group in data.get("resource_names", ()):
            assert set(group) <= {
                "why", "fields", "field_prefixes", "resources", "plural_prefixes", "classes"
            }  # fmt: skip
            for key in set(group) - {"why", "classes"}:
                assert len(set(group[key])) == len(group[key]), group["why"]
                assert all(re.fullmatch(names.PATTERN, word.rstrip("_")) for word in group[key])


def _frameworks() -> list[str]:
    return [
        str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("templates/*/framework.toml")
    ]


def test_the_words_that_declarations_are_drawn_from_are_free() -> None:
    for word in RESOURCE_WORDS:
        assert not refused(f"{word} value:int", reserved_everywhere()), word
    for word in FIELD_WORDS:
        assert not refused(f"some_thing {word}:int", reserved_everywhere()), word


@given(st.text(max_size=60))
def test_a_respelled_name_is_spelled_as_it_should_be(typed: str) -> None:
    try:
        names.check_spelling(typed, "field name")
    except BadAnswers as problem:
        if better := re.search('Try "(.*)"', str(problem)):
            names.check_spelling(better[1], "field name")


def test_nobody_pays_for_plurals_who_needs_none() -> None:
    code = "import sys, scaffold.resources.short_form; print('pluralizer' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("name", "plural"),
    [
        ("category", "categories"), ("person", "people"), ("child", "children"), ("box", "boxes"),
        ("status", "statuses"), ("hero", "heroes"), ("quiz", "quizzes"), ("analysis", "analyses"),
        ("key", "keys"), ("staff_address", "staff_addresses"), ("bonus", "bonuses"),
    ],
)  # fmt: skip
def test_plurals_are_english(name: str, plural: str) -> None:
    assert names.plural_of(name) == plural
