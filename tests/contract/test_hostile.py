"""E3: nothing that a client sends makes a 5xx, and text comes back byte for byte."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.contract.items import (
    ITEMS,
    JSON,
    assert_invalid,
    assert_problem,
    create,
    fresh_name,
    post_raw,
    walk,
)
from tests.contract.wire import exchange, exchange_or_close, request
from tests.services import Service

pytestmark = pytest.mark.contract("E3")

DEEP = 100_000
MILLION = 1_000_000
MANY = 10_000


@pytest.mark.any_database
@pytest.mark.parametrize(
    "body",
    {
        "open arrays": b"[" * DEEP,
        "closed arrays": b"[" * DEEP + b"]" * DEEP,
        "open objects": b'{"a":' * DEEP,
        "closed objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        "in the name": b'{"name": ' + b"[" * DEEP + b"]" * DEEP + b"}",
        "in an unknown field": b'{"name": "x", "y": ' + b"[" * DEEP + b"]" * DEEP + b"}",
        "mixed": b'[{"a":' * DEEP + b"1" + b"}]" * DEEP,
    }.items(),
    ids=lambda entry: entry[0],
)
def test_a_hundred_thousand_levels_are_a_bad_request(
    service: Service, body: tuple[str, bytes]
) -> None:
    assert_problem(post_raw(service.http, body[1]), 400, ITEMS)
    assert service.is_live()


@pytest.mark.any_database
@pytest.mark.parametrize("levels", [10, 100, 200, 500, 900, 1000, 1100, 3000, 10_000])
def test_no_depth_in_between_is_too_much(service: Service, levels: int) -> None:
    """The limit of a parser and the limit of what handles its result differ."""
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        nested = opening * levels + b"1" + closing * levels
        for body in (nested, b'{"name": ' + nested + b"}", b'{"name": "x", "y": ' + nested + b"}"):
            answer = post_raw(service.http, body)
            assert_problem(answer, 400 if answer.status_code == 400 else 422, ITEMS)


@pytest.mark.parametrize(
    "body",
    [
        rb'{"name": "\ud800"}',
        rb'{"name": "\udfff"}',
        rb'{"name": "a\udc00\ud800b"}',
        rb'{"name": "\ud83dx"}',
        rb'{"name": "\uD83D\u0041"}',
        rb'{"name": "x", "\ud800": 1}',
        rb'{"name": "x", "y": "\ud800"}',
        rb'{"name": "x", "y": [{"z": "\udead"}]}',
        rb'"\ud800"',
        rb'["\ud800"]',
    ],
    ids=lambda body: body.decode(),
)
def test_a_lone_surrogate_is_a_bad_request(service: Service, body: bytes) -> None:
    assert_problem(post_raw(service.http, body), 400, ITEMS)


def test_a_pair_of_surrogates_is_a_character(service: Service) -> None:
    name = fresh_name()
    answer = post_raw(service.http, rb'{"name": "\ud83e\udd89' + name.encode() + b'"}')
    assert answer.status_code == 201
    assert answer.json()["name"] == f"🦉{name}"


@pytest.mark.any_database
@pytest.mark.parametrize(
    "body",
    ['{"name": "x", "quantity": %s}', '{"name": %s}', '{"name": "x", "y": %s}', "%s", "[%s]"],
)
@pytest.mark.parametrize("sign", ["", "-"])
def test_an_integer_of_5000_digits_is_a_bad_request(service: Service, body: str, sign: str) -> None:
    answer = post_raw(service.http, (body % (sign + "9" * 5000)).encode())
    assert_problem(answer, 400, ITEMS)


@pytest.mark.parametrize("digits", [19, 20, 40, 400, 4000])
def test_a_shorter_integer_is_merely_out_of_range(service: Service, digits: int) -> None:
    body = f'{{"name": "{fresh_name()}", "quantity": {"9" * digits}}}'.encode()
    assert_invalid(post_raw(service.http, body), "/quantity")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999"])
def test_what_is_not_a_finite_integer_is_invalid(service: Service, number: str) -> None:
    name = fresh_name()
    body = f'{{"name": "{name}", "quantity": {number}}}'.encode()
    assert_invalid(post_raw(service.http, body), "/quantity")
    assert_invalid(post_raw(service.http, f'{{"name": {number}}}'.encode()), "/name")
    assert_invalid(post_raw(service.http, f'{{"name": "{name}", "y": {number}}}'.encode()), "/y")
    create(service.http, name=name)


def test_a_number_of_a_million_digits_is_no_crash(service: Service) -> None:
    for number in (b"1." + b"1" * MILLION, b"0e" + b"1" * MILLION, b"1" * MILLION):
        answer = post_raw(service.http, b'{"name": "x", "quantity": ' + number + b"}")
        assert_problem(answer, 400 if answer.status_code == 400 else 422, ITEMS)


def with_elements(number: int, element: bytes = b"1") -> bytes:
    """A body of one name, and as many elements as its value."""
    return b'{"name": [' + b",".join([element] * number) + b"]}"


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    "body",
    {
        "numbers": with_elements(MANY),
        "texts": with_elements(2 * MANY, b'""'),
        "texts with a quotation mark": with_elements(MANY, rb'"\\\\\""'),
        "empty lists": with_elements(MANY // 2, b"[]"),
        "objects": with_elements(MANY // 2, b'{"a":1}'),
        "one name many times": b"{" + b'"a":1,' * MANY + b'"name":"x"}',
        "half a million numbers": with_elements(500_000),
    }.items(),
    ids=lambda entry: entry[0],
)
def test_more_than_ten_thousand_values_are_a_bad_request(
    service: Service, body: tuple[str, bytes]
) -> None:
    """What is parsed of them takes up to fifty times the memory of the body."""
    problem = assert_problem(post_raw(service.http, body[1]), 400, ITEMS)
    assert "10,000 values" in problem["detail"]


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    "body",
    {
        "numbers": with_elements(MANY - 1),
        "separators in a text": b'{"name": "' + b",[{" * MANY + b'"}',
        "separators behind escapes": rb'{"name": "\\\"' + b",[{" * MANY + b'"}',
        "escapes": b'{"name": "' + rb"\\" * MANY + b'", "quantity": [0, "' + b"," * MANY + b'"]}',
        "white space": with_elements(1, b" " * 1_000_000 + b"1"),
    }.items(),
    ids=lambda entry: entry[0],
)
def test_no_other_body_has_too_many_values(service: Service, body: tuple[str, bytes]) -> None:
    assert "/name" in str(assert_problem(post_raw(service.http, body[1]), 422, ITEMS)["errors"])


def test_a_nul_in_a_name_is_invalid(service: Service) -> None:
    assert_invalid(post_raw(service.http, rb'{"name": "a\u0000b"}'), "/name")
    assert_invalid(post_raw(service.http, rb'{"name": "\u0000"}'), "/name")
    assert_problem(post_raw(service.http, b'{"name": "a\x00b"}'), 400, ITEMS)
    assert_invalid(post_raw(service.http, rb'{"name": "x", "\u0000": 1}'), "/\x00")


def test_of_duplicate_keys_the_last_counts(service: Service) -> None:
    first, last = fresh_name(), fresh_name()
    body = f'{{"name": "{first}", "quantity": 1, "name": "{last}", "quantity": 2}}'.encode()
    answer = post_raw(service.http, body)
    assert answer.status_code == 201
    assert (answer.json()["name"], answer.json()["quantity"]) == (last, 2)
    create(service.http, name=first)
    healed = f'{{"name": 5, "quantity": -1, "name": "{fresh_name()}", "quantity": 0}}'.encode()
    assert post_raw(service.http, healed).status_code == 201
    assert_invalid(post_raw(service.http, b'{"name": "x", "name": ""}'), "/name")


QUERIES = [
    *("", "&", "&&&", "=", "=&=", "limit", "?", "%", "%zz", "%00=1", "limit=%ff", "cursor=%ff"),
    *("limit=%", "limit[]=1", "limit=1;limit=2", "x=%00", "x" * 8000, "limit=-1", "limit=0"),
    *("limit=10%5e20", "limit=100000000000000000000", "limit=abc", "a=1&" * 1100),
    *("limit=%F0%9F%A6%89", "cursor='%20or%201=1", "limit=1%0d%0aX: y", "\xff", "limit=\xe9"),
]


@pytest.mark.any_database
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: ascii(query)[1:24])
def test_no_query_makes_a_5xx(service: Service, query: str) -> None:
    for path in (ITEMS, "/livez", "/readyz", "/openapi.json", "/nowhere"):
        data = request("GET", f"{path}?{query}".encode("latin-1"))
        answer = exchange_or_close(service.address, data)
        assert answer is not None
        assert answer.status_code < 500, answer.text


@pytest.mark.any_database
@pytest.mark.parametrize("query", ["x=1", "Limit=0", "offset=-1", "x[]=1", "x", "name=bolt"])
def test_an_unknown_parameter_is_rejected_by_name(service: Service, query: str) -> None:
    """A misspelt filter that is ignored would return everything."""
    assert_invalid(service.http.get(f"{ITEMS}?{query}"), query.partition("=")[0])


TARGETS = [
    *("/../etc/passwd", "/v1/items/../../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/x"),
    *("/v1/items/%2e%2e/%2e%2e/etc/passwd", "/..\\..\\windows", "/%5c..%5c", "/....//etc"),
    *("/docs/../../etc/passwd", "/docs/%2e%2e%2fpyproject.toml", "/static/../../app.py"),
    *("/%", "/%zz", "/%ff", "/%00", "/v1/items/%", "/v1/items/%zz", "/v1/items/%00", "/;x"),
    *("/v1/items;x=1", "/v1/items/;", "/v1%2Fitems", "/v1/items%2F", "/v1/items%3Flimit=0"),
    *("*", "http://localhost/v1/items", "//", "///", "/v1/items#x", "/" + "a" * 8000),
    *("/v1/items/" + "../" * 2000, "/%F0%9F%A6%89", "/\xff", "/v1/items/\xe9", "/'\"<>`{}|"),
    *("/console", "/admin", "/debug", "/__debug__/", "/.git/config", "/.env", "/static/"),
]


@pytest.mark.any_database
@pytest.mark.parametrize("path", TARGETS, ids=lambda path: ascii(path)[1:32])
def test_no_path_makes_a_5xx_or_leaves_the_service(service: Service, path: str) -> None:
    for method in ("GET", "OPTIONS", "PUT"):
        data = request(method, path.encode("latin-1"))
        answer = exchange_or_close(service.address, data, method)
        if answer is not None:
            assert answer.status_code < 500, answer.text
            assert not 300 <= answer.status_code < 400, answer.headers
            assert "root:" not in answer.text
            assert "[project]" not in answer.text


HEADERS: list[tuple[str, bytes]] = [
    ("Content-Type", b"application/json; charset=nope"),
    ("Content-Type", b"application/json; charset=utf-16"),
    ("Content-Type", b"application/json;;;=;"),
    ("Content-Type", b"application/json; boundary=\xff\xfe"),
    ("Content-Type", b"\xff"),
    ("Content-Length", b"abc"),
    ("Content-Length", b"-1"),
    ("Content-Length", b"+2"),
    ("Content-Length", b"2, 3"),
    ("Content-Length", b"9" * 100),
    ("Content-Length", b""),
    ("Transfer-Encoding", b"gzip"),
    ("Transfer-Encoding", b"xchunked"),
    ("Transfer-Encoding", b"chunked, chunked"),
    ("If-Match", b"\xff"),
    ("If-Match", b'"' * 5000),
    ("If-Match", b"," * 5000),
    ("If-Match", b'W/W/"x"'),
    ("If-None-Match", b"\xff"),
    ("If-None-Match", b'"\x01"'),
    ("If-Modified-Since", b"yesterday"),
    ("Range", b"bytes=0-0,-1,abc"),
    ("Accept", b"\xff;q=x"),
    ("Accept-Language", b"*" * 3000),
    ("Accept-Encoding", b"gzip;q=NaN"),
    ("Cookie", b"=;=;;\xff=\x80"),
    ("Authorization", b"Basic !!!"),
    ("X-Forwarded-For", b"'; drop table items; --"),
    ("X-Forwarded-Proto", b"javascript"),
    ("X-HTTP-Method-Override", b"DELETE"),
    ("X-Request-ID", b"\xff\xfe"),
    ("traceparent", b"\xff"),
    ("Host", b""),
    ("Host", b"a b"),
    ("Host", b"\xff"),
    ("Host", b"[::1"),
    ("Host", b"localhost:99999999"),
    ("Host", b"../etc"),
    ("Expect", b"nonsense"),
    ("Upgrade", b"websocket"),
    ("Connection", b"Upgrade, HTTP2-Settings"),
    ("Origin", b"null"),
]


@pytest.mark.any_database
@pytest.mark.parametrize("header", HEADERS, ids=lambda header: f"{header[0]} {header[1][:16]!r}")
def test_no_header_makes_a_5xx(service: Service, header: tuple[str, bytes]) -> None:
    path = create(service.http).headers["location"]
    body = b'{"name": ""}'
    for method, target in (("GET", path), ("PUT", path), ("POST", ITEMS)):
        headers: list[tuple[str | bytes, str | bytes]] = [header]
        if header[0] != "Content-Type":
            headers += JSON.items()
        data = request(method, target, headers, None if method == "GET" else body)
        answer = exchange_or_close(service.address, data, method)
        assert answer is None or answer.status_code < 500, answer.text if answer else ""
    assert service.http.get(path).status_code == 200, "a refused request changed something"


@pytest.mark.any_database
def test_a_request_with_two_framings_is_one_request(service: Service) -> None:
    """A proxy and the service must not disagree where it ends."""
    path = create(service.http).headers["location"]
    smuggled = request("DELETE", path)
    body = b"0\r\n\r\n" + smuggled
    headers = [*JSON.items(), ("Content-Length", str(len(body))), ("Transfer-Encoding", "chunked")]
    answer = exchange_or_close(service.address, request("POST", ITEMS, headers, body), "POST")
    assert answer is None or 400 <= answer.status_code < 500
    two_lengths = [*JSON.items(), ("Content-Length", "2"), ("Content-Length", "4")]
    answer = exchange_or_close(service.address, request("POST", ITEMS, two_lengths, b"{}"), "POST")
    assert answer is None or answer.status_code == 400


@pytest.mark.any_database
@pytest.mark.parametrize(
    "chunks", [b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n{}\r\n0\r\n\r\n", b"f" * 40 + b"\r\n", b"2\r\n{}0"]
)
def test_a_broken_chunk_is_no_5xx(service: Service, chunks: bytes) -> None:
    headers = [*JSON.items(), ("Transfer-Encoding", "chunked")]
    answer = exchange_or_close(service.address, request("POST", ITEMS, headers, chunks), "POST")
    assert answer is None or 400 <= answer.status_code < 500
    assert service.is_live()


TEXTS = [
    "'; drop table items; --",
    '" or 1=1 --',
    "%' and '%'='",
    "$(reboot) `id` ; rm -rf / | cat & echo",
    "{{7*7}} ${7*7} #{7*7} <%= 7*7 %> {% raw %}",
    "%s %d %n %(name)s {0} {name} {0.__class__}",
    "<script>alert(1)</script> <!-- --> &amp;",
    "../../etc/passwd",
    "C:\\Users\\x \\n \\u0041 \\",
    "null",
    "NaN",
    "1e999",
    "0x10",
    "-0",
    "true",
    "🦉👩‍👩‍👧‍👦🏳️‍🌈",
    "مرحبا بالعالم",
    "\u202eright to left\u202c",
    "e\u0301\u0323",
    "\u200b\u200d\ufeff",
    "\ufffe\uffff\U0010ffff",
    "ﷺ",
    "\u0130\u0131\u017f\u212a",
    "\u2028\u2029",
]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_text_comes_back_byte_for_byte(service: Service, text: str) -> None:
    name = f"a{text} {fresh_name('')}z"
    answer = create(service.http, name=name)
    path = answer.headers["location"]
    assert answer.json()["name"] == name
    assert service.http.get(path).json()["name"] == name
    assert name in {item["name"] for item in walk(service.http)[-5:]}
    replaced = service.http.put(path, json={"name": name[1:], "quantity": 1})
    assert replaced.json()["name"] == name[1:]
    assert service.http.get(path).json()["name"] == name[1:]


@pytest.mark.any_database
@pytest.mark.any_server
def test_random_bytes_never_make_a_5xx(service: Service) -> None:
    dice = random.Random(20260101)
    noises = [dice.randbytes(dice.randint(1, 300)) for _ in range(100)]
    sent = [
        data
        for noise in noises
        for data in (noise, request("POST", ITEMS, JSON.items(), noise), b"GET /" + noise)
    ]

    def ask(data: bytes) -> httpx.Response | None:
        return exchange_or_close(service.address, data, patience=0.5)

    # Some servers wait for the end of a head that never comes: so many at a time.
    with ThreadPoolExecutor(20) as pool:
        for data, answer in zip(sent, pool.map(ask, sent), strict=True):
            assert answer is None or answer.status_code < 500, (data, answer.text)
    assert service.is_live()


def test_broken_json_around_a_valid_item_never_makes_a_5xx(service: Service) -> None:
    """Every single byte of a valid body, left out or replaced."""
    dice = random.Random(20260102)
    valid = json.dumps({"name": fresh_name(), "quantity": 5}).encode()
    for at in range(len(valid)):
        for middle in (b"", bytes([dice.randrange(256)])):
            answer = post_raw(service.http, valid[:at] + middle + valid[at + 1 :])
            assert answer.status_code in {201, 400, 409, 422}, answer.text


def test_a_body_where_none_is_expected_is_no_5xx(service: Service) -> None:
    path = create(service.http).headers["location"]
    for method, target in (("GET", path), ("GET", ITEMS), ("OPTIONS", ITEMS), ("HEAD", path)):
        answer = exchange(service.address, method, target, JSON.items(), b"[" * 1000)
        assert answer.status_code < 500
    assert exchange(service.address, "DELETE", path, JSON.items(), b"{").status_code < 500
