"""R4, H2, E1, E2, E3, E7: what HTTP itself asks of each resource, and what hostile clients send."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from scaffold.resources.model import Field, Resource
from tests.contract.declared import Raw, body, path_of
from tests.contract.items import JSON, UNKNOWN_ID, assert_invalid, assert_problem
from tests.contract.rows import Rows
from tests.contract.wire import exchange
from tests.services import Service

LIST = {"GET", "HEAD", "POST", "OPTIONS"}
ROW = {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}
METHODS = LIST | ROW | {"TRACE"}
LIMIT = 1_048_576
MILLION = 1_000_000


def allowed(answer: httpx.Response) -> set[str]:
    return {method.strip() for method in answer.headers["allow"].split(",")}


@pytest.mark.contract("R4")
def test_every_method_is_answered_or_refused_with_what_is_allowed(
    rows: Rows, resource: Resource, declared_service: Service
) -> None:
    address = declared_service.address
    there = rows.create(resource).headers["location"]
    for path, methods in ((path_of(resource), LIST), (there, ROW)):
        options = exchange(address, "OPTIONS", path)
        assert (options.status_code, options.content) == (204, b"")
        assert allowed(options) == methods
        got, head = (exchange(address, method, path) for method in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-type", "etag", "link"):
            assert head.headers.get(name) == got.headers.get(name)
        for method in METHODS - methods:
            answer = exchange(address, method, path)
            assert_problem(answer, 405, path)
            assert allowed(answer) == methods


@pytest.mark.contract("R4")
def test_nothing_but_the_exact_path_is_found(
    rows: Rows, resource: Resource, declared_service: Service
) -> None:
    there = rows.create(resource).headers["location"]
    base = path_of(resource)
    for path in (f"{base}/", f"/{base}", f"{base}.json", f"{base}x", f"{there}/", f"{there}/x"):
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            answer = exchange(declared_service.address, method, path)
            assert_problem(answer, 404)
    assert_problem(rows.client.get(f"{base}/stream"), 404)
    assert_problem(rows.client.get(base.replace("/v1/", "/V1/")), 404)


def routes(service: Service) -> dict[tuple[str, str, str], float]:
    """How many requests were counted by method, route and status."""
    families = text_string_to_metric_families(service.http.get("/metrics").text)
    names = ("http_request_method", "http_route", "http_response_status_code")
    return {
        (sample.labels[names[0]], sample.labels[names[1]], sample.labels[names[2]]): sample.value
        for family in families
        for sample in family.samples
        if sample.name == "http_server_request_duration_seconds_count"
    }


@pytest.mark.contract("H2")
def test_each_request_counts_under_the_template_of_its_route(
    rows: Rows, resource: Resource, declared_service: Service
) -> None:
    base, row = path_of(resource), f"{path_of(resource)}/{{{resource.name}_id}}"
    content = rows.content(resource)
    before = routes(declared_service)
    there = rows.post(resource, content).headers["location"]
    rows.client.get(base)
    rows.client.get(there)
    rows.send("PUT", there, content)
    rows.send("PATCH", there, {})
    rows.client.get(f"{base}/{UNKNOWN_ID}")
    rows.client.delete(there)
    expected = {
        ("POST", base, "201"),
        ("GET", base, "200"),
        ("GET", row, "200"),
        ("PUT", row, "200"),
        ("PATCH", row, "200"),
        ("GET", row, "404"),
        ("DELETE", row, "204"),
    }
    deadline = time.monotonic() + 3
    while True:
        after = routes(declared_service)
        counted = {key for key in after if after[key] - before.get(key, 0) == 1}
        if expected <= counted or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    assert expected <= counted, expected - counted


@pytest.mark.contract("E1", "E2")
def test_a_body_that_cannot_be_read_is_refused_by_its_kind(rows: Rows, resource: Resource) -> None:
    valid = body(rows.content(resource))
    there = rows.create(resource).headers["location"]
    gzip = {**JSON, "Content-Encoding": "gzip"}
    for status, content, headers in (
        (400, b"", JSON),
        (400, b"{", JSON),
        (400, valid + b"}", JSON),
        (400, valid.replace(b"{", b'{"\xff": 1, ', 1), JSON),
        (415, valid, {"Content-Type": "text/plain"}),
        (415, valid, {}),
        (415, valid, gzip),
        (413, valid.ljust(LIMIT + 1), JSON),
        (422, b"[]", JSON),
        (422, b"null", JSON),
        (422, b'"x"', JSON),
    ):
        for method, path in (("POST", path_of(resource)), ("PUT", there), ("PATCH", there)):
            answer = rows.client.request(method, path, content=content, headers=headers)
            assert_problem(answer, status, path)
            if status == 422:
                assert_invalid(answer, "")
    assert rows.client.post(
        path_of(resource), content=valid.ljust(LIMIT), headers=JSON
    ).status_code in (201, 409)


def hostile(field: Field) -> Iterator[tuple[str, int]]:
    """JSON that no field can be, and the status of a body with it."""
    yield from (
        ("[" * 100_000 + "]" * 100_000, 400),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, 400),
        (r'"\ud800"', 400),
        (r'["\udfff"]', 400),
        ("9" * 5000, 400),
        ("-" + "9" * 5000, 400),
        ("NaN", 422),
        ("Infinity", 422),
        ("1e999", 422),
        ("-1e999", 422),
    )
    if field.type not in ("str", "text") or int(field.max or 0) >= 3:
        yield r'"a\u0000b"', 422


@pytest.mark.contract("E3")
def test_nothing_that_is_sent_of_a_field_makes_a_5xx(rows: Rows, resource: Resource) -> None:
    content = rows.content(resource)
    there = rows.create(resource).headers["location"]
    for field in resource.fields:
        for text, status in hostile(field):
            change = {field.column: Raw(text)}
            for answer in (
                rows.post(resource, content | change),
                rows.send("PATCH", there, change),
            ):
                assert_problem(answer, status)
                if status == 422:
                    assert_invalid(answer, f"/{field.column}")
    assert rows.client.get(there).status_code == 200


@pytest.mark.contract("E3")
def test_of_duplicate_keys_the_last_counts(rows: Rows, resource: Resource) -> None:
    content = rows.content(resource)
    if not content:
        pytest.skip("nothing has to be sent of it")
    healed = body({name: Raw("[]") for name in content})[:-1] + b", " + body(content)[1:]
    answer = rows.client.post(path_of(resource), content=healed, headers=JSON)
    assert answer.status_code == 201, answer.text
    there = answer.headers["location"]
    spoiled = body(content)[:-1] + b", " + body({name: Raw("[]") for name in content})[1:]
    refused = rows.client.put(there, content=spoiled, headers=JSON)
    assert_problem(refused, 422)


QUERIES = (
    *("", "&", "=", "%", "%00=1", "limit=%ff", "sort=%00", "sort=%ff", "x" * 8000, "a=1&" * 900),
)
ODD_VALUES = ("", "%00", "%ff", "%F0%9F%A6%89", "9" * 400, "%41" * 2000)


@pytest.mark.contract("E3")
def test_no_query_makes_a_5xx(resource: Resource, declared_service: Service) -> None:
    names = [field.column for field in resource.fields if field.filter]
    odd = [f"{name}={text}" for name in names for text in ODD_VALUES]
    for query in (*QUERIES, *odd, *(f"{name}[]=1" for name in names)):
        answer = exchange(declared_service.address, "GET", f"{path_of(resource)}?{query}")
        assert answer.status_code < 500, (query[:60], answer.text)


MOST_SECONDS = 0.25
"""Of the CPU, for a megabyte; a short refusal costs about a millisecond."""

COSTLY = ("a.", "@", "-", "1", " ", "\\u0041", "é")


def long_texts(field: Field) -> Iterator[str]:
    """Nearly a megabyte of what some library may look at again and again."""
    starts = {"email": ("", "a@", "a@b."), "url": ("", "https://", "https://a/?"), "uuid": ("",)}
    for start in starts.get(field.type, ("",)):
        for piece in COSTLY:
            yield start + piece * ((MILLION - 2000) // len(piece.encode()))


@pytest.mark.contract("E7")
@pytest.mark.any_framework
@pytest.mark.any_database
def test_no_text_costs_more_than_its_size(
    rows: Rows, resource: Resource, declared_service: Service
) -> None:
    content = rows.content(resource)
    for field in resource.fields:
        for text in long_texts(field):
            sent = Raw(f'"{text}"' if "\\u" in text else json.dumps(text, ensure_ascii=False))
            before = cpu_seconds(declared_service)
            answer = rows.post(resource, content | {field.column: sent})
            spent = cpu_seconds(declared_service) - before
            blank = field.type == "str" and not text.strip(" \t") and not field.min
            assert answer.status_code in {400, 413, 422, *({201} if blank else ())}, field.column
            if blank:
                rows.client.delete(answer.headers["location"])
            assert spent < MOST_SECONDS, f"{field.column}: {spent:.2f} s for {text[:20]}"
    assert declared_service.is_live()


def cpu_seconds(service: Service) -> float:
    """What all processes of the service have spent."""
    times = [process.cpu_times() for process in service.living_family()]
    return sum(one.user + one.system for one in times)
