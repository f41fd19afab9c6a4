"""Every wrong declaration is rejected with the word, its place, the rule and a way out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scaffold.errors import BadAnswers
from scaffold.resources import checks, long_form, short_form
from scaffold.resources.model import Resource
from tests.tool.declarations import reserved_everywhere

TABLE = Path(__file__).parent / "data" / "wrong_declarations.txt"
ALLOWED = "A resource must be a mapping of name, plural and fields"
TYPES = (
    "The types are str, text, int, float, decimal, bool, date, datetime, uuid, email, url, enum "
    "and ref."
)


def wrong_declarations() -> Iterator[tuple[list[str], str]]:
    """The declarations and the message of each block of the table."""
    for block in TABLE.read_text().split("\n\n"):
        lines = [line for line in block.rstrip("\n").split("\n") if not line.startswith("#")]
        declared = [line for line in lines if not line.startswith("    ")]
        if declared:
            message = [line.removeprefix("    ") for line in lines[len(declared) :]]
            yield declared, "\n".join(message)


def refusal(resources: tuple[Resource, ...]) -> str:
    with pytest.raises(BadAnswers) as caught:
        checks.check(resources, reserved_everywhere())
    return str(caught.value)


@pytest.mark.parametrize(
    ("texts", "message"), list(wrong_declarations()), ids=lambda value: repr(value)[:50]
)
def test_a_wrong_declaration_is_rejected_with_a_way_out(texts: list[str], message: str) -> None:
    with pytest.raises(BadAnswers) as caught:
        checks.check(short_form.parse_all(texts), reserved_everywhere())
    assert str(caught.value) == message
    assert caught.value.code == 2


def test_the_table_has_no_line_too_few() -> None:
    assert len(list(wrong_declarations())) >= 100


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'Resource 1: The declaration is empty. Try "room name:str seats:int".'),
        (
            "room a:str:default='b\tc'",
            'Resource 1 "room", field 1 "a": "b\\tc" is not a valid default for str: it must not '
            'contain the character U+0009. Try "blue".',
        ),
        (
            "room a:text:default='b\u202ec'",
            'Resource 1 "room", field 1 "a": "b\\u202ec" is not a valid default for text: it must '
            'not contain the character U+202E. Try "none yet".',
        ),
    ],
)
def test_what_cannot_be_seen_is_rejected_visibly(text: str, message: str) -> None:
    with pytest.raises(BadAnswers) as caught:
        short_form.parse(text)
    assert str(caught.value) == message


def test_more_than_twenty_resources_are_rejected() -> None:
    texts = [f"thing_{number} a:int" for number in range(21)]
    assert refusal(short_form.parse_all(texts)) == (
        "A service can have at most 20 resources, but 21 are declared. "
        "Remove 1 or split the service."
    )


def test_more_than_forty_fields_are_rejected() -> None:
    fields = " ".join(f"field_{number}:int" for number in range(41))
    assert refusal((short_form.parse(f"room {fields}"),)) == (
        'Resource 1 "room": A resource can have at most 40 fields, but 41 are declared. Move 1 to '
        "another resource that refers to it."
    )


def test_no_resource_at_all_is_rejected() -> None:
    assert refusal(()) == 'A service must have at least one resource. Try "item name:str".'


def test_many_problems_are_cut_at_twenty() -> None:
    fields = " ".join(f"field_{number}:strr" for number in range(22))
    with pytest.raises(BadAnswers) as caught:
        short_form.parse(f"room {fields}")
    lines = str(caught.value).split("\n")
    assert len(lines) == 21
    assert lines[-1] == "And 2 more problems."


def one(field: Any) -> list[Any]:
    return [{"name": "room", "fields": [field]}]


A = 'Resource 1 "room", field 1 "a": '
LONG = [
    (None, '"resources" must be a list of resources, not null.'),
    ({"room": {}}, '"resources" must be a list of resources, not a mapping.'),
    ("room a:int", '"resources" must be a list of resources, not text.'),
    (["room a:int"], f"Resource 1: {ALLOWED}, not text."),
    ([[]], f"Resource 1: {ALLOWED}, not a list."),
    ([{}], 'Resource 1: The key "name" is missing. Add it.'),
    ([{"name": "room"}], 'Resource 1 "room": The key "fields" is missing. Add it.'),
    (
        [{"name": True, "fields": []}],
        'Resource 1: "name" must be text, not true or false. Put it in quotes.',
    ),
    (
        [{"name": "room", "plurals": "x", "fields": []}],
        'Resource 1 "room": Unknown key "plurals". Did you mean "plural"?',
    ),
    (
        [{"name": "room", 5: "x", "fields": []}],
        'Resource 1 "room": Unknown key "5". The keys are name, plural and fields.',
    ),
    (
        [{"name": "room", "fields": {"a": "int"}}],
        'Resource 1 "room": "fields" must be a list of fields, not a mapping.',
    ),
    (
        one("a:int"),
        'Resource 1 "room", field 1: A field must be a mapping of name, type, values, target, '
        "min, max, precision, scale, optional, unique, default, filter and sort, not text.",
    ),
    (one({"name": "a"}), A + 'The key "type" is missing. Add it.'),
    (one({"name": "a", "type": "int", "mim": 1}), A + 'Unknown key "mim". Did you mean "min"?'),
    (one({"name": "a", "type": None}), A + '"type" must be text, not null.'),
    (one({"name": "a", "type": "json"}), A + f'"json" is not a type. {TYPES}'),
    (
        one({"name": "a", "type": "bool", "min": 1}),
        A + '"min" does not apply to bool. Its keys are name, type, optional, default and filter.',
    ),
    (
        one({"name": "a", "type": "text", "sort": False}),
        A
        + '"sort" does not apply to text: long text cannot be indexed; use str for a short value.',
    ),
    (
        one({"name": "a", "type": "int", "min": 5, "max": 1}),
        A + '"min: 5, max: 1" is not a valid range for int: the lower bound must not exceed the '
        'upper. Try "min: 1, max: 5".',
    ),
    (
        one({"name": "a", "type": "str", "min": 200}),
        A + '"min: 200" is not a valid range for str: the lower bound must not exceed the upper, '
        'and the upper is 100 by default. Try "min: 200, max: 500".',
    ),
    (one({"name": "a", "type": "int", "min": "1"}), A + '"min" must be a number, not text.'),
    (
        one({"name": "a", "type": "int", "max": True}),
        A + '"max" must be a number, not true or false.',
    ),
    (
        one({"name": "a", "type": "int", "max": 1.5}),
        A + '"1.5" is not a valid "max" for int: it must be a whole number.',
    ),
    (
        one({"name": "a", "type": "float", "max": float("inf")}),
        A + '"inf" is not a valid "max" for float: it must be a number.',
    ),
    (
        one({"name": "a", "type": "decimal", "precision": 2, "scale": 3}),
        A + '"precision: 2, scale: 3" is not valid for decimal: the scale must be 0 to the '
        'precision. Try "precision: 2, scale: 2".',
    ),
    (
        one({"name": "a", "type": "decimal", "scale": "2"}),
        A + '"scale" must be a whole number, not text.',
    ),
    (
        one({"name": "a", "type": "int", "optional": "yes"}),
        A + '"optional" must be true or false, not text.',
    ),
    (
        one({"name": "a", "type": "int", "default": "1"}),
        A + '"default" of int must be a whole number, not text.',
    ),
    (
        one({"name": "a", "type": "int", "default": True}),
        A + '"default" of int must be a whole number, not true or false.',
    ),
    (
        one({"name": "a", "type": "str", "default": None}),
        A + '"default" of str must be text, not null.',
    ),
    (
        one({"name": "a", "type": "decimal", "default": True}),
        A + '"default" of decimal must be text, a whole number or a number, not true or false.',
    ),
    (one({"name": "a", "type": "enum"}), A + 'The values of the enum "a" are missing.'),
    (
        one({"name": "a", "type": "enum", "values": "x,y"}),
        A + '"values" must be a list of texts, not text. Try ["open", "closed"].',
    ),
    (
        one({"name": "a", "type": "enum", "values": [True, False]}),
        A + "A value of an enum must be text, not true or false (true). Put it in quotes.",
    ),
    (
        one({"name": "a", "type": "ref", "target": ["room"]}),
        A + '"target" must be text, not a list.',
    ),
]


@pytest.mark.parametrize(("data", "message"), LONG, ids=lambda value: repr(value)[:50])
def test_a_wrong_answers_file_is_rejected_with_a_way_out(data: Any, message: str) -> None:
    with pytest.raises(BadAnswers) as caught:
        long_form.from_data(data)
    assert str(caught.value) == message
