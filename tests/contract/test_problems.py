"""E1, E2: every error is a problem, and each kind of bad request has its own status."""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.contract.items import (
    ITEMS,
    JSON,
    UNKNOWN_ID,
    assert_invalid,
    assert_problem,
    create,
    fresh_name,
    post_raw,
)
from tests.contract.wire import Connection, chunked, exchange, exchange_or_close, request
from tests.services import Service

LIMIT = 1_048_576
MEGABYTE = 1_000_000


def valid_body(size: int = 0) -> bytes:
    """A valid item, padded with white space to ``size`` bytes."""
    return json.dumps({"name": fresh_name()}).encode().ljust(size)


def post(
    service: Service, body: bytes | None, *headers: tuple[str, str], path: str = ITEMS
) -> httpx.Response:
    return exchange(service.address, "POST", path, headers, body)


@pytest.mark.any_database
@pytest.mark.contract("E1", "E2")
@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/v1", "/v1/itemsx", "/%F0%9F%A6%89", "/a%20b", "/%22%3Cx%3E"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_an_unknown_path_is_a_problem(service: Service, path: str, method: str) -> None:
    assert_problem(exchange(service.address, method, path), 404, path)


@pytest.mark.contract("E1")
def test_the_instance_is_the_path_without_the_query(service: Service) -> None:
    answer = service.http.get("/nowhere?token=secret")
    assert_problem(answer, 404, "/nowhere")
    assert "secret" not in answer.text


@pytest.mark.contract("E1")
def test_each_status_is_a_problem_with_its_own_title(service: Service) -> None:
    made = create(service.http)
    path = made.headers["location"]
    wrong_tag = {"If-Match": '"x"'}
    answers = {
        400: service.http.post(ITEMS, content=b"{", headers=JSON),
        404: service.http.get(f"{ITEMS}/{UNKNOWN_ID}"),
        405: service.http.patch(ITEMS),
        409: service.http.post(ITEMS, json={"name": made.json()["name"]}),
        412: service.http.put(path, json={"name": fresh_name()}, headers=wrong_tag),
        413: service.http.post(ITEMS, content=b" " * (LIMIT + 1), headers=JSON),
        415: service.http.post(ITEMS, content=b"{}", headers={"Content-Type": "text/plain"}),
        422: service.http.post(ITEMS, json={}),
    }
    titles = {assert_problem(answer, status)["title"] for status, answer in answers.items()}
    assert len(titles) == len(answers)


@pytest.mark.contract("E1")
def test_problems_of_the_same_kind_have_their_own_request_ids(service: Service) -> None:
    first, second = (assert_problem(service.http.get("/nowhere"), 404) for _ in range(2))
    assert first["request_id"] != second["request_id"]
    given = service.http.get("/nowhere", headers={"X-Request-ID": "my-own"})
    assert assert_problem(given, 404)["request_id"] == "my-own"


@pytest.mark.any_database
@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b'{"name": "x"',
        b'{"name": "x"}}',
        b"{'name': 'x'}",
        b'{"name": x}',
        b'{"name": "x",}',
        b'{"name" "x"}',
        b"nul",
        b'"x',
        b'{"name": "a\nb"}',
        b'{"name": "\\x41"}',
        b'{"name": "x"} {"name": "y"}',
        b"name=x",
        b"<item/>",
        b"\x00",
        b'{"quantity": 01}',
        b'{"quantity": +1}',
        b'{"quantity": .5}',
        b'{"quantity": 0x10}',
        b"// x\n{}",
    ],
    ids=lambda body: ascii(body)[2:-1][:24] or "empty",
)
def test_malformed_json_is_a_bad_request(service: Service, body: bytes) -> None:
    assert_problem(post_raw(service.http, body), 400, ITEMS)


@pytest.mark.contract("E2")
def test_no_body_at_all_is_a_bad_request(service: Service) -> None:
    """Neither a length nor a type: there is nothing whose type could be wrong."""
    assert_problem(post(service, None), 400, ITEMS)
    assert_problem(post(service, None, ("Content-Length", "0")), 400, ITEMS)
    assert_problem(post(service, None, *JSON.items()), 400, ITEMS)
    empty = chunked([])
    assert_problem(post(service, empty, *JSON.items(), ("Transfer-Encoding", "chunked")), 400)


