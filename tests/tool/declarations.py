"""Draws valid declarations: every type, bound, default, modifier and reference."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from scaffold.errors import BadAnswers
from scaffold.resources import names, values
from scaffold.resources.checks import check
from scaffold.resources.field_types import INT_64, MAX_PRECISION, MAX_TEXT, TYPES
from scaffold.resources.fields import new_field, with_default, with_values
from scaffold.resources.model import Field, Resource

REPOSITORY = Path(__file__).parents[2]

# Plain words, irregular plurals, SQL's words, words of Python that are none of its keywords, words
# that YAML takes for a value, the shortest and the longest.
RESOURCE_WORDS = (
    "room booking guest invoice order_line author book genre ticket sensor reading account box "
    "category city address person child mouse hero quiz criterion analysis week key order user "
    "group case match line_2 x a1 on null cafe "
    "a_long_name_that_has_thirty_nine_letter"
).split()
FIELD_WORDS = (
    "name title seats nights price total state kind notes email link code starts_at due_on done "
    "order user group table select where desc default end type match case lazy min max filter "
    "format range hash input id_card model_year name_2 name2 x a1 on no null true q page offset "
    "room_name is_open label source parent content request response "
    "another_long_name_of_forty_characters_xy"
).split()
ENUM_VALUES = "open closed kept lapsed EUR USD in-progress on_hold A b2 None name mro".split()
CHARACTERS = st.characters(exclude_categories=["C", "Zl", "Zp"]) | st.sampled_from(
    "'\"\\:,=#$`{}%é💚"
)


@functools.cache
def reserved_everywhere() -> names.Reserved:
    """What is reserved in a service of any framework, so that a declaration works in each."""
    templates = REPOSITORY / "templates"
    files = [templates / "resource_names.toml", *sorted(templates.glob("*/framework.toml"))]
    return names.reserved_from(*(tomllib.loads(file.read_text()) for file in files))


@st.composite
def declarations(
    draw: st.DrawFn, max_resources: int = 4, max_fields: int = 8
) -> tuple[Resource, ...]:
    """Resources that a service of every framework can have, in an order that hides nothing.

    A required reference leads to a resource of lower rank, and the ranks are shuffled, so that
    references to later and earlier resources are as likely.
    """
    words = st.lists(
        st.sampled_from(RESOURCE_WORDS), min_size=1, max_size=max_resources, unique=True
    )
    ranked = draw(words)
    resources = [
        draw(_resources(name, ranked[:rank], ranked, max_fields))
        for rank, name in enumerate(ranked)
    ]
    drawn = tuple(draw(st.permutations(resources)))
    try:
        check(drawn, reserved_everywhere())
    except BadAnswers:
        assume(False)
    return drawn


@st.composite
def _resources(
    draw: st.DrawFn, name: str, lower: list[str], known: list[str], max_fields: int
) -> Resource:
    words = draw(
        st.lists(st.sampled_from(FIELD_WORDS), min_size=1, max_size=max_fields, unique=True)
    )
    fields = [draw(_fields(word, lower, known)) for word in words]
    plural = names.plural_of(name)
    if draw(st.integers(0, 9)) == 0:
        plural = f"all_{name[:30]}s"
    return Resource(name, plural, tuple(fields))


@st.composite
def _fields(draw: st.DrawFn, name: str, lower: list[str], known: list[str]) -> Field:
    type_name = draw(st.sampled_from(list(TYPES)))
    allowed = TYPES[type_name].modifiers
    field = draw(DETAILS.get(type_name, st.just)(new_field(name, type_name)))
    presence = draw(
        st.sampled_from(
            [p for p in ("required", "optional", "default") if p in ("required", *allowed)]
        )
    )
    if type_name == "ref":
        presence = presence if lower else "optional"
        targets = lower if presence == "required" else known
        field = replace(field, target=draw(st.sampled_from(targets)))
    if presence == "default":
        field = with_default(field, values.write(draw(DEFAULTS[type_name](field))))
    flags = {
        flag: flag in allowed and draw(st.booleans())
        for flag in ("unique", "filter", "sort")
        if not (flag == "unique" and presence == "default")
    }
    return replace(field, optional=presence == "optional", **flags)


def _lengths(limit: int) -> Callable[[Field], st.SearchStrategy[Field]]:
    pairs = st.sampled_from([(1, 100), (0, 1), (1, 1), (0, limit), (limit, limit), (3, 20)])
    return lambda field: pairs.map(lambda ends: replace(field, min=ends[0], max=ends[1]))


def _integers(field: Field) -> st.SearchStrategy[Field]:
    edges = st.sampled_from([INT_64[0], -(2**31) - 1, -1, 0, 1, 2**31, 2**53 + 1, INT_64[1]])
    ends = st.lists(edges | st.integers(*INT_64), min_size=2, max_size=2).map(sorted)
    bounded = ends.map(lambda pair: replace(field, min=pair[0], max=pair[1]))
    return st.just(field) | bounded


def _floats(field: Field) -> st.SearchStrategy[Field]:
    finite = st.floats(allow_nan=False, allow_infinity=False)
    ends = st.lists(finite, min_size=2, max_size=2).map(sorted)
    return (
        st.just(field)
        | ends.map(lambda pair: replace(field, min=pair[0], max=pair[1]))
        | finite.map(lambda end: replace(field, min=end))
        | finite.map(lambda end: replace(field, max=end))
    )


@st.composite
def _digits(draw: st.DrawFn, field: Field) -> Field:
    precision = draw(st.integers(1, MAX_PRECISION))
    return replace(field, precision=precision, scale=draw(st.integers(0, precision)))


def _choices(field: Field) -> st.SearchStrategy[Field]:
    chosen = st.lists(st.sampled_from(ENUM_VALUES), min_size=2, max_size=5, unique=True)
    return chosen.map(lambda values: with_values(field, values))


def _texts(read: Callable[[str], str], spare: str) -> Callable[[Field], st.SearchStrategy[str]]:
    """Texts that `read` accepts, within the bounds of the field."""

    def within(field: Field) -> st.SearchStrategy[str]:
        least, most = int(field.min or 0), int(field.max or 0)
        drawn = st.text(CHARACTERS | st.sampled_from(spare), max_size=min(most, 30))
        padded = drawn.map(lambda text: text if len(text) >= least else text.ljust(least, "x"))
        return padded.filter(lambda text: _reads(read, text))

    return within


def _reads(read: Callable[[str], str], text: str) -> bool:
    try:
        return read(text) == text
    except ValueError:
        return False


def _decimals(field: Field) -> st.SearchStrategy[Decimal]:
    most = 10 ** (field.precision or 0) - 1
    return st.integers(-most, most).map(lambda n: Decimal(n).scaleb(-(field.scale or 0)))


DETAILS: dict[str, Callable[[Field], st.SearchStrategy[Field]]] = {
    "str": _lengths(500),
    "text": _lengths(MAX_TEXT),
    "int": _integers,
    "float": _floats,
    "decimal": _digits,
    "enum": _choices,
}
DEFAULTS: dict[str, Callable[[Field], st.SearchStrategy[Any]]] = {
    "str": _texts(values.read_line, "a: b"),
    "text": _texts(values.read_text, "\n\t a"),
    "int": lambda field: st.integers(int(field.min or 0), int(field.max or 0)),
    "float": lambda field: st.floats(field.min, field.max, allow_nan=False, allow_infinity=False),
    "decimal": _decimals,
    "bool": lambda _: st.booleans(),
    "date": lambda _: st.dates() | st.sampled_from([date.min, date.max]),
    "datetime": lambda _: (
        st.datetimes(timezones=st.just(UTC)) | st.just(datetime(1, 1, 1, tzinfo=UTC))
    ),
    "uuid": lambda _: st.uuids(),
    "email": lambda _: st.sampled_from(["desk@example.com", "a.b+c@mail.example.org"]),
    "url": lambda _: st.sampled_from(["https://example.com/", "http://example.org:8080/a?b=c&d"]),
    "enum": lambda field: st.sampled_from(field.values),
}
