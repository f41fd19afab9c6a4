"""R2: pages, newest last, each item once."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.contract.items import (
    ITEMS,
    assert_invalid,
    assert_item,
    assert_problem,
    create,
    fresh_name,
    walk,
)
from tests.contract.wire import exchange
from tests.services import Background, Service

pytestmark = pytest.mark.contract("R2")


def next_link(page: httpx.Response) -> str | None:
    """The target of the page's ``Link`` with ``rel="next"``."""
    link = page.headers.get("link")
    if link is None:
        return None
    match = re.fullmatch(r'<([^>]*)>; rel="next"', link)
    assert match, link
    return match[1]


def page_after(client: httpx.Client, cursor: str | None, limit: int) -> httpx.Response:
    parameters = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
    page = client.get(ITEMS, params=parameters)
    assert page.status_code == 200, page.text
    return page


def to_the_end(client: httpx.Client) -> tuple[str | None, list[dict[str, Any]]]:
    """The cursor of the last page of 100, and its items."""
    cursor: str | None = None
    while True:
        page = page_after(client, cursor, 100).json()
        if page["next_cursor"] is None:
            return cursor, page["items"]
        cursor = page["next_cursor"]


def test_a_page_has_items_and_a_cursor(service: Service) -> None:
    made = create(service.http, quantity=3).json()
    page = service.http.get(ITEMS)
    assert page.status_code == 200
    assert page.headers["content-type"].split(";")[0] == "application/json"
    assert set(page.json()) == {"items", "next_cursor"}
    listed = walk(service.http)
    assert listed[-1] == made
    assert_item(listed[-1], made["name"], 3)


def test_the_newest_comes_last(service: Service) -> None:
    made = [create(service.http).json()["id"] for _ in range(5)]
    assert [item["id"] for item in walk(service.http)][-5:] == made


def test_a_replaced_item_keeps_its_place(service: Service) -> None:
    first = create(service.http).json()
    second = create(service.http).json()
    content = {"name": first["name"], "quantity": 9}
    assert service.http.put(f"{ITEMS}/{first['id']}", json=content).status_code == 200
    assert [item["id"] for item in walk(service.http)][-2:] == [first["id"], second["id"]]


def test_a_page_has_50_items_unless_it_is_told(service: Service) -> None:
    for _ in range(101):
        create(service.http)
    assert len(service.http.get(ITEMS).json()["items"]) == 50
    for limit in (1, 2, 99, 100):
        assert len(page_after(service.http, None, limit).json()["items"]) == limit


def test_link_and_cursor_lead_to_the_same_next_page(service: Service) -> None:
    for _ in range(3):
        create(service.http)
    page = page_after(service.http, None, 2)
    target = next_link(page)
    assert target is not None
    assert target.startswith(f"{ITEMS}?"), "relative, so that it works behind a proxy"
    followed = service.http.get(target)
    assert followed.status_code == 200
    assert followed.json() == page_after(service.http, page.json()["next_cursor"], 2).json()
    assert len(followed.json()["items"]) <= 2, "the link keeps the limit"


def test_only_a_page_with_more_behind_it_has_a_link_and_a_cursor(service: Service) -> None:
    cursor, rest = to_the_end(service.http)
    if len(rest) < 2:  # the list may have ended with its page
        create(service.http)
        create(service.http)
        cursor, rest = to_the_end(service.http)
    assert len(rest) >= 2, "the last page has no items"
    page = page_after(service.http, cursor, len(rest) - 1)
    assert page.json()["next_cursor"] is not None
    assert next_link(page) is not None
    last = page_after(service.http, page.json()["next_cursor"], 1)
    assert len(last.json()["items"]) == 1
    for end in (last, page_after(service.http, cursor, len(rest))):
        assert end.json()["next_cursor"] is None, "a page that ends exactly with the list"
        assert "link" not in end.headers