@pytest.mark.any_database
@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    "encoding", ["latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "shift_jis"]
)
def test_json_that_is_not_utf8_is_a_bad_request(service: Service, encoding: str) -> None:
    name = "テ" if encoding == "shift_jis" else "é"
    body = json.dumps({"name": fresh_name() + name}, ensure_ascii=False).encode(encoding)
    assert_problem(post_raw(service.http, body), 400, ITEMS)


@pytest.mark.any_database
@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    "sequence",
    [
        b"\xff",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x80",
        b"\xe2\x82",
    ],
    ids=lambda sequence: str(sequence.hex()),
)
def test_broken_utf8_is_a_bad_request(service: Service, sequence: bytes) -> None:
    assert_problem(post_raw(service.http, b'{"name": "x' + sequence + b'"}'), 400, ITEMS)


@pytest.mark.any_database
@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/merge-patch+json",
        "application/jsonx",
        "application/problem+json",
        "json",
        "*/*",
        "application/*",
        "garbage",
        ";;;",
        "",
        " ",
        "text/plain; application/json",
        "application/json, text/plain",
        "x application/json",
    ],
)
def test_another_media_type_is_unsupported(service: Service, content_type: str) -> None:
    answer = post(service, valid_body(), ("Content-Type", content_type))
    assert_problem(answer, 415, ITEMS)


@pytest.mark.any_database
@pytest.mark.contract("E2")
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_without_a_media_type_is_unsupported(service: Service, method: str) -> None:
    path = ITEMS if method == "POST" else create(service.http).headers["location"]
    assert_problem(exchange(service.address, method, path, body=valid_body()), 415, path)
    body, header = chunked([valid_body()]), ("Transfer-Encoding", "chunked")
    assert_problem(exchange(service.address, method, path, [header], body), 415, path)


@pytest.mark.any_database
@pytest.mark.contract("E2")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity", "x", "gzip, gzip", "GZIP"])
def test_any_content_encoding_is_unsupported(service: Service, coding: str) -> None:
    body = valid_body()
    if "gzip" in coding.lower():
        body = gzip.compress(body)
    elif coding == "deflate":
        body = zlib.compress(body)
    answer = post(service, body, *JSON.items(), ("Content-Encoding", coding))
    assert_problem(answer, 415, ITEMS)


@pytest.mark.any_database
@pytest.mark.contract("E2")
@pytest.mark.any_server
def test_a_compressed_bomb_is_not_unpacked(service: Service) -> None:
    bomb = gzip.compress(b" " * 200 * MEGABYTE, 1)[: LIMIT - 1]
    with service.peak_growth() as growth:
        answer = post(service, bomb, *JSON.items(), ("Content-Encoding", "gzip"))
    assert_problem(answer, 415, ITEMS)
    assert growth[0] < 20 * MEGABYTE


@pytest.mark.contract("E2")
def test_a_body_of_exactly_the_limit_is_accepted(service: Service) -> None:
    answer = post(service, valid_body(LIMIT), *JSON.items())
    assert answer.status_code == 201, answer.text
    parts = [valid_body(LIMIT)[at : at + 60_000] for at in range(0, LIMIT, 60_000)]
    parts[0] = valid_body(60_000)
    chunks = chunked(parts)
    answer = post(service, chunks, *JSON.items(), ("Transfer-Encoding", "chunked"))
    assert answer.status_code == 201, answer.text


@pytest.mark.any_database
@pytest.mark.contract("E2")
@pytest.mark.parametrize("path", [ITEMS, f"{ITEMS}/{UNKNOWN_ID}"])
@pytest.mark.parametrize("over", [1, 2, 70_000])
def test_a_body_over_the_limit_gets_a_readable_answer(
    service: Service, path: str, over: int
) -> None:
    body = valid_body(LIMIT + over)
    method = "POST" if path == ITEMS else "PUT"
    answer = exchange(service.address, method, path, JSON.items(), body)
    assert_problem(answer, 413, path)
    chunks = chunked([body[:LIMIT], body[LIMIT:]])
    headers = [*JSON.items(), ("Transfer-Encoding", "chunked")]
    assert_problem(exchange(service.address, method, path, headers, chunks), 413, path)


