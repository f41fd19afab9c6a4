"""Items over HTTP."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest


def create(client: httpx.Client, name: str = "bolt", quantity: int = 1) -> httpx.Response:
    return client.post("/v1/items", json={"name": name, "quantity": quantity})


def test_a_created_item_is_found_where_its_location_says(client: httpx.Client) -> None:
    created = create(client, "bolt", 7)
    assert created.status_code == 201
    found = client.get(created.headers["Location"])
    assert found.status_code == 200
    assert found.json() == created.json()
    assert found.json()["name"] == "bolt"
    assert found.json()["quantity"] == 7
    assert found.headers["ETag"] == created.headers["ETag"]


def test_the_document_has_the_fields_of_an_item(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert set(schemas["Item"]["properties"]) == set(create(client).json())
    for sent in ("ItemContent", "ItemPatch"):
        assert set(schemas[sent]["properties"]) == {"name", "quantity"}


def test_a_name_loses_the_white_space_around_it(client: httpx.Client) -> None:
    assert create(client, " \t bolt\n").json()["name"] == "bolt"


@pytest.mark.parametrize(
    "name", ["'; DROP TABLE items;--", "${7*7} <%= 7 %>", "💚 \u05e9\u05dc\u05d5\u05dd", "é" * 100]
)
def test_any_other_text_comes_back_as_it_was(client: httpx.Client, name: str) -> None:
    assert client.get(create(client, name).headers["Location"]).json()["name"] == name


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        None,
        {"name": ""},
        {"name": " "},
        {"name": "x" * 101},
        {"name": "a\x00b"},
        {"name": 5},
        {"name": "bolt", "quantity": -1},
        {"name": "bolt", "quantity": 1_000_001},
        {"name": "bolt", "quantity": "7"},
        {"name": "bolt", "quantity": 1.0},
        {"name": "bolt", "quantity": True},
        {"name": "bolt", "id": "mine"},
    ],
)
def test_what_is_not_an_item_is_refused(client: httpx.Client, content: Any) -> None:
    headers = {"Content-Type": "application/json"}
    refused = client.post("/v1/items", content=json.dumps(content), headers=headers)
    assert refused.status_code == 422
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["errors"]
    assert client.get("/v1/items").json()["items"] == []


def test_a_name_is_taken_once(client: httpx.Client) -> None:
    create(client, "bolt")
    other = create(client, "nut")
    assert create(client, "bolt").status_code == 409
    for method in ("PUT", "PATCH"):
        taken = client.request(method, other.headers["Location"], json={"name": "bolt"})
        assert (taken.status_code, taken.json()["detail"]) == (409, "Another item has this name.")


def test_a_walk_over_the_pages_sees_each_item_once(client: httpx.Client) -> None:
    names = [create(client, f"item {number}").json()["name"] for number in range(7)]
    seen: list[str] = []
    page = client.get("/v1/items", params={"limit": 3})
    while True:
        seen += [item["name"] for item in page.json()["items"]]
        if page.json()["next_cursor"] is None:
            break
        page = client.get(page.links["next"]["url"])
    assert seen == names


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=", "limit=abc", "cursor=x", "limit=1&limit=2", "color=red"],
)
def test_a_page_that_cannot_be_is_refused(client: httpx.Client, query: str) -> None:
    assert client.get(f"/v1/items?{query}").status_code == 422


def test_an_item_is_replaced_only_as_it_was_read(client: httpx.Client) -> None:
    created = create(client, "bolt", 7)
    url, tag = created.headers["Location"], created.headers["ETag"]
    replaced = client.put(url, json={"name": "nut"}, headers={"If-Match": f'"x", {tag}'})
    assert replaced.status_code == 200
    assert (replaced.json()["name"], replaced.json()["quantity"]) == ("nut", 0)
    assert replaced.headers["ETag"] != tag
    assert client.put(url, json={"name": "nut"}, headers={"If-Match": tag}).status_code == 412
    assert client.delete(url, headers={"If-Match": tag}).status_code == 412
    assert client.put(url, json={"name": "nut"}, headers={"If-Match": "*"}).status_code == 200


def test_a_patch_changes_only_what_it_names(client: httpx.Client) -> None:
    created = create(client, "bolt", 7)
    url, tag = created.headers["Location"], created.headers["ETag"]
    patched = client.patch(url, json={"quantity": 8}, headers={"If-Match": tag})
    assert patched.status_code == 200
    assert (patched.json()["name"], patched.json()["quantity"]) == ("bolt", 8)
    assert patched.headers["ETag"] != tag
    assert client.patch(url, json={"name": "nut"}, headers={"If-Match": tag}).status_code == 412
    assert client.patch(url, json={}).json() == patched.json()


@pytest.mark.parametrize("patch", [{"name": None}, {"quantity": "7"}, {"id": "mine"}, [], None])
def test_a_patch_that_is_not_valid_is_rejected(client: httpx.Client, patch: Any) -> None:
    created = create(client)
    body, headers = json.dumps(patch), {"Content-Type": "application/merge-patch+json"}
    rejected = client.patch(created.headers["Location"], content=body, headers=headers)
    assert rejected.status_code == 422
    assert client.get(created.headers["Location"]).json() == created.json()


def test_an_item_that_did_not_change_is_not_sent_again(client: httpx.Client) -> None:
    created = create(client)
    url, tag = created.headers["Location"], created.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = client.get(url, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
    assert client.get(url, headers={"If-None-Match": '"x"'}).status_code == 200


def test_a_deleted_item_is_gone(client: httpx.Client) -> None:
    url = create(client).headers["Location"]
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404
    assert client.delete(url).status_code == 404
    assert client.put(url, json={"name": "nut"}).status_code == 404


@pytest.mark.parametrize("item_id", [str(uuid4()), "7", "stream", "%27", "9" * 5000])
def test_an_id_of_nothing_is_not_found(client: httpx.Client, item_id: str) -> None:
    assert client.get(f"/v1/items/{item_id}").status_code == 404


def test_the_methods_of_each_path_are_told(client: httpx.Client) -> None:
    for path, methods in (
        ("/v1/items", {"GET", "HEAD", "POST", "OPTIONS"}),
        (f"/v1/items/{uuid4()}", {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}),
    ):
        for method, status in (("OPTIONS", 204), ("TRACE", 405)):
            answer = client.request(method, path)
            assert answer.status_code == status
            assert set(answer.headers["Allow"].split(", ")) == methods
