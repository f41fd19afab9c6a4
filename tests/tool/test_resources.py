"""Both forms of a declaration: what they mean, and that nothing is lost between them."""

from __future__ import annotations

import copy
import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from scaffold.errors import BadAnswers
from scaffold.resources import checks, long_form, short_form
from scaffold.resources.field_types import TYPES
from scaffold.resources.model import Field, Resource
from scaffold.resources.understood import Row, understood
from tests.tool.declarations import declarations, reserved_everywhere

HOTEL = (
    "room name:str:1..100:unique seats:int:1..500:default=2 projector:bool:default=false:filter",
    "booking room:ref guest:email starts_at:datetime:sort nights:int:1..30 "
    "price:decimal:10.2:optional paid:bool:default=false:filter "
    "state:enum=asked,kept,lapsed:default=asked:filter notes:text:optional",
)


def field(text: str) -> Field:
    return short_form.parse(f"thing {text}").fields[0]


def default_of(text: str) -> object:
    return field(text).default


def test_a_declaration_is_read_as_it_is_written() -> None:
    room, booking = short_form.parse_all(HOTEL)
    assert (room.name, room.plural, room.class_name) == ("room", "rooms", "Room")
    assert room.fields == (
        Field("name", "str", 1, 100, unique=True),
        Field("seats", "int", 1, 500, default=2),
        Field("projector", "bool", default=False, filter=True),
    )
    assert [one.name for one in booking.fields] == (
        "room guest starts_at nights price paid state notes".split()
    )
    by_name = {one.name: one for one in booking.fields}
    assert by_name["room"] == Field("room", "ref", target="room")
    assert by_name["room"].column == "room_id"
    assert by_name["price"] == Field("price", "decimal", precision=10, scale=2, optional=True)
    assert by_name["state"].values == ("asked", "kept", "lapsed")
    assert by_name["notes"] == Field("notes", "text", 0, 10_000, optional=True)
    checks.check((room, booking), reserved_everywhere())


def test_a_required_field_has_neither_a_default_nor_null() -> None:
    assert field("a:int").required
    assert not field("a:int:optional").required
    assert not field("a:int:default=0").required


@pytest.mark.parametrize(
    ("text", "plural"),
    [
        ("room a:int", "rooms"),
        ("category a:int", "categories"),
        ("order_person a:int", "order_people"),
        ("sheep/flock a:int", "flock"),
        ("person/persons a:int", "persons"),
    ],
)
def test_a_plural_is_made_unless_it_is_given(text: str, plural: str) -> None:
    resource = short_form.parse(text)
    assert resource.plural == plural
    assert short_form.short_form(resource) == text


@pytest.mark.parametrize(
    ("text", "default"),
    [
        ("a:str:default=blue", "blue"),
        ('a:str:default="two words"', "two words"),
        ("a:str:default='two words'", "two words"),
        ("a:str:'default=two words'", "two words"),
        (r"a:str:default=two\ words", "two words"),
        ('a:str:default="10:30"', "10:30"),
        (r"a:str:default=10\:30", "10:30"),
        ("a:str:default=a=b", "a=b"),
        ("a:str:default=#1", "#1"),
        ("""a:str:default="it's" """, "it's"),
        ("""a:str:default='say "hi"' """, 'say "hi"'),
        (r'a:str:default="a\"b\\c\d"', r'a"b\c\d'),
        ("a:str:0..9:default=", ""),
        ('a:str:0..9:default=""', ""),
        ("a:text:default='one\n\ttwo'", "one\n\ttwo"),
        ("a:int:default=-5", -5),
        ("a:float:default=1e3", 1000.0),
        ("a:decimal:5.2:default=1.5", Decimal("1.50")),
        ("a:bool:default=true", True),
        (
            "a:datetime:default='2027-01-31T10:30:00+01:00'",
            datetime(2027, 1, 31, 9, 30, tzinfo=UTC),
        ),
        ("a:int:default=7:5..9", 7),
    ],
)
def test_a_default_is_a_value_of_its_type(text: str, default: object) -> None:
    assert default_of(text) == default
    assert type(default_of(text)) is type(default)


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("a:int", (-(2**31), 2**31 - 1)),
        ("a:int:5..", (5, 2**31 - 1)),
        ("a:int:..5", (-(2**31), 5)),
        ("a:int:-9223372036854775808..9223372036854775807", (-(2**63), 2**63 - 1)),
        ("a:float", (None, None)),
        ("a:float:0..", (0.0, None)),
        ("a:float:-1e-3..1.5", (-0.001, 1.5)),
        ("a:str:..5", (1, 5)),
    ],
)
def test_an_open_end_of_a_range_keeps_the_bound_of_the_type(
    text: str, ends: tuple[float | None, float | None]
) -> None:
    assert (field(text).min, field(text).max) == ends


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("  room\tname:str:1..100 \n", "room name:str"),
        ("room/rooms name:str:unique:1..50", "room name:str:1..50:unique"),
        ("room a:int:default=2:1..5", "room a:int:1..5:default=2"),
        ("room a:decimal:12.2 b:decimal:12.0", "room a:decimal b:decimal:12.0"),
        ("room a:decimal:4.2:default=1", "room a:decimal:4.2:default=1.00"),
        ("room owner:ref=owner next:ref=room:optional", "room owner:ref next:ref=room:optional"),
        ("room a:str:default='b c'", 'room a:str:default="b c"'),
        (
            "room a:uuid:default=6F1C2D9E-52F1-4A3B-8A57-0C9D1E2F3A4B",
            "room a:uuid:default=6f1c2d9e-52f1-4a3b-8a57-0c9d1e2f3a4b",
        ),
        (
            r"room a:datetime:default=2027-01-31T10\:30\:00+01\:00",
            'room a:datetime:default="2027-01-31T09:30:00Z"',
        ),
    ],
)
def test_one_declaration_has_one_canonical_spelling(text: str, canonical: str) -> None:
    assert short_form.short_form(short_form.parse(text)) == canonical
    assert short_form.short_form(short_form.parse(canonical)) == canonical


