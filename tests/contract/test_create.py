"""R1: what a new item may be, and what its creation answers."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.contract.items import (
    ITEMS,
    JSON,
    STRONG_TAG,
    assert_invalid,
    assert_item,
    assert_problem,
    create,
    fresh_name,
    post_raw,
)
from tests.services import Service

pytestmark = pytest.mark.contract("R1")


def test_a_new_item_is_answered_whole_and_lies_at_its_location(service: Service) -> None:
    name = fresh_name()
    answer = service.http.post(ITEMS, json={"name": name, "quantity": 7})
    assert answer.status_code == 201
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    assert_item(answer.json(), name, 7)
    assert answer.headers["location"] == f"{ITEMS}/{answer.json()['id']}"
    assert STRONG_TAG.fullmatch(answer.headers["etag"])
    there = service.http.get(answer.headers["location"])
    assert there.status_code == 200
    assert there.json() == answer.json()
    assert there.headers["etag"] == answer.headers["etag"]


def test_quantity_is_zero_unless_given(service: Service) -> None:
    assert create(service.http).json()["quantity"] == 0


@pytest.mark.parametrize("quantity", [0, 1, 1_000_000])
def test_quantity_may_be_zero_to_a_million(service: Service, quantity: int) -> None:
    assert create(service.http, quantity=quantity).json()["quantity"] == quantity


@pytest.mark.parametrize(
    "quantity",
    [
        "-1",
        "1000001",
        "9223372036854775808",
        "1" + "0" * 30,
        '"5"',
        '""',
        "true",
        "false",
        "null",
        "1.5",
        "1.0",
        "0.0",
        "1e2",
        "[1]",
        "{}",
    ],
)
def test_quantity_is_refused_unless_it_is_an_integer_in_range(
    service: Service, quantity: str
) -> None:
    body = f'{{"name": {json.dumps(fresh_name())}, "quantity": {quantity}}}'.encode()
    assert_invalid(post_raw(service.http, body), "/quantity")


@pytest.mark.parametrize("name", ["5", "null", "true", '["a"]', "{}", '""', '" "', r'" \t\r\n "'])
def test_a_name_is_a_string_with_something_in_it(service: Service, name: str) -> None:
    assert_invalid(post_raw(service.http, f'{{"name": {name}}}'.encode()), "/name")


def test_a_name_must_be_given(service: Service) -> None:
    assert_invalid(service.http.post(ITEMS, json={"quantity": 1}), "/name")
    assert_invalid(service.http.post(ITEMS, json={}), "/name")


def test_a_name_has_at_most_100_code_points(service: Service) -> None:
    tail = fresh_name("")
    for filler in ("a", "é", "漢", "🦉"):
        longest = filler * (100 - len(tail)) + tail
        assert create(service.http, name=longest).json()["name"] == longest
        assert_invalid(service.http.post(ITEMS, json={"name": filler + longest}), "/name")


def test_length_counts_after_trimming(service: Service) -> None:
    longest = fresh_name().ljust(100, "x")
    padded = " \t\n\v\f\r" * 20 + longest + " \t\n\v\f\r" * 20
    assert create(service.http, name=padded).json()["name"] == longest


@pytest.mark.parametrize("space", list(" \t\n\v\f\r"), ids=ascii)
def test_ascii_white_space_is_trimmed_and_only_there(service: Service, space: str) -> None:
    name = fresh_name()
    answer = create(service.http, name=f"{space}{name}{space}")
    assert answer.json()["name"] == name
    assert service.http.get(answer.headers["location"]).json()["name"] == name


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\u2028", "\u3000", "\ufeff"], ids=ascii)
def test_other_white_space_is_part_of_a_name(service: Service, space: str) -> None:
    name = f"{space}{fresh_name()}{space}"
    assert create(service.http, name=name).json()["name"] == name


@pytest.mark.parametrize(
    "control", [chr(c) for c in [*range(0x20), 0x7F, 0x80, 0x85, 0x9F]], ids=ascii
)
def test_control_characters_are_refused_inside_a_name(service: Service, control: str) -> None:
    name = f"{fresh_name()}{control}x"
    assert_invalid(service.http.post(ITEMS, json={"name": name}), "/name")


@pytest.mark.parametrize("control", ["\x00", "\x1c", "\x1d", "\x1e", "\x1f", "\x85"], ids=ascii)
def test_control_characters_are_not_trimmed_away(service: Service, control: str) -> None:
    assert_invalid(service.http.post(ITEMS, json={"name": fresh_name() + control}), "/name")
    assert_invalid(service.http.post(ITEMS, json={"name": control + fresh_name()}), "/name")


def test_a_name_is_unique_after_trimming(service: Service) -> None:
    name = fresh_name()
    create(service.http, name=name)
    for again in (name, f" {name}", f"{name}\n"):
        assert_problem(service.http.post(ITEMS, json={"name": again}), 409, path=ITEMS)


def test_names_differ_by_case_and_by_code_points(service: Service) -> None:
    tail = fresh_name("")
    spellings = ["tea", "Tea", "TEA", "caf\u00e9", "cafe\u0301", "cafe", "stra\u00dfe", "strasse"]
    for spelling in spellings:
        name = spelling + tail
        assert create(service.http, name=name).json()["name"] == name


@pytest.mark.parametrize(
    "field", ["id", "created_at", "updated_at", "revision", "etag", "Name", "QUANTITY", "", "x y"]
)
def test_unknown_and_read_only_fields_are_refused(service: Service, field: str) -> None:
    answer = service.http.post(ITEMS, json={"name": fresh_name(), field: "1"})
    assert_invalid(answer, f"/{field}")


def test_every_wrong_field_is_named(service: Service) -> None:
    answer = service.http.post(ITEMS, json={"name": "", "quantity": -1, "colour": "red"})
    assert_invalid(answer, "/colour", "/name", "/quantity")


def test_a_pointer_escapes_what_json_pointer_escapes(service: Service) -> None:
    answer = service.http.post(ITEMS, json={"name": fresh_name(), "a/b~c": 1})
    assert_invalid(answer, "/a~1b~0c")


def test_a_refused_item_is_not_stored(service: Service) -> None:
    name = fresh_name()
    assert service.http.post(ITEMS, json={"name": name, "quantity": -1}).status_code == 422
    assert create(service.http, name=name).status_code == 201


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"]
)
def test_the_media_type_of_json_may_be_written_in_each_legal_way(
    service: Service, content_type: str
) -> None:
    body = json.dumps({"name": fresh_name()}).encode()
    answer = post_raw(service.http, body, Content_Type=content_type)
    assert answer.status_code == 201, answer.text


def test_a_client_that_never_sends_a_newer_header_can_create(service: Service) -> None:
    """HTTP/1.1 with the least that it asks for."""
    with httpx.Client(base_url=service.url, headers={}, trust_env=False) as client:
        for name in ("accept", "accept-encoding", "user-agent"):
            del client.headers[name]
        answer = client.post(ITEMS, content=b'{"name": "%s"}' % fresh_name().encode(), headers=JSON)
    assert answer.status_code == 201, answer.text
