"""R3, R6: read, replace, patch and delete rows of a resource; preconditions; many at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx
import pytest

from scaffold.resources.model import Resource
from tests.contract.declared import body, path_of, same, taken
from tests.contract.items import JSON, UNKNOWN_ID, assert_invalid, assert_problem, utc_moment
from tests.contract.rows import Rows, assert_answered, assert_shown
from tests.contract.wire import at_once, exchange
from tests.services import Service

pytestmark = pytest.mark.contract("R3", "R6")

OTHER_TAG = '"0000000000000000"'
MERGE_PATCH = "application/merge-patch+json"


def test_a_row_is_read_with_a_tag_and_not_sent_again(rows: Rows, resource: Resource) -> None:
    made = rows.create(resource)
    path, tag = made.headers["location"], made.headers["etag"]
    assert assert_answered(rows.client.get(path), 200, resource) == made.json()
    for condition in (tag, "*", f"{OTHER_TAG}, {tag}", f"W/{tag}"):
        again = rows.client.get(path, headers={"If-None-Match": condition})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for condition in (OTHER_TAG, "garbage", ""):
        answer = rows.client.get(path, headers={"If-None-Match": condition})
        assert (answer.status_code, answer.json()) == (200, made.json())


def test_put_replaces_and_renews_the_tag(rows: Rows, resource: Resource) -> None:
    made = rows.create(resource)
    content = other_content(rows, resource, made.json())
    answer = rows.send("PUT", made.headers["location"], content)
    row = assert_answered(answer, 200, resource)
    assert_shown(row, resource, content)
    assert (row["id"], row["created_at"]) == (made.json()["id"], made.json()["created_at"])
    assert utc_moment(row["updated_at"]) > utc_moment(made.json()["updated_at"])
    assert answer.headers["etag"] != made.headers["etag"]
    there = rows.client.get(made.headers["location"])
    assert (there.json(), there.headers["etag"]) == (row, answer.headers["etag"])


def other_content(rows: Rows, resource: Resource, row: dict[str, Any]) -> dict[str, Any]:
    """Valid content for a row that is there; new where there is room for it."""
    if rows.capacity(resource, 2) > 1:
        return rows.content(resource)
    return {field.column: row[field.column] for field in resource.fields}


def test_a_patch_changes_what_it_names_and_nothing_else(rows: Rows, resource: Resource) -> None:
    made = rows.create(resource)
    path = made.headers["location"]
    for field in resource.fields:
        for value in list(taken(field))[:3]:
            before = rows.client.get(path)
            answer = rows.send("PATCH", path, {field.column: value.sent}, Content_Type=MERGE_PATCH)
            row = assert_answered(answer, 200, resource)
            assert same(row[field.column], value.shown)
            left = {name: row[name] for name in row if name not in (field.column, "updated_at")}
            assert left == {name: before.json()[name] for name in left}
            changed = row[field.column] != before.json()[field.column]
            assert not changed or answer.headers["etag"] != before.headers["etag"]
            assert rows.client.get(path).json() == row


def test_a_patch_that_changes_nothing_is_fine(rows: Rows, resource: Resource) -> None:
    made = rows.create(resource)
    path = made.headers["location"]
    content = {field.column: made.json()[field.column] for field in resource.fields}
    for changes in ({}, content):
        answer = rows.send("PATCH", path, changes)
        row = assert_answered(answer, 200, resource)
        assert_shown(row, resource, content)
        assert answer.headers["etag"] == rows.client.get(path).headers["etag"]


@pytest.mark.parametrize("changes", [[], None, "x", 1, [{"op": "remove", "path": "/id"}]], ids=str)
def test_a_patch_is_an_object(rows: Rows, resource: Resource, changes: object) -> None:
    path = rows.create(resource).headers["location"]
    headers = {"Content-Type": MERGE_PATCH}
    answer = rows.client.patch(path, content=json.dumps(changes), headers=headers)
    assert_invalid(answer, "")


def test_writes_heed_if_match(rows: Rows, resource: Resource) -> None:
    made = rows.create(resource)
    path, tag = made.headers["location"], made.headers["etag"]
    content = {field.column: made.json()[field.column] for field in resource.fields}
    for condition in (OTHER_TAG, f"W/{tag}", "garbage"):
        for method, sent in (("PUT", content), ("PATCH", {})):
            refused = rows.send(method, path, sent, If_Match=condition)
            assert_problem(refused, 412, path)
        deleted = rows.client.delete(path, headers={"If-Match": condition})
        assert_problem(deleted, 412, path)
    assert rows.client.get(path).json() == made.json()
    for condition in ("{tag}", "*", f"{OTHER_TAG}, {{tag}}"):
        for method in ("PUT", "PATCH"):
            current = rows.client.get(path).headers["etag"]
            answer = rows.send(method, path, content, If_Match=condition.format(tag=current))
            assert answer.status_code == 200, answer.text
    stale = rows.client.delete(path, headers={"If-Match": tag})
    assert_problem(stale, 412, path)
    current = rows.client.get(path).headers["etag"]
    assert rows.client.delete(path, headers={"If-Match": current}).status_code == 204


def test_a_deleted_row_is_gone(rows: Rows, resource: Resource) -> None:
    content = rows.content(resource)
    made = rows.post(resource, content)
    path = made.headers["location"]
    answer = rows.client.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    for gone in (rows.client.get(path), rows.client.delete(path)):
        assert_problem(gone, 404, path)
    for method in ("PUT", "PATCH"):
        assert_problem(rows.send(method, path, content), 404, path)
    again = assert_answered(rows.post(resource, content), 201, resource)
    assert again["id"] != made.json()["id"]


@pytest.mark.parametrize(
    "identifier",
    [UNKNOWN_ID, "0", "abc", "null", "%00", "%ff", "..%2f..", "'", "a" * 4000, "stream"],
    ids=lambda identifier: identifier[:16],
)
def test_an_unknown_or_malformed_id_is_not_found(
    rows: Rows, resource: Resource, declared_service: Service, identifier: str
) -> None:
    path = f"{path_of(resource)}/{identifier}"
    address = declared_service.address
    content = body(rows.content(resource))
    for method in ("GET", "DELETE"):
        assert_problem(exchange(address, method, path), 404)
    for method in ("PUT", "PATCH"):
        assert_problem(exchange(address, method, path, JSON.items(), content), 404)


@pytest.mark.parametrize("status", [413, 415, 400, 422, 404, 412])
def test_the_first_of_several_answers_wins(rows: Rows, resource: Resource, status: int) -> None:
    """Each request deserves every later answer as well."""
    made = rows.create(resource)
    content = body({field.column: made.json()[field.column] for field in resource.fields})
    sent, kind, identifier = {
        413: (b" " * 1_048_577, "text/plain", UNKNOWN_ID),
        415: (b"{", "text/plain", UNKNOWN_ID),
        400: (b"{", "application/json", UNKNOWN_ID),
        422: (b'{"surprise": 1}', "application/json", UNKNOWN_ID),
        404: (content, "application/json", UNKNOWN_ID),
        412: (content, "application/json", made.json()["id"]),
    }[status]
    path = f"{path_of(resource)}/{identifier}"
    headers = {"Content-Type": kind, "If-Match": OTHER_TAG}
    for method in ("PUT", "PATCH"):
        answer = rows.client.request(method, path, content=sent, headers=headers)
        assert_problem(answer, status, path)
    assert rows.client.get(made.headers["location"]).json() == made.json()


@pytest.mark.any_framework("flask", "fastapi")
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_of_50_parallel_writes_with_one_tag_one_wins(
    rows: Rows, resource: Resource, declared_service: Service, method: str
) -> None:
    made = rows.create(resource)
    path = made.headers["location"]
    content = body({field.column: made.json()[field.column] for field in resource.fields})
    headers = {**JSON, "If-Match": made.headers["etag"]}
    if method == "PATCH":
        content = a_change(resource, made.json()) or content
    call: Callable[[httpx.Client], httpx.Response] = partial(
        httpx.Client.request, method=method, url=path, content=content, headers=headers
    )
    with ExitStack() as stack:
        clients = [stack.enter_context(declared_service.new_client()) for _ in range(50)]
        answers = at_once(clients, [call] * 50)
    counted = Counter(answer.status_code for answer in answers)
    if method == "DELETE":
        assert counted[204] == 1
        assert counted[404] + counted[412] == 49
    elif method == "PUT" or a_change(resource, made.json()):
        assert counted == {200: 1, 412: 49}


def a_change(resource: Resource, row: dict[str, Any]) -> bytes | None:
    """A patch that changes the row, if its fields have another value."""
    for field in resource.fields:
        for value in taken(field):
            if not same(row[field.column], value.shown):
                return body({field.column: value.sent})
    return None
