"""The matrix: every pair proven at least once, and what cannot be had is refused everywhere."""

from __future__ import annotations

import itertools
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scaffold import matrix
from scaffold.advice.ranking import advise
from scaffold.answers import answers
from scaffold.catalog import catalog
from scaffold.catalog.catalog import Catalog, Refusal
from scaffold.errors import BadAnswers
from scaffold.resources import checks, long_form, short_form
from scaffold.resources.field_types import FLAGS, TYPES
from scaffold.terminal.conversation import Conversation
from scaffold.terminal.prompts import Choice, Heading
from scaffold.terminal.view import Terminal
from scaffold.terminal.wizard import Wizard
from tests.tool.conftest import REPOSITORY, Checkout
from tests.tool.declarations import reserved_everywhere

# As if the last release had all the frameworks that there are now, and took declarations.
FRAMEWORKS = tuple(framework.id for framework in catalog.load(REPOSITORY).frameworks)
WITH = catalog.load(REPOSITORY).question("with").choices
BEFORE = (*FRAMEWORKS, *WITH, "resources")
WHY = "this is refused for a test"


@pytest.fixture(scope="module")
def refusing(known: Catalog) -> Catalog:
    """The catalog of this repository, if Django and SQLite could not be had together."""
    refusal = Refusal({"framework": "django", "database": "sqlite"}, WHY)
    return replace(known, refused=(*known.refused, refusal))


def pairs(values: dict[str, str]) -> set[tuple[tuple[str, str], ...]]:
    return set(itertools.combinations(sorted(values.items()), 2))


def covered(cells: list[matrix.Cell]) -> set[tuple[tuple[str, str], ...]]:
    return set().union(*(pairs(dict(cell.values)) for cell in cells))


def wanted(catalog: Catalog) -> set[tuple[tuple[str, str], ...]]:
    factors = matrix.axes(catalog, BEFORE)
    rows = itertools.product(*([(name, v) for v in values] for name, values in factors.items()))
    return set().union(*(pairs(dict(row)) for row in rows))


def test_every_two_values_meet_in_a_cell(known: Catalog) -> None:
    assert covered(matrix.cells(known, BEFORE)) == wanted(known)


def test_no_smaller_matrix_would_do(known: Catalog) -> None:
    """Each of the two longest axes has all its values with all those of the other."""
    longest = sorted(len(values) for values in matrix.axes(known, BEFORE).values())[-2:]
    assert len(matrix.cells(known, BEFORE)) == math.prod(longest)


def test_every_question_with_choices_is_an_axis(known: Catalog) -> None:
    asked = [q.id for q in known.fields if q.options and not q.multiple]
    axes = matrix.axes(known, BEFORE)
    assert list(axes) == [*asked, *WITH, "resources", "python", "origin"]
    assert all(axes[choice] == (f"no_{choice}", choice) for choice in WITH)
    assert matrix.axes(known, BEFORE)["resources"] == ("example", "rich")
    assert matrix.axes(known, BEFORE)["python"] == ("3.11", "3.12", "3.13")


def test_what_is_refused_is_in_no_cell_and_all_else_is(refusing: Catalog) -> None:
    cells = matrix.cells(refusing, BEFORE)
    never = (("database", "sqlite"), ("framework", "django"))
    assert covered(cells) == wanted(refusing) - {never}


def test_a_framework_is_tried_on_no_python_that_it_does_not_run_on(known: Catalog) -> None:
    first, *others = known.frameworks
    older = first._replace(facts=first.facts._replace(pythons=("3.11", "3.12")))
    cells = matrix.cells(replace(known, frameworks=(older, *others)), BEFORE)
    tried = {c.values["python"] for c in cells if c.values["framework"] == first.id}
    assert tried == {"3.11", "3.12"}
    assert {c.values["python"] for c in cells} == {"3.11", "3.12", "3.13"}


def test_only_what_the_last_release_had_is_updated(known: Catalog) -> None:
    first, *others = FRAMEWORKS
    cells = matrix.cells(known, [*others, *WITH, "resources"])
    assert {c.values["origin"] for c in cells if c.values["framework"] == first} == {"fresh"}
    updated = {c.values["framework"] for c in cells if c.values["origin"] == "updated"}
    assert updated == set(others)
    assert {c.values["origin"] for c in matrix.cells(known, ())} == {"fresh"}


