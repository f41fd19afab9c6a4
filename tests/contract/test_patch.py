"""R6: JSON merge patches."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial

import httpx
import pytest

from tests.contract.contention import Call, contended
from tests.contract.databases import Database
from tests.contract.items import (
    ITEMS,
    STRONG_TAG,
    UNKNOWN_ID,
    assert_invalid,
    assert_item,
    assert_problem,
    create,
    fresh_name,
    utc_moment,
)
from tests.services import Service

pytestmark = [pytest.mark.contract("R6"), pytest.mark.any_database]

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def made(service: Service) -> httpx.Response:
    """The response to the creation of an item."""
    return create(service.http, quantity=5)


def patch(
    service: Service, made: httpx.Response, changes: object, **headers: str
) -> httpx.Response:
    """Send a merge patch for the item that was made."""
    sent = MERGE_PATCH | {name.replace("_", "-"): value for name, value in headers.items()}
    return service.http.patch(
        str(made.headers["location"]), content=json.dumps(changes), headers=sent
    )


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json"])
def test_what_is_left_out_stays(service: Service, made: httpx.Response, media_type: str) -> None:
    answer = patch(service, made, {"quantity": 6}, Content_Type=media_type)
    assert answer.status_code == 200
    assert_item(answer.json(), made.json()["name"], 6)
    assert answer.json()["id"] == made.json()["id"]
    assert answer.json()["created_at"] == made.json()["created_at"]
    assert utc_moment(answer.json()["updated_at"]) > utc_moment(made.json()["updated_at"])
    assert service.http.get(str(made.headers["location"])).json() == answer.json()


def test_a_patch_renews_the_tag(service: Service, made: httpx.Response) -> None:
    answer = patch(service, made, {"name": f"  {fresh_name()} "})
    assert STRONG_TAG.fullmatch(answer.headers["etag"])
    assert answer.headers["etag"] != made.headers["etag"]
    assert not answer.json()["name"].startswith(" ")
    assert service.http.get(str(made.headers["location"])).headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize("unchanged", [{}, {"quantity": 5}])
def test_a_patch_that_changes_nothing_is_fine(
    service: Service, made: httpx.Response, unchanged: dict[str, int]
) -> None:
    answer = patch(service, made, unchanged)
    assert answer.status_code == 200
    assert_item(answer.json(), made.json()["name"], 5)
    assert answer.headers["etag"] == service.http.get(str(made.headers["location"])).headers["etag"]


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"name": None}, ["/name"]),
        ({"quantity": None}, ["/quantity"]),
        ({"quantity": -1}, ["/quantity"]),
        ({"quantity": "7"}, ["/quantity"]),
        ({"quantity": True}, ["/quantity"]),
        ({"name": "", "quantity": 1.5}, ["/name", "/quantity"]),
        ({"colour": "red"}, ["/colour"]),
        ({"id": UNKNOWN_ID}, ["/id"]),
        ({"created_at": "2020-01-01T00:00:00Z"}, ["/created_at"]),
        ([], [""]),
        (None, [""]),
        ("x", [""]),
        ([{"op": "replace", "path": "/quantity", "value": 6}], [""]),
    ],
)
def test_a_patch_that_is_not_valid_changes_nothing(
    service: Service, made: httpx.Response, changes: object, pointers: list[str]
) -> None:
    assert_invalid(patch(service, made, changes), *pointers)
    again = service.http.get(str(made.headers["location"]))
    assert (again.json(), again.headers["etag"]) == (made.json(), made.headers["etag"])


def test_a_name_that_is_taken_is_a_conflict(service: Service, made: httpx.Response) -> None:
    other = create(service.http).json()["name"]
    problem = assert_problem(patch(service, made, {"name": other}), 409)
    assert "name" in problem["detail"]
    assert patch(service, made, {"name": made.json()["name"]}).status_code == 200


@pytest.mark.parametrize("tag", ["{tag}", "*", '"x", {tag}'])
def test_a_patch_with_the_current_tag_is_applied(
    service: Service, made: httpx.Response, tag: str
) -> None:
    condition = tag.format(tag=made.headers["etag"])
    assert patch(service, made, {"quantity": 9}, If_Match=condition).status_code == 200


def test_a_patch_with_a_stale_tag_is_not_applied(service: Service, made: httpx.Response) -> None:
    patch(service, made, {"quantity": 6})
    stale = made.headers["etag"]
    assert_problem(patch(service, made, {"quantity": 7}, If_Match=stale), 412)
    assert_problem(patch(service, made, {"quantity": 6}, If_Match=stale), 412)
    assert service.http.get(str(made.headers["location"])).json()["quantity"] == 6


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (413, b" " * 1_048_577, MERGE_PATCH),
        (415, b"{}", {"Content-Type": "application/json-patch+json"}),
        (415, b"{}", {"Content-Type": "text/plain"}),
        (415, b"{}", {**MERGE_PATCH, "Content-Encoding": "gzip"}),
        (400, b"", MERGE_PATCH),
        (400, b"{", MERGE_PATCH),
        (422, b'{"quantity": -1}', MERGE_PATCH),
        (404, b"{}", MERGE_PATCH),
    ],
)
def test_the_first_of_several_refusals_counts(
    service: Service, status: int, body: bytes, headers: dict[str, str]
) -> None:
    """All of these are for an item that does not exist, with a tag that does not match."""
    condition = {"If-Match": '"0000000000000000"'}
    answer = service.http.patch(f"{ITEMS}/{UNKNOWN_ID}", content=body, headers=headers | condition)
    assert_problem(answer, status)


def in_parallel(
    service: Service,
    database: Database,
    made: httpx.Response,
    changes: list[dict[str, object]],
    **headers: str,
) -> list[httpx.Response]:
    """Send each patch on a connection of its own, all at the same moment."""
    sent = MERGE_PATCH | {name.replace("_", "-"): value for name, value in headers.items()}
    path = str(made.headers["location"])
    calls: list[Call] = [
        partial(httpx.Client.patch, url=path, content=json.dumps(one), headers=sent)
        for one in changes
    ]
    return contended(service, database, calls)


def test_one_of_many_patches_with_one_tag_is_applied(
    service: Service, database: Database, made: httpx.Response
) -> None:
    changes: list[dict[str, object]] = [{"quantity": number} for number in range(100, 130)]
    answers = in_parallel(service, database, made, changes, If_Match=made.headers["etag"])
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 29}


@pytest.mark.any_framework("flask", "django", "fastapi", "nameko")
def test_patches_of_different_fields_are_all_kept(
    service: Service, database: Database, made: httpx.Response
) -> None:
    """Without a condition, a patch does not undo what another one has just changed."""
    name = fresh_name()
    answers = in_parallel(service, database, made, [{"name": name}, {"quantity": 200}])
    assert {answer.status_code for answer in answers} == {200}
    item = service.http.get(str(made.headers["location"])).json()
    assert (item["name"], item["quantity"]) == (name, 200)
