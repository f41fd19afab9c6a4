"""Choose the services that test the templates: each pair of answers, Pythons and origins once.

covertable, which finds a small set of them, only here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from scaffold.catalog.catalog import Catalog, Refusal, fields_of
from scaffold.catalog.record import RESOURCES
from scaffold.errors import BadAnswers

if TYPE_CHECKING:
    from scaffold.catalog.sources import Source

FRAMEWORK = "framework"
PYTHON = "python"
ORIGIN = "origin"
FRESH = "fresh"
UPDATED = "updated"  # made by the last release of the templates, and brought to this version
# The search is greedy and does not always find the smallest set; each salt is another try.
SALTS = ("", "1", "2", "3")
EXAMPLE = "example"  # what a service keeps if nothing is declared
WITHOUT = "no_"  # before a choice of several that a service does not have


@dataclass(frozen=True)
class Cell:
    """One service to test: its answers, the Python it runs on, and where it comes from.

    `declared` are its resources in the short form; none for the example. `several` has the choices
    of each question with several answers: every one of them is an axis.
    """

    values: Mapping[str, str]
    declared: tuple[str, ...] = ()
    several: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What it has, in the order of the axes, like `flask-sqlite-github-3.12-fresh`."""
        return "-".join(v for v in self.values.values() if not v.startswith(WITHOUT))

    @property
    def answers(self) -> dict[str, Any]:
        """What answers the questions of copier.yml, but for what `declared` answers."""
        others = {RESOURCES, PYTHON, ORIGIN}.union(*self.several.values())
        words = {key: value for key, value in self.values.items() if key not in others}
        lists = {
            question: [choice for choice in choices if self.values[choice] == choice]
            for question, choices in self.several.items()
        }
        return words | lists


def before(source: "Source") -> tuple[str, ...]:
    """What a service of the last release may be made of; nothing where this is the first.

    That is a framework or a choice of several that it had, and `resources` where it took
    declarations. Raises UnknownRelease or SourceError.
    """
    if not source.past:
        return ()
    questions = fields_of(source.root(source.past[-1]))
    took = [question.id for question in questions if question.is_declared]
    took += [choice for question in questions if question.multiple for choice in question.choices]
    return (*next(q.choices for q in questions if q.id == FRAMEWORK), *took)