def test_declarations_are_updated_only_from_a_release_that_took_them(known: Catalog) -> None:
    without = (*FRAMEWORKS, *WITH)
    for before, origins in ((BEFORE, {"fresh", "updated"}), (without, {"fresh"})):
        cells = matrix.cells(known, before)
        assert {c.values["origin"] for c in cells if c.values["resources"] == "rich"} == origins


def test_a_cell_has_its_declarations_and_the_example_none(known: Catalog) -> None:
    for cell in matrix.cells(known, BEFORE):
        rich = cell.values["resources"] == "rich"
        assert cell.declared == (known.declarations["rich"] if rich else ())
        assert set(cell.answers) == {"framework", "database", "ci", "with"}


def test_what_a_service_has_besides_is_in_its_answers_and_its_name(known: Catalog) -> None:
    for cell in matrix.cells(known, BEFORE):
        having = [choice for choice in WITH if cell.values[choice] == choice]
        assert cell.answers["with"] == having
        words = cell.id.split("-")
        assert [word for word in words if word in WITH] == having
        assert not [word for word in words if word.startswith("no_")]


def test_what_a_release_did_not_have_besides_is_only_fresh(known: Catalog) -> None:
    cells = matrix.cells(known, (*FRAMEWORKS, "resources"))
    for choice in WITH:
        assert {c.values["origin"] for c in cells if c.values[choice] == choice} == {"fresh"}


def test_one_answer_of_several_can_be_refused(known: Catalog) -> None:
    refusal = Refusal({"framework": "django", "with": WITH[0]}, WHY)
    refusing = replace(known, refused=(*known.refused, refusal))
    given = {"name": "my-svc", "framework": "django"}
    assert answers.complete(refusing, given)["with"] == []
    with pytest.raises(BadAnswers, match=f"framework django and with {WITH[0]} .* {WHY}"):
        answers.complete(refusing, given | {"with": WITH[0]})
    assert asked(refusing, {"framework": "django"})[1] == {WITH[0]: WHY}
    cells = matrix.cells(refusing, BEFORE)
    assert not [c for c in cells if {"django", WITH[0]} <= set(c.values.values())]


def test_every_declaration_of_the_matrix_works_in_every_framework(known: Catalog) -> None:
    used: set[str] = set()
    for texts in known.declarations.values():
        resources = short_form.parse_all(texts)
        checks.check(resources, reserved_everywhere())
        for field in (field for resource in resources for field in resource.fields):
            used |= {field.type, *(flag for flag in FLAGS if getattr(field, flag))}
    assert used == {*TYPES, *FLAGS}


def test_templates_without_declarations_have_no_such_axis(known: Catalog, tmp_path: Path) -> None:
    bare = replace(known, root=tmp_path)
    assert bare.declarations == {}
    shutil.copy(REPOSITORY / "copier.yml", tmp_path)
    assert "resources" not in matrix.axes(bare, BEFORE)
    assert {cell.declared for cell in matrix.cells(bare, BEFORE)} == {()}


@pytest.mark.parametrize("count", [1, 2, 5, 9, 27, 40])
def test_shards_have_every_cell_once_and_are_even(known: Catalog, count: int) -> None:
    cells = matrix.cells(known, BEFORE)
    parts = matrix.shards(cells, count)
    assert list(itertools.chain(*parts)) == cells
    sizes = {len(part) for part in parts}
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == min(count, len(cells))


def test_a_shard_for_each_framework_has_that_one_alone(known: Catalog) -> None:
    parts = matrix.shards(matrix.cells(known, BEFORE), len(FRAMEWORKS))
    assert all(len({cell.values["framework"] for cell in part}) == 1 for part in parts)


def test_a_workflow_takes_what_is_printed(checkout: Checkout, tmp_path: Path) -> None:
    """GitHub makes an axis of each key but `include`, whose entries are the jobs."""
    cells = checkout.scaffold("matrix", "--json", cwd=tmp_path).json
    assert list(cells) == ["include"]
    assert {tuple(job) for job in cells["include"]} == {
        ("cell", "framework", "database", "ci", *WITH, "resources", "python", "origin")
    }
    sharded = checkout.scaffold("matrix", "--json", "--shards", "2", cwd=tmp_path).json["include"]
    assert [job["shard"] for job in sharded] == [1, 2]
    ids = " ".join(job["cells"] for job in sharded).split()
    assert ids == [job["cell"] for job in cells["include"]]
    assert checkout.scaffold("matrix", cwd=tmp_path).out.split() == ids