@settings(deadline=None)
@given(declarations())
def test_the_short_form_loses_nothing(resources: tuple[Resource, ...]) -> None:
    texts = [short_form.short_form(resource) for resource in resources]
    assert short_form.parse_all(texts) == resources


@settings(deadline=None)
@given(declarations(max_resources=2))
def test_a_shell_takes_the_flag_back(resources: tuple[Resource, ...]) -> None:
    command = " ".join(short_form.flag(resource) for resource in resources)
    words = shlex.split(command)
    assert words[::2] == ["--resource"] * len(resources)
    assert short_form.parse_all(words[1::2]) == resources


@settings(deadline=None)
@given(declarations())
def test_the_long_form_loses_nothing_in_yaml_or_json(resources: tuple[Resource, ...]) -> None:
    data = [long_form.to_data(resource) for resource in resources]
    before = copy.deepcopy(data)
    assert long_form.from_data(data) == resources
    assert data == before
    assert long_form.from_data(json.loads(json.dumps(data))) == resources
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    assert long_form.from_data(yaml.safe_load(text)) == resources


@settings(deadline=None)
@given(st.text(st.sampled_from("ab:'\"\\ \t\n#é$"), max_size=30))
def test_quotes_are_those_of_a_shell(text: str) -> None:
    try:
        expected = shlex.split(text)
    except ValueError:
        with pytest.raises(BadAnswers):
            short_form.split(text)
    else:
        assert [":".join(parts) for parts in short_form.split(text)] == expected


@settings(deadline=None)
@given(
    st.text(max_size=60) | st.text(st.sampled_from("room:str.=1..'\"/ defaultuniqe-"), max_size=60)
)
def test_whatever_is_typed_is_read_or_refused_in_printable_words(text: str) -> None:
    try:
        resource = short_form.parse(text)
        checks.check([resource], reserved_everywhere())
    except BadAnswers as problem:
        message = str(problem)
    else:
        message = short_form.short_form(resource)
        assert short_form.parse(message) == resource
    assert message.replace("\n", " ").isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "type", "fields", "min", "default"]), inner)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(JSON)
def test_whatever_an_answers_file_holds_is_read_or_refused(data: object) -> None:
    message = ""
    try:
        long_form.from_data(data)
    except BadAnswers as problem:
        message = str(problem)
    assert message.replace("\n", " ").isprintable()


def test_the_long_form_keeps_the_order_of_keys_and_fields() -> None:
    room = short_form.parse(
        "room name:str:unique seats:int:1..500:default=2 near:ref=room:optional"
    )
    assert long_form.to_data(room) == {
        "name": "room",
        "plural": "rooms",
        "fields": [
            {"name": "name", "type": "str", "min": 1, "max": 100, "unique": True},
            {"name": "seats", "type": "int", "min": 1, "max": 500, "default": 2},
            {"name": "near", "type": "ref", "target": "room", "optional": True},
        ],
    }


