"""The JSON Schema of declarations: whatever is accepted is valid, and what is not can be seen."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from scaffold.errors import BadAnswers
from scaffold.resources import checks, long_form, short_form
from scaffold.resources.field_types import TYPES
from scaffold.resources.model import Resource
from scaffold.resources.schema import schema
from tests.tool.declarations import declarations, reserved_everywhere


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(schema(reserved_everywhere()))


def accepted(data: Any) -> bool:
    try:
        checks.check(long_form.from_data(data), reserved_everywhere())
    except BadAnswers:
        return False
    return True


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema(reserved_everywhere()))
    assert json.loads(json.dumps(schema(reserved_everywhere()))) == schema(reserved_everywhere())


def test_the_schema_describes_every_type_and_key() -> None:
    fields = schema(reserved_everywhere())["items"]["properties"]["fields"]["items"]["oneOf"]
    assert [field["title"] for field in fields] == list(TYPES)
    for field in fields:
        assert field["description"]
        assert list(field["properties"]) == list(TYPES[field["title"]].keys)
        described = [key for key in field["properties"] if key != "type"]
        assert all(field["properties"][key]["description"] for key in described)


@settings(deadline=None)
@given(declarations())
def test_whatever_can_be_declared_is_valid(resources: tuple[Resource, ...]) -> None:
    validator().validate([long_form.to_data(resource) for resource in resources])


ODD = st.sampled_from(
    [None, True, False, 0, 1, 5, -1, 1.5, 10**20, "", "x", "Room", "room", "class", "id", "items",
     "int", "ref", "enum", "1", [], ["a", "b"], ["a", "a"], {}]
)  # fmt: skip


@st.composite
def mangled(draw: st.DrawFn) -> list[Any]:
    """A declaration with one value changed, added or removed."""
    data = [long_form.to_data(one) for one in draw(declarations(max_resources=2, max_fields=3))]
    data = copy.deepcopy(data)
    resource = draw(st.sampled_from(data))
    target = draw(st.sampled_from([resource, *resource["fields"]]))
    keys = [*target, "min", "max", "default", "optional", "unique", "values", "target", "other"]
    key = draw(st.sampled_from(keys))
    if draw(st.booleans()):
        target.pop(key, None)
    else:
        target[key] = draw(ODD)
    return data


@settings(deadline=None, max_examples=300)
@given(mangled())
def test_what_the_schema_rejects_is_rejected(data: list[Any]) -> None:
    if not validator().is_valid(data):
        assert not accepted(data)


def declared(*fields: dict[str, Any], **resource: Any) -> list[dict[str, Any]]:
    return [{"name": "room", "fields": list(fields)} | resource]


A = {"name": "a", "type": "int"}
SEEN = [
    {},
    [],
    [{"name": "room", "fields": [A]}] * 21,
    declared(),
    declared(*[A] * 41),
    declared(A, name="Room"),
    declared(A, name="a" * 41),
    declared(A, name="class"),
    declared(A, name="response"),
    declared(A, name="list"),
    declared(A, plural="sqlite_rooms"),
    declared(A, plural=""),
    declared(A, plurals="rooms"),
    declared({"name": "a"}),
    declared({"type": "int"}),
    declared({"name": "a", "type": "integer"}),
    declared(A | {"name": "id"}),
    declared(A | {"name": "first-name"}),
    declared(A | {"name": "model_dump_all"}),
    declared(A | {"min": "1"}),
    declared(A | {"max": 2**63}),
    declared(A | {"min": 1.5}),
    declared(A | {"optional": "yes"}),
    declared(A | {"default": 1, "optional": True}),
    declared(A | {"default": 1, "unique": True}),
    declared(A | {"default": "1"}),
    declared(A | {"values": ["x", "y"]}),
    declared({"name": "a", "type": "str", "max": 501}),
    declared({"name": "a", "type": "str", "max": 0}),
    declared({"name": "a", "type": "text", "unique": True}),
    declared({"name": "a", "type": "float", "filter": True}),
    declared({"name": "a", "type": "bool", "sort": True}),
    declared({"name": "a", "type": "bool", "default": 0}),
    declared({"name": "a", "type": "decimal", "precision": 19}),
    declared({"name": "a", "type": "decimal", "min": 0}),
    declared({"name": "a", "type": "enum"}),
    declared({"name": "a", "type": "enum", "values": ["x"]}),
    declared({"name": "a", "type": "enum", "values": ["x", "x"]}),
    declared({"name": "a", "type": "enum", "values": ["x", "1"]}),
    declared({"name": "a", "type": "ref", "target": "Room"}),
    declared({"name": "a", "type": "ref", "default": "x", "optional": False}),
]


@pytest.mark.parametrize("data", SEEN, ids=lambda value: repr(value)[:70])
def test_the_schema_sees_what_a_schema_can_see(data: Any) -> None:
    assert not accepted(data)
    assert not validator().is_valid(data)


def test_the_schema_accepts_what_the_documentation_shows() -> None:
    texts = (
        "room name:str:1..100:unique seats:int:1..500:default=2 lit:bool:default=false:filter",
        "booking room:ref guest:email starts_at:datetime:sort state:enum=asked,kept:default=asked",
    )
    data = [long_form.to_data(resource) for resource in short_form.parse_all(texts)]
    validator().validate(data)
    assert accepted(data)
