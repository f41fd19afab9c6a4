"""Movements over HTTP."""

import json
from typing import Any
from uuid import uuid4

import httpx
import samples

PATH = "/v1/movements"
FIELDS = {
    "product_id",
    "quantity",
    "reason",
    "moved_at",
    "note",
}
# Fields, what is sent of them, and what is then shown.
ACCEPTED: list[tuple[str, Any, Any]] = [
    ("quantity", -100000, -100000),
    ("quantity", 100000, 100000),
    ("reason", "bought", "bought"),
    ("reason", "counted", "counted"),
    ("moved_at", "2027-01-31T09:30:00+01:00", "2027-01-31T08:30:00.000000Z"),
    ("moved_at", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
    ("moved_at", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ("note", "x" * 1, "x" * 1),
    ("note", "x" * 1000, "x" * 1000),
    ("note", None, None),
]
# Fields, and what they cannot be.
REFUSED: list[tuple[str, Any]] = [
    ("product_id", "mine"),
    ("product_id", 1),
    ("product_id", None),
    ("quantity", -100001),
    ("quantity", 100001),
    ("quantity", "7"),
    ("quantity", 1.0),
    ("quantity", True),
    ("quantity", None),
    ("reason", ""),
    ("reason", 1),
    ("reason", None),
    ("moved_at", "2027-01-31T09:30:00"),
    ("moved_at", "2027-01-31"),
    ("moved_at", "0001-01-01T00:00:00+01:00"),
    ("moved_at", 1800000000),
    ("moved_at", None),
    ("note", "x" * 1001),
    ("note", "a\x00b"),
    ("note", 5),
    ("id", "mine"),
    ("surprise", 1),
]


def create(client: httpx.Client, /, **changes: Any) -> httpx.Response:
    return client.post(PATH, json=samples.movement_content(client) | changes)


def test_what_was_created_is_found_where_its_location_says(client: httpx.Client) -> None:
    content = samples.movement_content(client)
    created = client.post(PATH, json=content)
    assert created.status_code == 201
    assert created.json() | content == created.json()
    found = client.get(created.headers["Location"])
    assert (found.status_code, found.json()) == (200, created.json())
    assert found.headers["ETag"] == created.headers["ETag"]


def test_the_document_has_every_field(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert set(create(client).json()) == FIELDS | {"id", "created_at", "updated_at"}
    assert set(schemas["Movement"]["properties"]) == FIELDS | {"id", "created_at", "updated_at"}
    for sent in ("MovementContent", "MovementPatch"):
        assert set(schemas[sent]["properties"]) == FIELDS


def test_each_field_takes_its_values(client: httpx.Client) -> None:
    for field, sent, shown in ACCEPTED:
        created = create(client, **{field: sent})
        assert (field, created.status_code) == (field, 201), created.text
        assert (field, created.json()[field]) == (field, shown)
        client.delete(created.headers["Location"])


def test_each_field_refuses_what_it_cannot_be(client: httpx.Client) -> None:
    url = create(client).headers["Location"]
    for field, value in REFUSED:
        for refused in (create(client, **{field: value}), client.patch(url, json={field: value})):
            assert (field, value, refused.status_code) == (field, value, 422)
            assert [error["pointer"] for error in refused.json()["errors"]] == [f"/{field}"]


def test_what_is_required_cannot_be_left_out(client: httpx.Client) -> None:
    for field in ("product_id", "quantity", "moved_at"):
        content = samples.movement_content(client)
        del content[field]
        refused = client.post(PATH, json=content)
        assert (field, refused.status_code) == (field, 422)
        assert [error["pointer"] for error in refused.json()["errors"]] == [f"/{field}"]


def test_what_is_left_out_has_its_default(client: httpx.Client) -> None:
    defaults: dict[str, Any] = {
        "note": None,
        "reason": "counted",
    }
    created = create(client)
    content = samples.movement_content(client)
    least = {field: content[field] for field in content if field not in defaults}
    replaced = client.put(created.headers["Location"], json=least)
    assert replaced.status_code == 200
    assert replaced.json() | defaults == replaced.json()


def test_product_id_is_of_something_that_exists(client: httpx.Client) -> None:
    refused = create(client, product_id=str(uuid4()))
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/product_id"]
    parent = samples.new_id(client, "products", samples.product_content)
    created = create(client, product_id=parent)
    assert (created.status_code, created.json()["product_id"]) == (201, parent)
    kept = client.delete(f"/v1/products/{parent}")
    assert (kept.status_code, "movements" in kept.json()["detail"]) == (409, True)


def test_a_list_is_filtered(client: httpx.Client) -> None:
    row = create(client).json()
    for field in ("reason", "product_id"):
        value = json.dumps(row[field]).strip('"')
        found = client.get(PATH, params={field: value}).json()["movements"]
        assert (field, found) == (field, [row])


def test_a_list_is_sorted(client: httpx.Client) -> None:
    for _ in range(5):
        create(client)
    for field in ("moved_at",):
        forwards = client.get(PATH, params={"sort": field}).json()["movements"]
        backwards = client.get(PATH, params={"sort": f"-{field}"}).json()["movements"]
        assert (field, len(forwards), forwards[::-1]) == (field, 5, backwards)


def test_a_walk_over_the_pages_sees_each_once(client: httpx.Client) -> None:
    created = [create(client).json() for _ in range(5)]
    seen = []
    page = client.get(PATH, params={"limit": 2})
    while True:
        seen += page.json()["movements"]
        if page.json()["next_cursor"] is None:
            break
        page = client.get(page.links["next"]["url"])
    assert seen == created


def test_a_write_heeds_the_revision_that_was_read(client: httpx.Client) -> None:
    created = create(client)
    url, tag = created.headers["Location"], created.headers["ETag"]
    content = samples.movement_content(client)
    replaced = client.put(url, json=content, headers={"If-Match": f'"x", {tag}'})
    assert replaced.status_code == 200
    assert replaced.json() | content == replaced.json()
    assert replaced.headers["ETag"] != tag
    for method in ("PUT", "PATCH", "DELETE"):
        stale = client.request(method, url, json=content, headers={"If-Match": tag})
        assert (method, stale.status_code) == (method, 412)
    assert client.put(url, json=content, headers={"If-Match": "*"}).status_code == 200


def test_a_repeat_gets_the_first_response(client: httpx.Client) -> None:
    content, key = samples.movement_content(client), {"Idempotency-Key": str(uuid4())}
    # Every field is in it, so that each type is stored and read again.
    content |= {field: sent for field, sent, _ in ACCEPTED if field not in content}
    first = client.post(PATH, json=content, headers=key)
    assert first.status_code == 201
    assert client.delete(first.headers["Location"]).status_code == 204
    again = client.post(PATH, json=content, headers=key)
    assert (again.status_code, again.content) == (201, first.content)
    for name in ("ETag", "Location"):
        assert again.headers[name] == first.headers[name]
    assert client.get(first.headers["Location"]).status_code == 404


def test_a_patch_changes_only_what_it_names(client: httpx.Client) -> None:
    created = create(client)
    url = created.headers["Location"]
    assert client.patch(url, json={}).json() == created.json()
    for field, sent, shown in ACCEPTED:
        before = client.get(url).json()
        patched = client.patch(url, json={field: sent})
        assert (field, patched.status_code) == (field, 200)
        changes = {field: shown, "updated_at": patched.json()["updated_at"]}
        assert patched.json() == before | changes


def test_what_did_not_change_is_not_sent_again(client: httpx.Client) -> None:
    created = create(client)
    url, tag = created.headers["Location"], created.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        unchanged = client.get(url, headers={"If-None-Match": known})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert client.get(url, headers={"If-None-Match": '"x"'}).status_code == 200


def test_what_was_deleted_is_gone(client: httpx.Client) -> None:
    url = create(client).headers["Location"]
    assert client.delete(url).status_code == 204
    for method in ("GET", "DELETE"):
        assert client.request(method, url).status_code == 404
    for method in ("PUT", "PATCH"):
        assert client.request(method, url, json=samples.movement_content(client)).status_code == 404


def test_an_id_of_nothing_is_not_found(client: httpx.Client) -> None:
    for row_id in (str(uuid4()), "7", "stream", "%27", "9" * 5000):
        assert client.get(f"{PATH}/{row_id}").status_code == 404


def test_the_methods_of_each_path_are_told(client: httpx.Client) -> None:
    for path, methods in (
        (PATH, {"GET", "HEAD", "POST", "OPTIONS"}),
        (f"{PATH}/{uuid4()}", {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}),
    ):
        for method, status in (("OPTIONS", 204), ("TRACE", 405)):
            answer = client.request(method, path)
            assert answer.status_code == status
            assert set(answer.headers["Allow"].split(", ")) == methods