def axes(catalog: Catalog, before: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Every question that has choices, the resources, the Pythons, where a service comes from.

    Of a question with several answers each choice is an axis.
    """
    pythons = {python for framework in catalog.frameworks for python in framework.facts.pythons}
    asked = {q.id: q.choices for q in catalog.fields if q.options and not q.multiple}
    for choices in _several(catalog).values():
        asked |= {choice: (f"{WITHOUT}{choice}", choice) for choice in choices}
    resources = {RESOURCES: (EXAMPLE, *catalog.declarations)} if catalog.declarations else {}
    origins = (FRESH, UPDATED) if before else (FRESH,)
    return asked | resources | {PYTHON: tuple(sorted(pythons, key=_version)), ORIGIN: origins}


def _several(catalog: Catalog) -> dict[str, tuple[str, ...]]:
    return {q.id: q.choices for q in catalog.fields if q.multiple}


def refusals(catalog: Catalog, before: Collection[str]) -> tuple[Refusal, ...]:
    """What the table refuses, and what a framework does not run on, or cannot come from."""
    pythons = axes(catalog, before)[PYTHON]
    never_run = [
        Refusal({FRAMEWORK: framework.id, PYTHON: python}, f"{framework.name} does not run on it")
        for framework in catalog.frameworks
        for python in pythons
        if python not in framework.facts.pythons
    ]
    new = [
        Refusal({FRAMEWORK: framework.id, ORIGIN: UPDATED}, "the last release did not have it")
        for framework in catalog.frameworks
        if framework.id not in before
    ]
    undeclared = [
        Refusal({RESOURCES: name, ORIGIN: UPDATED}, "the last release took no declarations")
        for name in catalog.declarations
        if RESOURCES not in before
    ]
    without = [
        Refusal({choice: choice, ORIGIN: UPDATED}, "the last release did not have it")
        for choices in _several(catalog).values()
        for choice in choices
        if choice not in before
    ]
    told = [_by_axes(catalog, refusal) for refusal in catalog.refused]
    return (*told, *never_run, *new, *undeclared, *without)


def _by_axes(catalog: Catalog, refusal: Refusal) -> Refusal:
    """A refusal with each choice of several as a value of an axis of its own."""
    several = _several(catalog)
    pairs = refusal.answers.items()
    return refusal._replace(answers={v if k in several else k: v for k, v in pairs})


def cells(catalog: Catalog, before: Collection[str]) -> list[Cell]:
    """A pairwise covering array, the same in every run, in the order of the axes.

    Each two values of two axes meet in a cell at least once, but for those that are refused.
    `before` says which of them may come from the last release.
    """
    from covertable import make

    factors = axes(catalog, before)
    listed = {name: list(values) for name, values in factors.items()}
    never = [_never(refusal) for refusal in refusals(catalog, before)]
    tries = (make(listed, constraints=never, salt=salt) for salt in SALTS)
    rows = min(tries, key=len)
    found = [_cell(catalog, {name: row[name] for name in factors}) for row in rows]
    return sorted(found, key=lambda cell: _place(factors, cell))


def _cell(catalog: Catalog, values: Mapping[str, str]) -> Cell:
    declared = catalog.declarations.get(values.get(RESOURCES, EXAMPLE), ())
    return Cell(values, declared, _several(catalog))


def chosen(catalog: Catalog, cells: Sequence[Cell], wanted: Iterable[str]) -> list[Cell]:
    """The cells that are named in `wanted`, and have a value of each axis that it names.

    `["flask", "django", "sqlite"]` gives those of Flask or Django on SQLite. Raises BadAnswers
    for a word that no cell has.
    """
    words = set(wanted)
    if unknown := words - {word for cell in cells for word in (cell.id, *cell.values.values())}:
        listed = ", ".join(sorted(unknown))
        raise BadAnswers(
            f"No service of the matrix has {listed}; `scaffold matrix` lists all of them."
        )
    ids = words & {cell.id for cell in cells}
    asked = [words & set(values) for values in axes(catalog, (UPDATED,)).values()]
    return [
        cell
        for cell in cells
        if (not ids or cell.id in ids)
        and all(not values or values & set(cell.values.values()) for values in asked)
    ]


def shards(cells: Sequence[Cell], count: int) -> list[list[Cell]]:
    """`cells` in at most `count` parts, as even as they can be, neighbours together.

    Neighbours have the framework in common, and with it what is tested once for a framework.
    """
    count = min(count, len(cells))
    bounds = [len(cells) * number // count for number in range(count + 1)]
    return [list(cells[begin:end]) for begin, end in pairwise(bounds)]


def for_workflow(cells: Sequence[Cell], count: int | None) -> dict[str, Any]:
    """The value of `strategy.matrix` in GitHub Actions: a job for each cell, or for each shard."""
    if count is None:
        return {"include": [{"cell": cell.id, **cell.values} for cell in cells]}
    parts = shards(cells, count)
    return {"include": [_job(number, part) for number, part in enumerate(parts, 1)]}


def _job(number: int, part: Sequence[Cell]) -> dict[str, Any]:
    frameworks = dict.fromkeys(cell.values[FRAMEWORK] for cell in part)
    return {
        "shard": number,
        "name": ", ".join(frameworks),
        "cells": " ".join(cell.id for cell in part),
    }


def _never(refusal: Refusal) -> dict[str, Any]:
    met = [{"operator": "eq", "left": k, "value": v} for k, v in refusal.answers.items()]
    return {"operator": "not", "condition": {"operator": "and", "conditions": met}}


def _place(factors: Mapping[str, Sequence[str]], cell: Cell) -> list[int]:
    return [factors[name].index(value) for name, value in cell.values.items()]


def _version(python: str) -> tuple[int, ...]:
    return tuple(int(part) for part in python.split("."))