def test_a_part_of_the_matrix_is_named_by_its_values(known: Catalog) -> None:
    cells = matrix.cells(known, BEFORE)
    some = matrix.chosen(known, cells, ["flask", "django", "sqlite"])
    assert {cell.values["framework"] for cell in some} == {"flask", "django"}
    assert {cell.values["database"] for cell in some} == {"sqlite"}
    assert matrix.chosen(known, cells, [cells[3].id, cells[5].id]) == [cells[3], cells[5]]
    assert matrix.chosen(known, cells, []) == cells


def test_an_unknown_part_is_named(checkout: Checkout, tmp_path: Path) -> None:
    ran = checkout.scaffold("matrix", "flask", "mysql", "--json", cwd=tmp_path)
    assert ran.code == 2
    assert "No service of the matrix has mysql" in ran.json["error"]["message"]


# ---- what is refused, by everyone


def test_nothing_is_refused_that_leaves_no_answer(known: Catalog) -> None:
    questions = {q.id: q.choices for q in known.fields if q.options}
    for refusal in known.refused:
        for question_id, value in refusal.answers.items():
            assert value in questions[question_id], f"{refusal} names no answer"
    for framework in questions["framework"]:
        tried = [c for c in matrix.cells(known, BEFORE) if c.values["framework"] == framework]
        assert tried, framework


def test_the_command_line_refuses_it(refusing: Catalog) -> None:
    given = {"name": "my-svc", "framework": "django", "database": "sqlite"}
    with pytest.raises(BadAnswers, match=f"framework django and database sqlite .* {WHY}"):
        answers.check(refusing, given)


def test_a_default_is_refused_as_well(refusing: Catalog) -> None:
    given = {"name": "my-svc", "framework": "django"}
    with pytest.raises(BadAnswers, match=WHY):
        answers.complete(refusing, given)
    assert answers.complete(refusing, given | {"database": "postgresql"})["ci"] == "github"


class Recorded:
    """Takes the default of each question, and keeps what was offered."""

    hint = ""
    edits = True

    def __init__(self) -> None:
        self.offered: dict[str, list[Choice]] = {}

    def choose(self, heading: Heading, choices: list[Choice], default: str) -> str:
        self.offered[heading.ask] = choices
        assert not next(choice.disabled for choice in choices if choice.id == default)
        return default

    def choose_several(
        self, heading: Heading, choices: list[Choice], _ticked: list[str]
    ) -> list[str]:
        self.offered[heading.ask] = choices
        return []

    def write(self, _heading: Heading, typed: str = "") -> str:
        return typed

    def note(self, _heading: Heading, _answer: str, /) -> str:
        return ""


def asked(catalog: Catalog, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The answers of a wizard, and what it closed: reasons by choice."""
    prompter = Recorded()
    view = Terminal(width=80, colour=False, drawing=True)
    wizard = Wizard(catalog, Conversation(prompter, lambda _: None), view, lambda _: None)
    result = wizard.everything({"name": "my-svc"} | given, maintained=False)
    disabled = {
        c.id: c.disabled for choices in prompter.offered.values() for c in choices if c.disabled
    }
    return result, disabled


def test_the_wizard_closes_it_and_says_why(refusing: Catalog) -> None:
    result, disabled = asked(refusing, {"framework": "django"})
    assert (result["database"], disabled) == ("postgresql", {"sqlite": WHY})


def test_the_wizard_closes_a_framework_that_uses_a_name_of_the_resources(known: Catalog) -> None:
    declared = [long_form.to_data(short_form.parse("message text:str"))]
    result, disabled = asked(known, {"data": "yes", "resources": declared})
    assert disabled == {"django": "it already uses the name of one of these resources"}
    assert (result["framework"] == "django", result["resources"]) == (False, declared)


def test_the_wizard_closes_a_framework_that_does_not_go_with_what_is_given(
    refusing: Catalog,
) -> None:
    best = advise(refusing, {}, maintained=False).ranking[0].framework.id
    refused = replace(refusing, refused=(Refusal({"framework": best, "database": "sqlite"}, WHY),))
    result, disabled = asked(refused, {"database": "sqlite"})
    assert disabled == {best: WHY}
    assert result["framework"] != best
