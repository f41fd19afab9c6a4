"""R9: references between resources, and what is left of them when much happens at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from scaffold.resources.model import Field, Resource
from tests.contract.databases import Database
from tests.contract.declared import UNKNOWN_ID, body, path_of, referring
from tests.contract.items import JSON, assert_invalid, assert_problem
from tests.contract.rows import Rows
from tests.services import Service

pytestmark = pytest.mark.contract("R9")

SEVERAL = 50


def references(resource: Resource) -> list[Field]:
    return [field for field in resource.fields if field.target]


def test_each_reference_has_an_index(declared_database: Database, resource: Resource) -> None:
    """Deleting a row looks for those that refer to it."""
    columns = {field.column for field in references(resource)}
    assert columns <= declared_database.indexed(resource.plural)


def there(resource: Resource, row: dict[str, Any]) -> str:
    return f"{path_of(resource)}/{row['id']}"


def test_a_reference_to_nothing_is_refused_at_its_pointer(rows: Rows, resource: Resource) -> None:
    made = rows.create(resource)
    content = {field.column: made.json()[field.column] for field in resource.fields}
    for field in references(resource):
        change, pointer = {field.column: UNKNOWN_ID}, f"/{field.column}"
        assert_invalid(rows.post(resource, content | change), pointer)
        assert_invalid(rows.send("PUT", made.headers["location"], content | change), pointer)
        assert_invalid(rows.send("PATCH", made.headers["location"], change), pointer)
    assert rows.client.get(made.headers["location"]).json() == made.json()


def test_each_reference_to_nothing_is_named(rows: Rows, resource: Resource) -> None:
    wrong = {field.column: UNKNOWN_ID for field in references(resource)}
    made = rows.create(resource)
    if wrong:
        pointers = [f"/{name}" for name in wrong]
        assert_invalid(rows.send("PATCH", made.headers["location"], wrong), *pointers)


def test_what_others_refer_to_is_kept_and_they_are_named(rows: Rows, resource: Resource) -> None:
    for child, field in referring(rows.resources, resource):
        parent = rows.create(resource).json()
        referring_row = rows.create(child, **{field.column: parent["id"]}).json()
        assert referring_row[field.column] == parent["id"]
        kept = assert_problem(rows.client.delete(there(resource, parent)), 409)
        assert child.plural in kept["detail"]
        assert rows.client.get(there(resource, parent)).json() == parent
        assert rows.client.delete(there(child, referring_row)).status_code == 204
        assert rows.client.delete(there(resource, parent)).status_code == 204


def test_a_reference_can_be_moved_and_dropped(rows: Rows, resource: Resource) -> None:
    for field in references(resource):
        target = rows.named(field.target)
        if rows.capacity(target, 3) < 3:
            continue
        first, second = (rows.create(target).json() for _ in range(2))
        made = rows.create(resource, **{field.column: first["id"]})
        path = made.headers["location"]
        moved = rows.send("PATCH", path, {field.column: second["id"].upper()})
        assert (moved.status_code, moved.json()[field.column]) == (200, second["id"])
        assert rows.client.delete(there(target, first)).status_code == 204
        assert_problem(rows.client.delete(there(target, second)), 409)
        if field.optional:
            assert rows.send("PATCH", path, {field.column: None}).status_code == 200
            assert rows.client.delete(there(target, second)).status_code == 204


def test_a_row_may_refer_to_itself_and_still_go(rows: Rows, resource: Resource) -> None:
    for field in references(resource):
        if field.target == resource.name:
            made = rows.create(resource).json()
            path = there(resource, made)
            patched = rows.send("PATCH", path, {field.column: made["id"]})
            assert (patched.status_code, patched.json()[field.column]) == (200, made["id"])
            assert rows.client.delete(path).status_code == 204


def test_two_rows_that_refer_to_each_other_both_stay(rows: Rows, resource: Resource) -> None:
    for field in references(resource):
        target = rows.named(field.target)
        for back in references(target):
            if back.target != resource.name or target is resource or not field.optional:
                continue
            mine = rows.create(resource).json()
            other = rows.create(target, **{back.column: mine["id"]}).json()
            joined = rows.send("PATCH", there(resource, mine), {field.column: other["id"]})
            assert joined.status_code == 200, joined.text
            assert_problem(rows.client.delete(there(resource, mine)), 409)
            assert_problem(rows.client.delete(there(target, other)), 409)
            loose = rows.send("PATCH", there(resource, mine), {field.column: None})
            assert loose.status_code == 200
            assert rows.client.delete(there(target, other)).status_code == 204
            assert rows.client.delete(there(resource, mine)).status_code == 204


@pytest.mark.any_framework("flask", "fastapi")
def test_parents_deleted_and_children_created_at_once(
    rows: Rows, resource: Resource, declared_service: Service
) -> None:
    """Never a child without its parent, and never a 5xx."""
    for child, field in referring(rows.resources, resource):
        if rows.capacity(resource, 2 * SEVERAL) < 2 * SEVERAL:
            continue
        if rows.capacity(child, 2 * SEVERAL) < 2 * SEVERAL:
            continue
        parents = [rows.create(resource).json() for _ in range(SEVERAL)]
        contents = [body(rows.content(child, **{field.column: one["id"]})) for one in parents]

        def delete(parent: dict[str, Any], path: str = path_of(resource)) -> int:
            with declared_service.new_client() as own:
                return own.delete(f"{path}/{parent['id']}").status_code

        def create(content: bytes, path: str = path_of(child)) -> httpx.Response:
            with declared_service.new_client() as own:
                return own.post(path, content=content, headers=JSON)

        with ThreadPoolExecutor(SEVERAL) as pool:
            pairs = [
                (pool.submit(delete, parent), pool.submit(create, content))
                for parent, content in zip(parents, contents, strict=True)
            ]
        for parent, (deleted, created) in zip(parents, pairs, strict=True):
            outcome = (deleted.result(), created.result().status_code)
            assert outcome in {(204, 422), (409, 201)}, (outcome, created.result().text)
            if outcome == (204, 422):
                assert_invalid(created.result(), f"/{field.column}")
            left = rows.client.get(there(resource, parent)).status_code
            assert left == (404 if outcome[0] == 204 else 200)
        for row in rows.walk(child):
            if row[field.column] is not None:
                parent_there = rows.client.get(f"{path_of(resource)}/{row[field.column]}")
                assert parent_there.status_code == 200