def test_dates_and_numbers_that_yaml_has_read_are_taken() -> None:
    loaded = yaml.safe_load(
        """
        - name: thing
          fields:
            - {name: day, type: date, default: 2027-01-31}
            - {name: moment, type: datetime, default: 2027-01-31T10:30:00+01:00}
            - {name: price, type: decimal, default: 9.9}
            - {name: ratio, type: float, min: 0, default: 1}
            - {name: size, type: int, max: 9, optional: false}
        """
    )
    (thing,) = long_form.from_data(loaded)
    written = short_form.short_form(thing)
    assert written == (
        "thing day:date:default=2027-01-31 "
        'moment:datetime:default="2027-01-31T09:30:00Z" price:decimal:default=9.90 '
        "ratio:float:0.0..:default=1.0 size:int:-2147483648..9"
    )


def test_the_table_says_in_words_what_was_understood() -> None:
    resources = short_form.parse_all([HOTEL[0], "note text:text at:float:0..:optional by:ref=room"])
    assert understood(resources) == (
        Row("room", "name", "str", "text on one line, 1 to 100 characters", ("required", "unique")),
        Row("room", "seats", "int", "whole number, 1 to 500", ("default 2",)),
        Row("room", "projector", "bool", "true or false", ("default false", "filter")),
        Row("note", "text", "text", "text with line breaks, 0 to 10000 characters", ("required",)),
        Row("note", "at", "float", "number, at least 0.0", ("optional",)),
        Row("note", "by_id", "ref", "ID of the room", ("required",)),
    )


@settings(deadline=None)
@given(declarations())
def test_the_table_fits_on_lines(resources: tuple[Resource, ...]) -> None:
    rows = understood(resources)
    assert len(rows) == sum(len(resource.fields) for resource in resources)
    for row in rows:
        assert all(flag.isprintable() for flag in row.flags), row


def test_every_type_says_why_it_lacks_a_modifier() -> None:
    for name, type_ in TYPES.items():
        lacking = {"optional", "unique", "default", "filter", "sort"} - set(type_.modifiers)
        assert set(type_.why_not) == lacking, name


def test_the_most_that_is_allowed_is_allowed() -> None:
    fields = " ".join(f"field_{number}:int" for number in range(40))
    texts = [f"thing_{number} {fields}" for number in range(20)]
    resources = short_form.parse_all(texts)
    checks.check(resources, reserved_everywhere())


@pytest.mark.parametrize(
    "texts",
    [
        ["room city:ref", "city x:int"],
        ["city x:int", "room city:ref"],
        ["room parent:ref=room:optional"],
        ["room city:ref", "city best:ref=room:optional"],
        ["room city:ref", "city week:ref", "week room:ref:optional"],
        ["room x:ref=week y:ref=week", "week z:int"],
        ["room city:ref week:ref", "city week:ref", "week x:int"],
    ],
)
def test_references_may_lead_anywhere_if_rows_can_be_created(texts: list[str]) -> None:
    checks.check(short_form.parse_all(texts), reserved_everywhere())


def kinds(resource: Resource, order: list[str], field: Field) -> Iterator[str]:
    """What is worth drawing about a field."""
    yield field.type
    if field.default is not None:
        yield f"{field.type} with a default"
    if field.target:
        place = order.index(field.target) - order.index(resource.name)
        way = "itself" if not place else "a later one" if place > 0 else "an earlier one"
        yield f"{'required' if field.required else 'optional'} reference to {way}"
    if field.optional and field.unique:
        yield "optional and unique"
    if field.filter and field.sort:
        yield "filter and sort"
    if field.type == "int" and field.max == 2**63 - 1:
        yield "the largest integer"
    if field.type == "float" and field.min is not None and field.max is None:
        yield "an open end"
    if field.default == "":
        yield "an empty default"
    if isinstance(field.default, str) and set(field.default) & set("'\"\\ \n"):
        yield "a default in quotes"
    if resource.plural.startswith("all_"):
        yield "a plural of its own"


def test_draws_reach_every_kind_of_field() -> None:
    reached: set[str] = set()

    @settings(max_examples=300, deadline=None, derandomize=True, phases=[Phase.generate])
    @given(declarations())
    def draw(resources: tuple[Resource, ...]) -> None:
        order = [resource.name for resource in resources]
        for resource in resources:
            for field in resource.fields:
                reached.update(kinds(resource, order, field))

    draw()
    assert reached == {
        *TYPES,
        *(f"{name} with a default" for name in TYPES if "default" in TYPES[name].modifiers),
        "optional reference to itself",
        *(f"{need} reference to {way}" for need in ("optional", "required")
          for way in ("a later one", "an earlier one")),
        "optional and unique",
        "filter and sort",
        "the largest integer",
        "an open end",
        "an empty default",
        "a default in quotes",
        "a plural of its own",
    }  # fmt: skip