@pytest.mark.any_database
@pytest.mark.contract("E2")
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_50_megabytes_are_refused_without_being_kept(service: Service, framing: str) -> None:
    """The server may close before it has read everything, but not grow by what was sent."""
    piece = b" " * 100_000
    if framing == "length":
        header, data = ("Content-Length", str(50 * MEGABYTE)), piece
    else:
        header, data = ("Transfer-Encoding", "chunked"), b"%x\r\n%s\r\n" % (len(piece), piece)
    with service.peak_growth() as growth, Connection(service.address) as connection:
        connection.send(request("POST", ITEMS, [*JSON.items(), header]))
        answer = send_until_answered(connection, data, 500)
    assert growth[0] < 20 * MEGABYTE, f"grew by {growth[0]} bytes"
    if answer is not None:
        assert_problem(answer, 413, ITEMS)
    assert service.is_live()
    assert post(service, valid_body(), *JSON.items()).status_code == 201


@pytest.mark.any_database
@pytest.mark.contract("E2", "E7")
def test_a_body_with_many_mistakes_costs_what_others_of_its_size_do(service: Service) -> None:
    """Each mistake may be an object of a kilobyte, and a megabyte has room for 87,000."""
    body = b"{%s}" % b",".join(b'"k%06d":1' % number for number in range(87_000))
    with service.peak_growth() as growth:
        answer = post(service, body, *JSON.items())
    assert "10,000 values" in assert_problem(answer, 400, ITEMS)["detail"]
    assert growth[0] < 20 * MEGABYTE, f"grew by {growth[0]} bytes"


def send_until_answered(connection: Connection, data: bytes, times: int) -> httpx.Response | None:
    """Send ``data`` again and again; the answer, or None where it was lost with the connection."""
    try:
        for _ in range(times):
            connection.send(data)
    except OSError:
        pass
    try:
        return connection.answer("POST")
    except (OSError, httpx.HTTPError):
        return None


@pytest.mark.contract("E2")
def test_a_declared_length_over_the_limit_is_refused_before_it_is_sent(service: Service) -> None:
    """Otherwise the server waits for, or keeps, what it will refuse."""
    headers = [*JSON.items(), ("Content-Length", str(50 * MEGABYTE)), ("Expect", "100-continue")]
    with Connection(service.address, timeout=5) as connection:
        connection.send(request("POST", ITEMS, headers))
        answer = connection.answer("POST")
    assert_problem(answer, 413, ITEMS)


@pytest.mark.contract("E2")
def test_a_client_may_wait_to_be_told_to_go_on(service: Service) -> None:
    body = valid_body()
    headers = [*JSON.items(), ("Content-Length", str(len(body))), ("Expect", "100-continue")]
    with Connection(service.address) as connection:
        connection.send(request("POST", ITEMS, headers))
        assert connection.socket.recv(21).startswith(b"HTTP/1.1 100")
        while not connection.socket.recv(4096).endswith(b"\r\n\r\n"):
            pass
        connection.send(body)
        assert connection.answer("POST").status_code == 201


@pytest.mark.contract("E2")
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_small_chunks_are_accepted(service: Service, size: int) -> None:
    accept_chunks(service, size)


@pytest.mark.limitable("chunk extension")
@pytest.mark.contract("E2")
def test_a_chunk_may_have_an_extension(service: Service) -> None:
    accept_chunks(service, 5, extension=b";a=b")


@pytest.mark.limitable("chunk trailer")
@pytest.mark.contract("E2")
def test_chunks_may_end_with_a_trailer(service: Service) -> None:
    accept_chunks(service, 5, trailer=b"X-After: 1\r\n")


def accept_chunks(
    service: Service, size: int, extension: bytes = b"", trailer: bytes = b""
) -> None:
    name = fresh_name("chunked")
    body = json.dumps({"name": name, "quantity": 3}).encode()
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    chunks = chunked(parts, extension=extension, trailer=trailer)
    answer = post(service, chunks, *JSON.items(), ("Transfer-Encoding", "chunked"))
    assert answer.status_code == 201, answer.text
    assert (answer.json()["name"], answer.json()["quantity"]) == (name, 3)


@pytest.mark.contract("E2")
def test_a_put_may_be_chunked_too(service: Service) -> None:
    path = create(service.http).headers["location"]
    name = fresh_name()
    chunks = chunked([b'{"name":', json.dumps(name).encode(), b"}"])
    headers = [*JSON.items(), ("Transfer-Encoding", "chunked")]
    answer = exchange(service.address, "PUT", path, headers, chunks)
    assert answer.status_code == 200, answer.text
    assert answer.json()["name"] == name


