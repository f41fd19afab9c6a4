"""The judge of declared resources judges by the declaration, and agrees with itself."""

from __future__ import annotations

import json
import shlex

import httpx
from hypothesis import given, settings

from scaffold.resources import short_form
from scaffold.resources.field_types import FLAGS, TYPES
from scaffold.resources.model import Field, Resource
from tests.contract.declarations import RICH, SHORT_FORMS, as_options
from tests.contract.declared import (
    Raw,
    body,
    refused,
    same,
    sample,
    sort_key,
    taken,
    variety,
    without,
)
from tests.contract.rows import Rows
from tests.tool.declarations import declarations

MANY = 40
FEW = settings(max_examples=20, deadline=None)


def fields_of(resources: tuple[Resource, ...]) -> list[Field]:
    return [field for resource in resources for field in resource.fields]


def spelled(value: object) -> bytes:
    return body({"value": value})


def test_the_rich_declaration_has_every_type_modifier_and_kind_of_reference() -> None:
    resources = short_form.parse_all(SHORT_FORMS[RICH])
    fields = fields_of(resources)
    assert {field.type for field in fields} == set(TYPES)
    for flag in FLAGS:
        assert any(getattr(field, flag) for field in fields), flag
    assert any(field.default is not None for field in fields)
    names = [resource.name for resource in resources]
    references = {(one.name, f.target) for one in resources for f in one.fields if f.target}
    assert any(name == target for name, target in references), "none refers to itself"
    assert any((target, name) in references for name, target in references if name != target)
    ahead = [names.index(str(target)) - names.index(name) for name, target in references]
    assert min(ahead) < 0 < max(ahead), "references lead to earlier and to later resources"


@FEW
@given(declarations())
def test_samples_differ_and_are_in_order(resources: tuple[Resource, ...]) -> None:
    for field in fields_of(resources):
        if field.target:
            continue
        values = [sample(field, number) for number in range(min(variety(field), MANY))]
        json.dumps(values)
        if field.type not in ("text", "float"):
            assert len({str(value) for value in values}) == len(values)
            assert sorted(values, key=sort_key(field)) == values


@FEW
@given(declarations())
def test_what_is_taken_is_not_refused(resources: tuple[Resource, ...]) -> None:
    for field in fields_of(resources):
        wrong = {spelled(value) for value in refused(field)}
        right = [value.sent for value in taken(field)]
        right += [] if field.target else [sample(field, 3)]
        assert not wrong & {spelled(value) for value in right}, field
        json.loads(spelled(0))
        for value in taken(field):
            json.loads(spelled(value.sent))
            assert not isinstance(value.shown, Raw)
        if not field.required:
            assert same(json.loads(json.dumps(without(field))), without(field))


@FEW
@given(declarations())
def test_a_declaration_is_told_as_it_is_typed(resources: tuple[Resource, ...]) -> None:
    words = shlex.split(as_options(resources).replace("\\\n", " "))
    assert words[::2] == ["--resource"] * len(resources)
    assert short_form.parse_all(words[1::2]) == resources


def test_content_that_is_prepared_has_unique_values_though_none_is_stored_yet() -> None:
    """A service that has no rows, so that all contents are prepared before the first is sent."""
    (resource,) = short_form.parse_all(["room floor:int:1..20:unique"])
    empty = httpx.MockTransport(
        lambda _: httpx.Response(200, json={"rooms": [], "next_cursor": None})
    )
    with httpx.Client(transport=empty, base_url="http://service") as client:
        rows = Rows(client, (resource,))
        assert len({rows.content(resource)["floor"] for _ in range(20)}) == 20
        assert 1 <= rows.content(resource)["floor"] <= 20, "none is left: one is given again"
