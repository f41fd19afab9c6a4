"""The patches that prove the contract suite: each applies, and together they leave nothing out."""

from __future__ import annotations

import ast
import json
import tempfile
from functools import cache
from pathlib import Path

import pytest

from scaffold.making import render
from tests.mutations.__main__ import DoesNotApply, patched, places_of_tests
from tests.mutations.patches import PATCHES, Patch
from tests.mutations.patches.patch import OWNERS
from tests.owner.conftest import cases_of
from tests.services import NAME, PACKAGE, REPOSITORY

MUST = (
    "P1 P2 P3 P4 P5 P6 P7 P8 P10 P11 H1 H2 H3 H4 R1 R2 R3 R4 R5 R6 R7 R8 R9 E1 E2 E3 E4 E5 E7"
    " N2 N3 N4 N5 N6 N7 N8 N10 N11 N12 O4 O5 O7 O10 O11 O12 A1 A2 A3 A4 T1 T2 C1 C2 D1 D6"
).split()
"""Of the contract's MUST lines all that a patch of each of the three services can break.

D2 to D4 and D7 are compose, manifests and pipelines, which tests/deployment judges. What holds N1
and N9 is code that two of the three have. The lines about owners that are not here are those of
changes that not all three have.
"""

NOT_TO_BE_BROKEN = {
    "test_what_the_readme_calls_yours_is_no_drift": "scaffold decides it, not the service",
    "test_what_the_template_maintains_is_drift": "scaffold decides it, not the service",
    "test_a_connection_is_in_step_after_head": "granian drops whatever body follows HEAD",
    "test_a_target_may_be_a_whole_url": "granian takes the path of it by itself",
    "test_a_connection_can_be_used_after_a_refused_body": "granian reads or closes by itself",
    "test_without_a_descriptor_it_neither_spins_nor_ends": "granian waits by itself",
    "test_a_size_that_is_not_written_exactly_is_refused": "granian reads chunks by itself",
    "test_a_chunk_that_does_not_end_exactly_is_refused": "granian reads chunks by itself",
    "test_a_header_with_a_control_character_is_refused": "granian reads headers by itself",
}
"""Tests of what these services cannot do wrong, as their server does it; other servers can."""

OTHER_FRAMEWORKS = {"beside", "feature"}
"""Marks of tests that are about what only other frameworks' services have."""

SERVICES = sorted({(name, patch.having) for name, patches in PATCHES.items() for patch in patches})
"""Each framework's service, with every answer of `with` that a patch is about."""


@cache
def marks_of_tests() -> dict[str, dict[str, list[str]]]:
    """Of each test function of the suites, by its name: the arguments of its marks."""
    return {
        function.name: marks([*function.decorator_list, *marks_of_module(tree)])
        for tree in map(parsed, sorted(set(places_of_tests().values())))
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
    }


@cache
def service(framework: str, having: tuple[str, ...]) -> tempfile.TemporaryDirectory[str]:
    """A service of the framework with the example's resource."""
    folder = tempfile.TemporaryDirectory()
    answers = {"name": NAME, "framework": framework, "with": list(having)}
    render.render(REPOSITORY, answers, Path(folder.name))
    return folder


def example(framework: str, patch: Patch) -> Path:
    """The file of such a service that the patch is about."""
    return Path(service(framework, patch.having).name) / patch.file.format(package=f"src/{PACKAGE}")


def lines_of_cases(framework: str, patch: Patch) -> list[str]:
    """The lines that the owner's changes are about which the patch is tried with, if it is."""
    assert bool(patch.case) == (patch.tests == [OWNERS]), "OWNERS has a case, other tests have none"
    cases = cases_of(framework) if patch.case else []
    return [line for case in cases if patch.case in str(case) for line in case.line.split()]


def parsed(path: str) -> ast.Module:
    return ast.parse((REPOSITORY / path).read_text())


def marks_of_module(tree: ast.Module) -> list[ast.expr]:
    """What is in ``pytestmark``, alone or in a list."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name("pytestmark")], value=ast.List(elts=several)):
                return several
            case ast.Assign(targets=[ast.Name("pytestmark")], value=one):
                return [one]
    return []


def marks(expressions: list[ast.expr]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for expression in expressions:
        match expression:
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="mark"), attr=name)):
                words = [one.value for one in expression.args if isinstance(one, ast.Constant)]
                found.setdefault(name, []).extend(map(str, words))
    return found


@pytest.mark.parametrize(("framework", "having"), SERVICES)
def test_a_patch_applies_exactly_once_and_names_tests_of_its_line(
    framework: str, having: tuple[str, ...]
) -> None:
    mine = [patch for patch in PATCHES[framework] if patch.having == having]
    faults = {f"{patch.line} {patch.breaks}": fault_of(framework, patch) for patch in mine}
    assert {patch: fault for patch, fault in faults.items() if fault} == {}


def fault_of(framework: str, patch: Patch) -> str:
    """What is wrong with a patch; empty if it breaks its file, which can still be read."""
    before = example(framework, patch).read_text()
    try:
        after = patched(before, patch)
        match Path(patch.file).suffix:
            case ".py":
                ast.parse(after)  # a file that nobody can read would prove nothing
            case ".json":
                json.loads(after)
    except (DoesNotApply, SyntaxError, ValueError) as error:
        return str(error)
    proven = lines_of_cases(framework, patch) or marks_of_tests()[patch.tests[0]]["contract"]
    if patch.line not in proven:
        return f"{patch.tests[0]} is about {proven}"
    return "" if after != before else "it changes nothing"


@pytest.mark.parametrize("framework", PATCHES)
def test_each_line_that_is_a_must_is_broken_on_each_framework(framework: str) -> None:
    assert set(MUST) - {patch.line for patch in PATCHES[framework]} == set()


@pytest.mark.parametrize("framework", PATCHES)
def test_no_two_patches_of_a_framework_have_one_name(framework: str) -> None:
    names = [(patch.line, patch.breaks) for patch in PATCHES[framework]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("framework", PATCHES)
def test_no_two_patches_of_a_framework_are_the_same_change(framework: str) -> None:
    """What is counted twice proves nothing more."""
    changes: dict[tuple[str, str, str], str] = {}
    for patch in PATCHES[framework]:
        after = patched(example(framework, patch).read_text(), patch)
        same = changes.setdefault((patch.file, after, patch.database), patch.breaks)
        assert same == patch.breaks, f"{patch.line}: {same} is also called {patch.breaks}"


def test_each_test_of_the_contract_is_made_to_fail_by_some_patch() -> None:
    named = {name for mine in PATCHES.values() for patch in mine for name in patch.tests}
    everyone_runs = {
        name
        for name, place in places_of_tests().items()
        if place.startswith(("tests/contract/", "tests/owner/"))
        and not OTHER_FRAMEWORKS & set(marks_of_tests()[name])
    }
    assert everyone_runs - named == set(NOT_TO_BE_BROKEN)
