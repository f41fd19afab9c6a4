"""R1: what each field of a resource takes, shows and refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx
import pytest

from scaffold.resources.model import Field, Resource
from tests.contract.declared import (
    OWN_FIELDS,
    Raw,
    body,
    path_of,
    refused,
    taken,
    without,
)
from tests.contract.items import JSON, assert_invalid, assert_problem
from tests.contract.rows import Rows, assert_answered, assert_shown
from tests.contract.wire import at_once
from tests.services import Service

pytestmark = pytest.mark.contract("R1")

MAX_ERRORS = 20
"""A problem names no more; a request with more mistakes need not say all."""

LONG = 60_000
"""Characters, each of which may take twelve bytes of a body, which has a limit of a MiB."""


def test_a_new_row_is_answered_whole_and_lies_at_its_location(
    rows: Rows, resource: Resource
) -> None:
    content = rows.content(resource)
    answer = rows.post(resource, content)
    row = assert_answered(answer, 201, resource)
    assert_shown(row, resource, content)
    assert answer.headers["location"] == f"{path_of(resource)}/{row['id']}"
    there = rows.client.get(answer.headers["location"])
    assert (there.status_code, there.json()) == (200, row)
    assert there.headers["etag"] == answer.headers["etag"]
    assert rows.walk(resource)[-1] == row


def test_each_field_takes_its_values_and_keeps_them(rows: Rows, resource: Resource) -> None:
    """Exact values are exact, bounds belong to what is inside, text comes back byte for byte.

    A row takes one value of each field: what does not hold is told by field all the same.
    """
    content = rows.content(resource)
    values = {field.column: list(taken(field)) for field in resource.fields}
    for number in range(max(map(len, values.values()))):
        chosen = {name: some[number % len(some)] for name, some in values.items() if some}
        sent = content | {name: value.sent for name, value in chosen.items()}
        shown = {name: value.shown for name, value in chosen.items()}
        created = rows.post(resource, sent)
        assert_shown(assert_answered(created, 201, resource), resource, shown)
        path = created.headers["location"]
        assert_shown(rows.client.get(path).json(), resource, shown)
        changes = {name: value.sent for name, value in chosen.items()}
        for method, changed in (("PUT", sent), ("PATCH", changes)):
            answer = rows.send(method, path, changed)
            assert_shown(assert_answered(answer, 200, resource), resource, shown)
        assert_shown(rows.client.get(path).json(), resource, shown)
        assert rows.client.delete(path).status_code == 204


def test_each_field_refuses_what_it_cannot_be(rows: Rows, resource: Resource) -> None:
    """Each request has a wrong value of every field, and its answer names them all."""
    content = rows.content(resource)
    there = rows.post(resource, content)
    path, before = there.headers["location"], there.json()
    fields = resource.fields[:MAX_ERRORS]
    values = {field.column: list(refused(field)) for field in fields}
    for number in range(max(map(len, values.values()))):
        chosen = {name: some[number] for name, some in values.items() if number < len(some)}
        for wrong in portions(chosen):
            change = ("PUT", content | wrong) if number % 2 else ("PATCH", wrong)
            for method, target, sent in (
                ("POST", path_of(resource), content | wrong),
                (change[0], path, change[1]),
            ):
                answer = rows.send(method, target, sent)
                assert_named(answer, wrong)
    assert rows.client.get(path).json() == before, "what was refused has changed something"


def portions(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All values at once, or one after another where no body could have all of them."""
    if sum(len(value) for value in values.values() if isinstance(value, str)) < LONG:
        yield values
    else:
        yield from ({name: value} for name, value in values.items())


def assert_named(answer: httpx.Response, wrong: dict[str, Any]) -> None:
    problem = assert_problem(answer, 422)
    named = {error["pointer"].removeprefix("/") for error in problem["errors"]}
    missed = {name: str(wrong.get(name))[:60] for name in named ^ set(wrong)}
    assert not missed, f"{answer.request.method}: not as it has to be: {missed}"


def test_what_is_required_has_to_be_given(rows: Rows, resource: Resource) -> None:
    content = rows.content(resource)
    required = [field.column for field in resource.fields if field.required]
    for name in required:
        left = {other: value for other, value in content.items() if other != name}
        assert_invalid(rows.post(resource, left), f"/{name}")
    nothing = rows.post(resource, {})
    if required:
        assert_invalid(nothing, *(f"/{name}" for name in required))
    else:
        assert nothing.status_code == 201


def test_what_is_left_out_has_its_default_or_is_null(rows: Rows, resource: Resource) -> None:
    content = rows.content(resource)
    defaults = {field.column: without(field) for field in resource.fields if not field.required}
    least = rows.least(resource, content)
    created = rows.post(resource, least)
    assert_shown(assert_answered(created, 201, resource), resource, least | defaults)
    path = created.headers["location"]
    assert rows.client.get(path).json() == created.json()
    assert rows.send("PUT", path, content).status_code == 200
    replaced = assert_answered(rows.send("PUT", path, least), 200, resource)
    assert_shown(replaced, resource, least | defaults)