@pytest.mark.contract("E2")
def test_a_body_that_was_cut_off_is_not_stored(service: Service) -> None:
    """What arrived is valid JSON by itself, but not what the client meant to send."""
    name = fresh_name("cut")
    body = json.dumps({"name": name}).encode()
    data = request("POST", ITEMS, [*JSON.items(), ("Content-Length", str(len(body) + 10))]) + body
    answer = exchange_or_close(service.address, data, "POST", patience=0.2)
    assert answer is None or 400 <= answer.status_code < 500, answer
    assert create(service.http, name=name).status_code == 201, "the cut one was stored"


@pytest.mark.limitable("unfinished chunks")
@pytest.mark.contract("E2")
def test_a_chunked_body_without_its_end_is_not_stored(service: Service) -> None:
    """Without the last chunk a message is incomplete (RFC 9112, 8), however it looks."""
    name = fresh_name("endless")
    body = json.dumps({"name": name}).encode()
    chunk = b"%x\r\n%s\r\n" % (len(body), body)
    data = request("POST", ITEMS, [*JSON.items(), ("Transfer-Encoding", "chunked")]) + chunk
    answer = exchange_or_close(service.address, data, "POST", patience=0.2)
    assert answer is None or 400 <= answer.status_code < 500, answer
    assert create(service.http, name=name).status_code == 201, "the cut one was stored"


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    ("method", "status", "more"),
    [
        ("POST", 413, []),
        ("POST", 431, [("X-Long", "x" * 33_000)]),
        ("Post", 400, []),
    ],
)
def test_a_refusal_says_so_if_it_ends_the_connection(
    service: Service, method: str, status: int, more: list[tuple[str, str]]
) -> None:
    """A client that keeps connections would otherwise lose its next request on this one.

    Often, and several at once: whether a server notices by itself, in time for the head of its
    answer, is a race that goes on with each part of the body and with whatever else is to do.
    """
    size = LIMIT + 200_000

    def refused(sent: int) -> None:
        with Connection(service.address) as connection:
            headers = [*JSON.items(), ("Content-Length", str(size)), *more]
            connection.send(request(method, ITEMS, headers) + b" " * sent)
            answer = connection.answer("POST")
            assert answer.status_code == status, answer.text
            if answer.headers.get("connection", "").lower() != "close":
                connection.send(b" " * (size - sent))
                assert connection.exchange("GET", "/livez").status_code == 200

    with ThreadPoolExecutor(8) as pool:
        for outcome in [pool.submit(refused, sent) for sent in (0, 1000, 60_000) * 16]:
            outcome.result()


@pytest.mark.contract("E2")
@pytest.mark.any_server
def test_a_connection_can_be_used_after_a_refused_body(service: Service) -> None:
    """A body that is left unread must not be taken for the next request."""
    smuggled = request("DELETE", create(service.http).headers["location"])
    for headers in ({"Content-Type": "text/plain"}, JSON | {"Content-Encoding": "gzip"}):
        answer = service.http.post(ITEMS, content=smuggled, headers=headers)
        assert_problem(answer, 415, ITEMS)
        assert service.http.get("/livez").status_code == 200
    with Connection(service.address) as connection:
        head = request("POST", "/nowhere", [("Content-Length", str(len(smuggled)))])
        connection.send(head + smuggled)
        assert_problem(connection.answer("POST"), 404)
        connection.socket.settimeout(1)
        with contextlib.suppress(TimeoutError):
            assert connection.socket.recv(1) == b"", "a second answer came for one request"


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b'[{"name": "x"}]',
        b'"x"',
        b"5",
        b"true",
        b"1.5",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
    ],
    ids=lambda body: body.decode(),
)
def test_a_root_that_is_no_object_is_invalid(service: Service, body: bytes) -> None:
    assert_invalid(post_raw(service.http, body), "")


@pytest.mark.contract("E2")
def test_the_limit_is_what_it_was_set_to(configured: Service) -> None:
    host = ("Host", "api.example.com")
    assert post(configured, valid_body(1000), host, *JSON.items()).status_code == 201
    assert_problem(post(configured, valid_body(1001), host, *JSON.items()), 413, ITEMS)
    framing = ("Transfer-Encoding", "chunked")
    chunks = chunked([valid_body(500), b" " * 501])
    assert_problem(post(configured, chunks, host, framing, *JSON.items()), 413, ITEMS)