@pytest.mark.parametrize(
    "limit",
    [
        "0",
        "-1",
        "101",
        "1" + "0" * 20,
        "9" * 5000,
        "abc",
        "",
        " ",
        "1.5",
        "1.0",
        "1e1",
        "0x10",
        "+5 ",
        " 5",
        "5 ",
        "1_0",
        "\u0665",
        "\uff15",
        "5\x00",
        "null",
        "true",
        "1,2",
        "--1",
    ],
    ids=lambda limit: ascii(limit)[:20],
)
def test_a_bad_limit_is_refused_by_its_name(service: Service, limit: str) -> None:
    answer = service.http.get(f"{ITEMS}?limit={quote(limit, safe='')}")
    assert_invalid(answer, "limit")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        " ",
        "abc",
        "-1",
        "0",
        "null",
        "zzzzzzzzzzzzzzzz",
        "\x00",
        "\u0665" * 16,
        "'; --",
        "=" * 8,
        "MTIzNDU2Nzg5",
        "a" * 5000,
        "../..",
        "�",
    ],
    ids=lambda cursor: ascii(cursor)[:20],
)
def test_a_bad_cursor_is_refused_by_its_name(service: Service, cursor: str) -> None:
    answer = service.http.get(f"{ITEMS}?cursor={quote(cursor, safe='')}")
    assert_invalid(answer, "cursor")


@pytest.mark.parametrize("limit", ["0", "%205"], ids=["too small", "no plain number"])
def test_of_two_bad_parameters_at_least_one_is_named(service: Service, limit: str) -> None:
    """What a framework refuses before the service has looked, and what it would let through."""
    problem = assert_problem(service.http.get(f"{ITEMS}?limit={limit}&cursor=abc"), 422, ITEMS)
    named = {entry["pointer"] for entry in problem["errors"]}
    assert named
    assert named <= {"cursor", "limit"}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=1&limit=1", "limit"),
        ("limit=1&limit=2", "limit"),
        ("limit=1&%6Cimit=2", "limit"),
        ("limit=1&limit=", "limit"),
    ],
)
def test_a_repeated_parameter_is_refused(service: Service, query: str, name: str) -> None:
    assert_invalid(service.http.get(f"{ITEMS}?{query}"), name)


def test_a_repeated_cursor_is_refused(service: Service) -> None:
    create(service.http)
    create(service.http)
    cursor = page_after(service.http, None, 1).json()["next_cursor"]
    assert_invalid(service.http.get(f"{ITEMS}?cursor={cursor}&cursor={cursor}"), "cursor")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*;q=0", "garbage", "", ";;"])
def test_accept_is_not_looked_at(service: Service, accept: str) -> None:
    answer = exchange(service.address, "GET", f"{ITEMS}?limit=1", [("Accept", accept)])
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == "application/json"


@pytest.mark.any_framework
@pytest.mark.parametrize("limit", [7, 100])
def test_a_walk_sees_every_acknowledged_item_once_while_others_are_added(
    service: Service, limit: int
) -> None:
    before = {create(service.http).json()["id"] for _ in range(3 * limit if limit < 50 else 20)}
    _cursor, _rest = to_the_end(service.http)
    added: list[str] = []

    def add() -> None:
        added.append(create(service.http, name=fresh_name("late")).json()["id"])

    with Background(add), Background(add), Background(add):
        seen = [item["id"] for item in walk(service.http, limit=limit)]
    assert added, "nothing was added meanwhile: the test proves nothing"
    assert len(seen) == len(set(seen)), "an item came twice"
    assert before <= set(seen), "an item that was there before the walk is missing"
    everything = [item["id"] for item in walk(service.http)]
    assert set(added) <= set(everything)
    assert [identifier for identifier in everything if identifier in set(seen)] == seen


def four_on_the_last_page(client: httpx.Client) -> tuple[list[str], str | None, list[str]]:
    """Four new ids, the cursor of the last page, and all ids of it; the page before may be full."""
    for _ in range(2):
        made = [create(client).json()["id"] for _ in range(4)]
        cursor, items = to_the_end(client)
        rest = [item["id"] for item in items]
        if made[0] in rest:
            break
    return made, cursor, rest


def test_a_walk_goes_on_after_the_item_at_its_cursor_is_deleted(service: Service) -> None:
    made, cursor, rest = four_on_the_last_page(service.http)
    page = page_after(service.http, cursor, rest.index(made[0]) + 1).json()
    assert service.http.delete(f"{ITEMS}/{made[0]}").status_code == 204
    following = page_after(service.http, page["next_cursor"], 3).json()["items"]
    assert [item["id"] for item in following] == made[1:]