def test_null_and_left_out_differ_in_a_patch(rows: Rows, resource: Resource) -> None:
    content = rows.content(resource)
    path = rows.post(resource, content).headers["location"]
    for field in resource.fields:
        before = rows.client.get(path).json()
        left_out = rows.send("PATCH", path, {})
        assert (left_out.status_code, left_out.json()) == (200, before)
        if field.optional:
            emptied = rows.send("PATCH", path, {field.column: None})
            assert_shown(assert_answered(emptied, 200, resource), resource, {field.column: None})
        else:
            assert_invalid(rows.send("PATCH", path, {field.column: None}), f"/{field.column}")


@pytest.mark.parametrize("name", ["id", "created_at", "updated_at", "revision", "", "a/b~c"])
def test_unknown_and_read_only_fields_are_refused(
    rows: Rows, resource: Resource, name: str
) -> None:
    content = rows.content(resource)
    path = rows.post(resource, content).headers["location"]
    pointer = "/" + name.replace("~", "~0").replace("/", "~1")
    for answer in (
        rows.post(resource, content | {name: "1"}),
        rows.send("PUT", path, content | {name: "1"}),
        rows.send("PATCH", path, {name: "1"}),
    ):
        assert_invalid(answer, pointer)


def test_every_wrong_field_is_named(rows: Rows, resource: Resource) -> None:
    wrong = {field.column: Raw("[]") for field in resource.fields}
    pointers = [f"/{name}" for name in wrong]
    assert_invalid(rows.post(resource, wrong), *pointers[:MAX_ERRORS])


def unique_fields(resource: Resource) -> list[Field]:
    return [field for field in resource.fields if field.unique]


def test_what_is_unique_is_a_conflict_that_names_it_alone(rows: Rows, resource: Resource) -> None:
    if rows.capacity(resource, 2) < 2:
        pytest.skip("there can be one row alone")
    full = {
        field.column: rows.parent(field)
        for field in unique_fields(resource)
        if field.target and field.optional
    }
    taken_by = rows.create(resource, **full)
    other = rows.create(resource)
    before = rows.client.get(other.headers["location"]).json()
    names = {field.column for field in unique_fields(resource)}
    for field in unique_fields(resource):
        change = {field.column: taken_by.json()[field.column]}
        for answer in (
            rows.post(resource, content_of(before) | change),
            rows.send("PATCH", other.headers["location"], change),
            rows.send("PUT", other.headers["location"], content_of(before) | change),
        ):
            detail = assert_problem(answer, 409)["detail"]
            clashing = names if answer.request.method == "POST" else {field.column}
            clashing = {name for name in clashing if (before | change)[name] is not None}
            assert named(detail, names) == clashing, detail
        assert rows.client.get(other.headers["location"]).json() == before
        same_again = rows.send("PATCH", taken_by.headers["location"], change)
        assert same_again.status_code == 200, "a row clashes with itself"


def content_of(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in OWN_FIELDS}


def named(detail: str, names: set[str]) -> set[str]:
    words = set(detail.replace(",", " ").replace(".", " ").split())
    return words & names


def test_null_is_unique_for_nobody(rows: Rows, resource: Resource) -> None:
    optional = [field for field in unique_fields(resource) if field.optional]
    for _ in range(rows.capacity(resource, 3)):
        rows.create(resource, **{field.column: None for field in optional})


def test_case_and_code_points_tell_unique_lines_apart(rows: Rows, resource: Resource) -> None:
    for field in unique_fields(resource):
        spellings = ["tea", "Tea", "TEA", "caf\u00e9", "cafe\u0301", "stra\u00dfe", "strasse"]
        least = int(field.min or 0)
        fitting = [s.ljust(least, "x") for s in spellings if len(s) <= int(field.max or 0)]
        if field.type != "str" or not fitting or rows.capacity(resource, 7) < 7:
            continue
        for text in fitting:
            made = rows.create(resource, **{field.column: text})
            assert made.json()[field.column] == text
            clash = rows.content(resource, **{field.column: f" {text}\n"})
            assert_problem(rows.post(resource, clash), 409)


@pytest.mark.any_framework("flask", "fastapi")
def test_of_50_parallel_creates_of_one_value_one_wins(
    rows: Rows, resource: Resource, declared_service: Service
) -> None:
    fields = [field for field in unique_fields(resource) if not field.target]
    if not fields:
        pytest.skip("nothing of it is unique")
    content = body(rows.content(resource))
    post = partial(httpx.Client.post, url=path_of(resource), content=content, headers=JSON)
    with ExitStack() as stack:
        clients = [stack.enter_context(declared_service.new_client()) for _ in range(50)]
        answers = at_once(clients, [post] * 50)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
