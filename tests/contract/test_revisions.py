"""R3: read, replace and delete; entity tags; what is answered where several answers apply."""

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
    JSON,
    STRONG_TAG,
    UNKNOWN_ID,
    assert_invalid,
    assert_item,
    assert_problem,
    create,
    fresh_name,
    utc_moment,
)
from tests.contract.wire import exchange
from tests.services import Service

pytestmark = pytest.mark.contract("R3")

OTHER_TAG = '"0000000000000000"'


@pytest.fixture
def made(service: Service) -> httpx.Response:
    """The answer to the creation of an item."""
    return create(service.http, quantity=5)


def path_of(made: httpx.Response) -> str:
    return str(made.headers["location"])


def test_an_item_is_read_with_a_strong_tag(service: Service, made: httpx.Response) -> None:
    answer = service.http.get(path_of(made))
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    assert answer.json() == made.json()
    assert STRONG_TAG.fullmatch(answer.headers["etag"])


@pytest.mark.parametrize(
    "condition",
    ["{tag}", "*", f"{OTHER_TAG}, {{tag}}", "{tag},{other}", "W/{tag}", ', {tag} ,"x"'],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_known_item_is_not_sent_again(
    service: Service, made: httpx.Response, condition: str, method: str
) -> None:
    value = condition.format(tag=made.headers["etag"], other=OTHER_TAG)
    answer = service.http.request(method, path_of(made), headers={"If-None-Match": value})
    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["etag"] == made.headers["etag"]


def test_a_list_of_tags_may_come_in_several_lines(service: Service, made: httpx.Response) -> None:
    lines = [("If-None-Match", OTHER_TAG), ("If-None-Match", made.headers["etag"])]
    assert exchange(service.address, "GET", path_of(made), lines).status_code == 304


@pytest.mark.parametrize("condition", [OTHER_TAG, f'{OTHER_TAG}, "x"', 'W/"x"', "garbage", '"', ""])
def test_another_tag_brings_the_item(
    service: Service, made: httpx.Response, condition: str
) -> None:
    answer = service.http.get(path_of(made), headers={"If-None-Match": condition})
    assert answer.status_code == 200
    assert answer.json() == made.json()


def test_a_tag_is_compared_whole(service: Service, made: httpx.Response) -> None:
    inside = made.headers["etag"].strip('"')
    for condition in (inside, f'"{inside}x"', f'"{inside[:-1]}"', f'"x, {inside}"'):
        answer = service.http.get(path_of(made), headers={"If-None-Match": condition})
        assert answer.status_code == 200, condition


def test_put_replaces_and_renews_the_tag(service: Service, made: httpx.Response) -> None:
    name = fresh_name()
    answer = service.http.put(path_of(made), json={"name": f" {name} ", "quantity": 6})
    assert answer.status_code == 200
    assert_item(answer.json(), name, 6)
    assert answer.json()["id"] == made.json()["id"]
    assert answer.json()["created_at"] == made.json()["created_at"]
    assert utc_moment(answer.json()["updated_at"]) > utc_moment(made.json()["updated_at"])
    assert STRONG_TAG.fullmatch(answer.headers["etag"])
    assert answer.headers["etag"] != made.headers["etag"]
    there = service.http.get(path_of(made))
    assert there.json() == answer.json()
    assert there.headers["etag"] == answer.headers["etag"]


def test_put_of_the_same_content_is_a_new_revision(service: Service, made: httpx.Response) -> None:
    content = {"name": made.json()["name"], "quantity": 5}
    answer = service.http.put(path_of(made), json=content)
    assert answer.status_code == 200
    assert answer.headers["etag"] != made.headers["etag"]


def test_put_without_quantity_means_zero(service: Service, made: httpx.Response) -> None:
    answer = service.http.put(path_of(made), json={"name": made.json()["name"]})
    assert answer.status_code == 200
    assert answer.json()["quantity"] == 0


def test_put_is_as_strict_as_post(service: Service, made: httpx.Response) -> None:
    name = made.json()["name"]
    wrong = {
        "/name": {"quantity": 1},
        "/quantity": {"name": name, "quantity": "1"},
        "/id": {"name": name, "id": "1"},
    }
    for pointer, content in wrong.items():
        assert_invalid(service.http.put(path_of(made), json=content), pointer)
    assert service.http.get(path_of(made)).headers["etag"] == made.headers["etag"]


@pytest.mark.parametrize("condition", ["{tag}", "*", f"{OTHER_TAG}, {{tag}}", '{tag} , "x"'])
def test_if_match_lets_the_right_revision_be_written(
    service: Service, made: httpx.Response, condition: str
) -> None:
    value = condition.format(tag=made.headers["etag"])
    content = {"name": made.json()["name"], "quantity": 6}
    answer = service.http.put(path_of(made), json=content, headers={"If-Match": value})
    assert answer.status_code == 200
    value = condition.format(tag=answer.headers["etag"])
    assert service.http.delete(path_of(made), headers={"If-Match": value}).status_code == 204


@pytest.mark.parametrize("condition", [OTHER_TAG, "W/{tag}", f'{OTHER_TAG}, "x"', "garbage", '"'])
def test_if_match_protects_another_revision(
    service: Service, made: httpx.Response, condition: str
) -> None:
    """``If-Match`` compares strongly: a weak tag never matches."""
    path = path_of(made)
    headers = {"If-Match": condition.format(tag=made.headers["etag"])}
    content = {"name": made.json()["name"], "quantity": 6}
    assert_problem(service.http.put(path, json=content, headers=headers), 412, path)
    assert_problem(service.http.delete(path, headers=headers), 412, path)
    assert service.http.get(path).json() == made.json()


def test_an_old_tag_no_longer_matches(service: Service, made: httpx.Response) -> None:
    path, content = path_of(made), {"name": made.json()["name"]}
    assert service.http.put(path, json=content).status_code == 200
    headers = {"If-Match": made.headers["etag"]}
    assert_problem(service.http.put(path, json=content, headers=headers), 412, path)
    assert_problem(service.http.delete(path, headers=headers), 412, path)


def test_a_deleted_item_is_gone(service: Service, made: httpx.Response) -> None:
    path = path_of(made)
    answer = service.http.delete(path)
    assert answer.status_code == 204
    assert answer.content == b""
    assert_problem(service.http.get(path), 404, path)
    assert_problem(service.http.delete(path), 404, path)
    assert_problem(service.http.put(path, json={"name": fresh_name()}), 404, path)
    again = create(service.http, name=made.json()["name"])
    assert again.json()["id"] != made.json()["id"]


def test_a_name_in_use_is_a_conflict_and_changes_nothing(
    service: Service, made: httpx.Response
) -> None:
    other = create(service.http)
    content = {"name": other.json()["name"], "quantity": 1}
    assert_problem(service.http.put(path_of(made), json=content), 409, path_of(made))
    assert service.http.get(path_of(made)).json() == made.json()
    assert_problem(service.http.post(ITEMS, json=content), 409, ITEMS)


@pytest.mark.parametrize(
    "identifier",
    [
        UNKNOWN_ID,
        "0",
        "1",
        "-1",
        "abc",
        "9" * 30,
        "null",
        "None",
        "%00",
        "a%00b",
        "%ff",
        "%20",
        "%D9%A5",
        "..%2f..%2fetc%2fpasswd",
        "%7B%7D",
        "'",
        "%22",
        "a" * 4000,
        "stream",
        f"urn:uuid:{UNKNOWN_ID}",
        f"{{{UNKNOWN_ID}}}",
        f"{UNKNOWN_ID}%0a",
        f"%20{UNKNOWN_ID}",
    ],
    ids=lambda identifier: identifier[:24],
)
def test_an_unknown_or_malformed_id_is_not_found(service: Service, identifier: str) -> None:
    path = f"{ITEMS}/{identifier}"
    assert_problem(exchange(service.address, "GET", path), 404)
    assert_problem(exchange(service.address, "DELETE", path), 404)
    body = json.dumps({"name": fresh_name()}).encode()
    assert_problem(exchange(service.address, "PUT", path, JSON.items(), body), 404)


def test_another_spelling_of_an_id_is_not_found(service: Service, made: httpx.Response) -> None:
    known = made.json()["id"]
    dashless = known.replace("-", "")
    for spelling in (dashless, f"{{{known}}}", f"urn:uuid:{known}", f"{known}0", known[:-1]):
        assert_problem(exchange(service.address, "GET", f"{ITEMS}/{spelling}"), 404)


TOO_LARGE = b'{"name": "' + b"x" * 1_100_000 + b'"}'
MALFORMED = b'{"name": '
INVALID = b'{"name": ""}'

# Each request deserves every answer from its place in the list on: the first has to win.
PRECEDENCE = {
    413: (TOO_LARGE, "text/plain", UNKNOWN_ID),
    415: (MALFORMED, "text/plain", UNKNOWN_ID),
    400: (MALFORMED, "application/json", UNKNOWN_ID),
    422: (INVALID, "application/json", UNKNOWN_ID),
    404: (None, "application/json", UNKNOWN_ID),
    412: (None, "application/json", None),
    409: (None, "application/json", None),
}


@pytest.mark.parametrize("status", PRECEDENCE)
def test_the_first_of_several_answers_wins(
    service: Service, made: httpx.Response, status: int
) -> None:
    taken = json.dumps({"name": create(service.http).json()["name"]}).encode()
    body, content_type, identifier = PRECEDENCE[status]
    headers = {
        "Content-Type": content_type,
        "If-Match": made.headers["etag"] if status == 409 else OTHER_TAG,
    }
    path = f"{ITEMS}/{identifier or made.json()['id']}"
    answer = service.http.put(path, content=body or taken, headers=headers)
    assert_problem(answer, status, path)
    assert service.http.get(path_of(made)).json() == made.json()


@pytest.mark.parametrize("status", [415, 400, 422])
def test_a_bad_body_comes_before_a_precondition(
    service: Service, made: httpx.Response, status: int
) -> None:
    body, content_type, _identifier = PRECEDENCE[status]
    headers = {"Content-Type": content_type, "If-Match": OTHER_TAG}
    answer = service.http.put(path_of(made), content=body, headers=headers)
    assert_problem(answer, status, path_of(made))


def test_not_found_comes_before_a_precondition(service: Service) -> None:
    path = f"{ITEMS}/{UNKNOWN_ID}"
    for condition in ("*", OTHER_TAG):
        assert_problem(service.http.delete(path, headers={"If-Match": condition}), 404, path)
    assert_problem(service.http.get(path, headers={"If-None-Match": "*"}), 404, path)


def test_of_50_parallel_creates_of_one_name_one_wins(service: Service, database: Database) -> None:
    content = {"name": fresh_name()}
    answers = contended(service, database, [lambda client: client.post(ITEMS, json=content)] * 50)
    assert Counter(a.status_code for a in answers) == {201: 1, 409: 49}
    for answer in answers:
        if answer.status_code == 409:
            assert_problem(answer, 409, ITEMS)


def test_of_50_parallel_puts_with_one_if_match_one_wins(
    service: Service, database: Database, made: httpx.Response
) -> None:
    calls: list[Call] = [
        partial(
            httpx.Client.put,
            url=path_of(made),
            json={"name": made.json()["name"], "quantity": number},
            headers={"If-Match": made.headers["etag"]},
        )
        for number in range(50)
    ]
    answers = contended(service, database, calls)
    assert Counter(a.status_code for a in answers) == {200: 1, 412: 49}
    (winner,) = (answer for answer in answers if answer.status_code == 200)
    there = service.http.get(path_of(made))
    assert there.json() == winner.json()
    assert there.headers["etag"] == winner.headers["etag"]


def test_of_50_parallel_deletes_one_wins(
    service: Service, database: Database, made: httpx.Response
) -> None:
    headers = {"If-Match": made.headers["etag"]}
    delete = partial(httpx.Client.delete, url=path_of(made), headers=headers)
    answers = contended(service, database, [delete] * 50)
    assert Counter(a.status_code for a in answers) == {204: 1, 404: 49}
