"""N10: what a proxy might read in another way is refused, and what it relies on is not forged."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.contract.items import ITEMS, JSON, assert_problem, create, fresh_name
from tests.contract.wire import Connection, exchange, exchange_or_close, request
from tests.services import Service

pytestmark = [pytest.mark.contract("N10"), pytest.mark.any_database]

CHUNKED = ("Transfer-Encoding", "chunked")

# `%x` is the size of the chunk, and `%s` the chunk.
SIZES = {
    "0x before a size": b"0x%x\r\n%s\r\n0\r\n\r\n",
    "a plus before a size": b"+%x\r\n%s\r\n0\r\n\r\n",
    "an underscore in a size": b"0_%x\r\n%s\r\n0\r\n\r\n",
    "a vertical tab before a size": b"\x0b%x\r\n%s\r\n0\r\n\r\n",
    "a bare line feed after a size": b"%x\n%s\r\n0\r\n\r\n",
}

ENDS = {
    "a bare line feed after a chunk": b"%x\r\n%s\n0\r\n\r\n",
    "other bytes after a chunk": b"%x\r\n%sxx0\r\n\r\n",
    "a minus before the last size": b"%x\r\n%s\r\n-0\r\n\r\n",
}

HEADERS = {
    "a vertical tab before chunked": ("Transfer-Encoding", "\x0bchunked"),
    "a form feed after chunked": ("Transfer-Encoding", "chunked\x0c"),
    "NUL in a header": ("X-Odd", "a\0b"),
    "a carriage return in a header": ("X-Odd", "a\rTransfer-Encoding: chunked"),
}


def refused_or_closed(answer: httpx.Response | None) -> bool:
    return answer is None or answer.status_code == 400


@pytest.mark.parametrize("body", SIZES.values(), ids=SIZES)
def test_a_size_that_is_not_written_exactly_is_refused(service: Service, body: bytes) -> None:
    refuse_chunk(service, body)


@pytest.mark.limitable("unfinished chunks")
@pytest.mark.contract("E2")
@pytest.mark.parametrize("body", ENDS.values(), ids=ENDS)
def test_a_chunk_that_does_not_end_exactly_is_refused(service: Service, body: bytes) -> None:
    refuse_chunk(service, body)


def refuse_chunk(service: Service, body: bytes) -> None:
    name = fresh_name("framed")
    content = json.dumps({"name": name}).encode()
    sent = request("POST", ITEMS, [*JSON.items(), CHUNKED]) + body % (len(content), content)
    answer = exchange_or_close(service.address, sent, "POST", patience=1)
    assert refused_or_closed(answer), answer
    assert create(service.http, name=name).status_code == 201, "it was stored"


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_header_with_a_control_character_is_refused(
    service: Service, header: tuple[str, str]
) -> None:
    name = fresh_name("framed")
    content = json.dumps({"name": name}).encode()
    more = [] if header[0] == "Transfer-Encoding" else [CHUNKED]
    head = request("POST", ITEMS, [*JSON.items(), header, *more])
    sent = head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
    answer = exchange_or_close(service.address, sent, "POST", patience=1)
    assert refused_or_closed(answer), answer
    assert create(service.http, name=name).status_code == 201, "it was stored"


@pytest.mark.limitable("underscores")
def test_a_name_with_an_underscore_is_no_name_with_a_dash(service: Service) -> None:
    """Proxies set or remove X-Request-ID, and do not know X_Request_ID."""
    made = create(service.http)
    path, tag = made.headers["location"], made.headers["etag"]
    forged = [("X-Request-ID", "ours"), ("X_Request_ID", "theirs"), ("If_Match", '"stale"')]
    answer = exchange(service.address, "DELETE", path, forged)
    assert answer.status_code == 204, answer.text
    assert answer.headers["X-Request-ID"] == "ours"
    with Connection(service.address) as connection:
        unknown = connection.exchange("GET", path, headers=[("If_None_Match", tag)])
    assert_problem(unknown, 404)
