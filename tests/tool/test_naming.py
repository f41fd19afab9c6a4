"""What a service may be called: every rule, and a suggestion that keeps them all."""

from __future__ import annotations

import ast
import keyword
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaffold.answers import answers, naming
from scaffold.catalog.catalog import Catalog
from scaffold.errors import BadName
from scaffold.escaping import quote

SPELLING = "use lower-case letters, digits and single dashes, starting with a letter"
MODULE = "a module of Python's standard library has that name"
PLACE = "every service has a file or folder of that name"
YAML = "YAML reads that word as a value, not as text"
COMMAND = "a command that the image or the checks use has that name"
IMAGE = "a well-known container image has that name"
CLUSTER = "Kubernetes reserves that name"
TAKEN = "a dependency of the service has that name"

REFUSED = [
    ("", "it is empty", "my-service"),
    ("My_Svc", SPELLING, "my-svc"),
    ("my_svc", SPELLING, "my-svc"),
    ("-svc", SPELLING, "svc"),
    ("svc-", SPELLING, "svc"),
    ("my--svc", SPELLING, "my-svc"),
    ("9lives", SPELLING, "lives"),
    ("a b", SPELLING, "a-b"),
    ("../x", SPELLING, "x"),
    ("/etc/x", SPELLING, "etc-x"),
    ("x\n", SPELLING, "x"),
    ("a.b", SPELLING, "a-b"),
    ("Ünïcode", SPELLING, "unicode"),
    ("сервис", SPELLING, "my-service"),
    ("💚", SPELLING, "my-service"),
    ("{{7*7}}", SPELLING, "my-service"),
    ("$(id)", SPELLING, "id-service"),
    ("--json", SPELLING, "json-service"),
    ("a" * 41, "it is longer than 40 characters", "a" * 40),
    ("class", "it is a Python keyword", "class-service"),
    ("match", "it is a Python soft keyword", "match-service"),
    ("type", "it is a Python soft keyword", "type-service"),
    ("list", "it is a Python builtin", "list-service"),
    ("print", "it is a Python builtin", "print-service"),
    ("json", MODULE, "json-service"),
    ("email", MODULE, "email-service"),
    ("distutils", MODULE, "distutils-service"),
    ("annotationlib", MODULE, "annotationlib-service"),
    ("nul", "Windows reserves that name for a device", "nul-service"),
    ("com1", "Windows reserves that name for a device", "com1-service"),
    ("tests", PLACE, "tests-service"),
    ("test", MODULE if "test" in sys.stdlib_module_names else PLACE, "test-service"),
    ("src", PLACE, "src-service"),
    ("conftest", PLACE, "conftest-service"),
    ("build", PLACE, "build-service"),
    ("no", YAML, "no-service"),
    ("true", YAML, "true-service"),
    ("null", YAML, "null-service"),
    ("install", COMMAND, "install-service"),
    ("git", COMMAND, "git-service"),
    ("pre-commit", COMMAND, "pre-commit-service"),
    ("postgres", IMAGE, "postgres-service"),
    ("scratch", IMAGE, "scratch-service"),
    ("default", CLUSTER, "default-service"),
    ("kube-system", CLUSTER, "system"),
    ("kube-", SPELLING, "kube"),
]
GOOD = ["a", "my-svc", "orders", "a1-b2", "x9", "a" * 40, "orders-api-v2", "flasks", "classes"]


@pytest.mark.parametrize(("name", "why", "better"), REFUSED, ids=repr)
def test_a_bad_name_is_told_its_rule_and_the_nearest_that_works(
    name: str, why: str, better: str
) -> None:
    with pytest.raises(BadName) as told:
        naming.check_name(name)
    expected = f"{quote(name)} is not a valid service name: {why}. Try {quote(better)}."
    assert str(told.value) == expected
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_name_is_taken(name: str) -> None:
    naming.check_name(name)


@pytest.mark.parametrize(
    "name", sorted({*keyword.kwlist, *keyword.softkwlist, *sys.stdlib_module_names})
)
def test_whatever_python_itself_uses_is_refused(name: str) -> None:
    assert naming.rule_broken(name)


def test_a_name_that_only_another_python_knows_is_refused_here_too() -> None:
    of_some_version = [
        *("asynchat", "asyncore", "distutils", "imp", "smtpd"),  # until 3.11
        *("aifc", "cgi", "crypt", "nntplib", "telnetlib", "uu"),  # until 3.12
        *("annotationlib", "compression"),  # from 3.14
        "type",  # a soft keyword from 3.12
    ]
    assert [name for name in of_some_version if not naming.rule_broken(name)] == []


def test_the_framework_and_all_that_it_brings_are_refused_for_that_framework(
    known: Catalog,
) -> None:
    flask, tornado = (answers.reserved_names(known, f) for f in ("flask", "tornado"))
    assert naming.rule_broken("werkzeug", flask) == TAKEN
    assert (
        naming.rule_broken("flask-restful", answers.reserved_names(known, "flask_restful")) == TAKEN
    )
    assert naming.rule_broken("tornado", tornado) == TAKEN
    assert naming.rule_broken("tornado", flask) is None


@pytest.mark.parametrize(
    "name", ["sqlalchemy", "pydantic-core", "pytest", "alembic", "python", "pip", "granian"]
)
def test_what_every_service_depends_on_is_refused_for_all(known: Catalog, name: str) -> None:
    for framework in known.frameworks:
        assert naming.rule_broken(name, framework.reserved) == TAKEN


@given(st.text(max_size=60))
def test_whatever_is_typed_the_suggestion_works(typed: str) -> None:
    better = naming.suggest(typed)
    assert naming.rule_broken(better) is None
    if naming.rule_broken(typed) is None:
        assert better == typed


@given(st.from_regex(naming.PATTERN, fullmatch=True).filter(lambda name: len(name) <= 60))
def test_an_accepted_name_makes_an_importable_package(name: str) -> None:
    if naming.rule_broken(name) is None:
        package = naming.package_of(name)
        assert package.isidentifier()
        ast.parse(f"import {package}")
        assert len(name) <= 40


@given(st.text(max_size=200))
def test_a_value_is_shown_on_one_line_without_control_characters(value: str) -> None:
    assert quote(value).isprintable()
    assert len(quote(value)) <= 60 * len("\\U0001f49a") + 5


def test_the_tool_and_plain_copier_agree_on_spelling(known: Catalog) -> None:
    validator = (known.root / "copier.yml").read_text()
    assert naming.PATTERN in validator
    assert re.search(rf"length > {naming.MAX_LENGTH}\b", validator)
