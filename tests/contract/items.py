"""Items and problems over HTTP: made for tests, and checked in every part."""

from __future__ import annotations

import itertools
import re
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx

ITEMS = "/v1/items"
JSON = {"Content-Type": "application/json"}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STRONG_TAG = re.compile(r'"[\x21\x23-\x7e]+"')
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"

_numbers = itertools.count(1)


def fresh_name(what: str = "item") -> str:
    """A name that no other test has used, also in another process."""
    return f"{what} {next(_numbers)} {uuid.uuid4().hex[:8]}"


def create(client: httpx.Client, **content: object) -> httpx.Response:
    """Create an item (with a fresh name unless it is given) that has to succeed."""
    answer = client.post(ITEMS, json={"name": fresh_name()} | content)
    assert answer.status_code == 201, answer.text
    return answer


def post_raw(client: httpx.Client, body: bytes, **headers: str) -> httpx.Response:
    """Post bytes as JSON; ``Content_Type="..."`` and other headers replace the defaults."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(ITEMS, content=body, headers=JSON | given)


def walk(client: httpx.Client, limit: int = 100) -> list[dict[str, Any]]:
    """All items, page by page along ``next_cursor``."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        parameters = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        page = client.get(ITEMS, params=parameters)
        assert page.status_code == 200, page.text
        items += page.json()["items"]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            return items


def assert_item(item: dict[str, Any], name: str, quantity: int) -> None:
    assert set(item) == {"id", "name", "quantity", "created_at", "updated_at"}
    assert UUID.fullmatch(item["id"]), item["id"]
    assert item["name"] == name
    assert type(item["quantity"]) is int
    assert item["quantity"] == quantity
    assert utc_moment(item["created_at"]) <= utc_moment(item["updated_at"])


def utc_moment(text: str) -> datetime:
    """RFC 3339 with an offset of zero, and not in the future by more than clocks differ."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", text), text
    moment = datetime.fromisoformat(text)
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 3600, text
    return moment


def assert_problem(answer: httpx.Response, status: int, path: str | None = None) -> dict[str, Any]:
    """An RFC 9457 problem with every member that the contract asks for, and its headers."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text[:500]}"
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    problem: dict[str, Any] = answer.json()
    members = {"type", "title", "status", "detail", "instance", "request_id"}
    assert set(problem) == members | ({"errors"} if status == 422 else set()), problem
    assert problem["status"] == status
    assert all(isinstance(problem[m], str) and problem[m] for m in members - {"status"}), problem
    assert re.match(r"about:blank$|[a-z][a-z0-9+.-]*:|/", problem["type"]), problem["type"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    if path is not None:
        assert problem["instance"] == path
    for entry in problem.get("errors", []):
        assert set(entry) == {"pointer", "detail"}, entry
        assert isinstance(entry["pointer"], str)
        assert isinstance(entry["detail"], str)
        assert entry["detail"]
    return problem


def assert_invalid(answer: httpx.Response, *pointers: str) -> None:
    """422, naming exactly these places."""
    problem = assert_problem(answer, 422, path=answer_path(answer))
    assert sorted({e["pointer"] for e in problem["errors"]}) == sorted(pointers), problem


def answer_path(answer: httpx.Response) -> str | None:
    """The path that was asked for, where the client kept it."""
    try:
        return answer.request.url.raw_path.decode().partition("?")[0]
    except RuntimeError:
        return None
