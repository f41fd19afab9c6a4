"""H3, H4: one JSON object a line, ids that lead from an answer to its lines, and no secret."""

from __future__ import annotations

import json
import re
import socket
import string
from collections.abc import Iterator

import httpx
import pytest

from tests.contract.conftest import Launch
from tests.contract.databases import Database
from tests.contract.items import ITEMS, JSON, UNKNOWN_ID, assert_problem, create, fresh_name
from tests.contract.wire import Connection, exchange, exchange_or_close, request
from tests.services import LogEntry, Project, Service

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
VISIBLE = "".join(chr(c) for c in range(0x21, 0x7F))
SECRETS = {
    "Authorization": "Bearer s3cret-token-in-a-header",
    "Proxy-Authorization": "Basic s3cret-proxy",
    "Cookie": "session=s3cret-cookie",
    "X-Api-Key": "s3cret-api-key",
}


def fresh_id(what: str = "id") -> str:
    return fresh_name(what).replace(" ", "-")


def line_of(service: Service, answer: httpx.Response) -> LogEntry:
    return service.wait_for_request_line(answer.headers["x-request-id"])


def assert_json_lines(service: Service) -> None:
    """Every line of both streams, from the first to the last, whoever printed it."""
    for line in service.lines:
        entry = json.loads(line)
        assert isinstance(entry, dict), line
        assert {"time", "level", "event"} <= set(entry), line
        moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"
        assert re.fullmatch(moment, entry["time"]), line
        assert entry["level"] in {"debug", "info", "warning", "error", "critical"}, line
        assert isinstance(entry["event"], str), line


def assert_no_secret(service: Service, database: Database) -> None:
    for word in ("s3cret", *database.secrets):
        assert word not in service.output, f"{word} was printed"


@pytest.mark.contract("H3")
@pytest.mark.parametrize(
    ("method", "path", "status", "route"),
    [
        ("GET", f"{ITEMS}?limit=3&token=s3cret", 422, ITEMS),
        ("POST", ITEMS, 400, ITEMS),
        ("GET", f"{ITEMS}/abc?x=s3cret", 404, f"{ITEMS}/{{item_id}}"),
        ("TRACE", f"{ITEMS}/abc", 405, f"{ITEMS}/{{item_id}}"),
        ("GET", "/nowhere?s3cret", 404, ""),
        ("HEAD", "/openapi.json", 200, "/openapi.json"),
        ("OPTIONS", ITEMS, 204, ITEMS),
    ],
)
def test_a_request_has_one_line_that_tells_all(
    service: Service, method: str, path: str, status: int, route: str
) -> None:
    answer = exchange(service.address, method, path)
    assert answer.status_code == status
    entry = line_of(service, answer)
    assert entry["method"] == method
    assert entry["route"] == route
    assert entry["path"] == path.partition("?")[0]
    assert entry["status"] == status
    assert re.fullmatch(r"[0-9a-f]{32}", entry["trace_id"])
    assert isinstance(entry["duration_ms"], int | float)
    assert 0 <= entry["duration_ms"] < 30_000
    assert {"time", "level", "event"} <= set(entry)


@pytest.mark.any_database
@pytest.mark.contract("H3")
@pytest.mark.parametrize(
    "url",
    [
        "/x%0a{%22level%22:%22critical%22}",
        "/x%0d%0a{}",
        "/%0aforged",
        f"{ITEMS}/%0aforged",
        "/x%00y",
        "/x%1b[31mred",
        "/x%E2%80%A8forged",
        "/x%C2%85forged",
        "/x%22,%22a%22:%22",
        f"{ITEMS}?x=%0aforged",
        "/\\nforged",
        "/%ff%0aforged",
    ],
)
def test_a_url_cannot_forge_a_line(service: Service, url: str) -> None:
    request_id = fresh_id()
    exchange(service.address, "GET", url, [("X-Request-ID", request_id)])
    entry = service.wait_for_request_line(request_id)
    assert entry["level"] != "critical"
    assert not [line for line in service.lines if not line.startswith("{")]
    assert not [entry for entry in service.log if "forged" in str(entry.get("event"))]


@pytest.mark.any_database
@pytest.mark.contract("H3")
@pytest.mark.parametrize("name", ["User-Agent", "X-Request-ID", "Referer", "X-Forwarded-For"])
@pytest.mark.parametrize(
    "value", [b"a\n{}forged", b"a\r{}forged", b"a\r\n {}forged", b"a\x0bforged"]
)
def test_a_header_cannot_forge_a_line(service: Service, name: str, value: bytes) -> None:
    exchange_or_close(service.address, request("GET", ITEMS, [(name, value)]))
    last = exchange(service.address, "GET", ITEMS)
    line_of(service, last)
    assert not [line for line in service.lines if not line.startswith('{"')]


@pytest.mark.contract("H3")
def test_a_secret_in_a_request_is_not_logged(service: Service, database: Database) -> None:
    for path in (ITEMS, "/nowhere", f"{ITEMS}?limit=0&token=s3cret"):
        answer = service.http.get(path, headers=SECRETS)
        line_of(service, answer)
    answer = service.http.post(ITEMS, json={"name": "", "s3cret": "s3cret"}, headers=SECRETS)
    line_of(service, answer)
    assert_no_secret(service, database)


@pytest.mark.contract("H3", "E4")
def test_a_secret_is_not_logged_with_an_internal_error(
    service: Service, database: Database
) -> None:
    with database.broken():
        answer = service.http.get(f"{ITEMS}/{UNKNOWN_ID}?token=s3cret", headers=SECRETS)
    assert answer.status_code == 500
    line_of(service, answer)
    assert_no_secret(service, database)


def probes(service: Service, level: str) -> Iterator[LogEntry]:
    return (e for e in service.log if e.get("route") in PROBES and e["level"] == level)


PROBES = {"/livez", "/readyz", "/metrics"}


@pytest.mark.any_database
@pytest.mark.contract("H3", "P4")
def test_probes_are_logged_at_debug_alone(service: Service, configured: Service) -> None:
    for running in (service, configured):
        for path in PROBES:
            assert running.http.get(path).status_code == 200
        line_of(running, running.http.get(f"{ITEMS}?limit=1"))
    assert {entry["route"] for entry in probes(configured, "debug")} == PROBES
    assert not [e for e in configured.log if e.get("route") in PROBES and e["level"] != "debug"]
    assert not [entry for entry in service.log if entry.get("route") in PROBES]
    assert not [entry for entry in service.log if entry["level"] == "debug"]


@pytest.mark.slow
@pytest.mark.contract("P4")
def test_a_quiet_service_logs_no_request_that_went_well(launch: Launch) -> None:
    service = launch(LOG_LEVEL="error")
    assert service.http.get(ITEMS).status_code == 200
    service.terminate()
    service.wait_for_exit(10)
    assert [entry for entry in service.log if entry["level"] in {"debug", "info"}] == []


@pytest.mark.any_framework
@pytest.mark.contract("H3", "P4")
def test_the_format_of_the_log_can_be_chosen(framework_project: Project) -> None:
    """Away from a terminal, where `auto` means JSON."""
    said = {
        chosen: framework_project.run(
            "migrate", environment={"LOG_FORMAT": chosen, "WORKERS": "0"}
        ).stdout
        for chosen in ("text", "auto", "json")
    }
    assert re.match(r"\d\d:\d\d:\d\d \[critical *\] WORKERS: ", said["text"])
    assert "WORKERS: " in json.loads(said["auto"])["event"]
    assert "WORKERS: " in json.loads(said["json"])["event"]


GARBAGE = [
    b"garbage\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    b"GET  /  HTTP/1.1\r\n\r\n",
    b"GET /%0a%0d HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\xfe\r\nConnection: close\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"POST /v1/items HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\ncut",
    b"POST /v1/items HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"\x00" * 100,
    b"",
]


@pytest.mark.slow
@pytest.mark.contract("H3")
def test_from_start_to_end_every_line_is_json(launch: Launch) -> None:
    """The server's own lines too, whatever arrives, at the lowest level."""
    service = launch(LOG_LEVEL="debug")
    for data in GARBAGE:
        exchange_or_close(service.address, data)
        with Connection(service.address) as connection:
            connection.send(data)
            reset = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    create(service.http)
    service.terminate()
    assert service.wait_for_exit(10) == 0
    assert service.lines
    assert_json_lines(service)


@pytest.mark.last
@pytest.mark.contract("H3")
def test_after_all_tests_every_line_is_json_and_none_holds_a_secret(
    service: Service, database: Database
) -> None:
    assert_json_lines(service)
    assert_no_secret(service, database)


@pytest.mark.last
@pytest.mark.contract("E3")
def test_after_all_tests_only_broken_databases_made_internal_errors(service: Service) -> None:
    """Nothing that a test sent made the service lose its temper without an answer to show it."""
    lost = [
        entry
        for entry in service.log
        if "Traceback" in str(entry) and "items" not in str(entry) and "request_id" not in entry
    ]
    assert lost == []


@pytest.mark.any_database
@pytest.mark.contract("H4")
@pytest.mark.parametrize(
    "given", ["a", "!", "~", "a" * 128, VISIBLE, VISIBLE[::-1], "550e8400-e29b-41d4-a716"]
)
def test_a_callers_request_id_is_kept(service: Service, given: str) -> None:
    for path in (ITEMS, "/nowhere", "/livez"):
        answer = exchange(service.address, "GET", path, [("X-Request-ID", given)])
        assert answer.headers["x-request-id"] == given


@pytest.mark.any_database
@pytest.mark.contract("H4")
@pytest.mark.parametrize(
    "given",
    [
        b"",
        b" ",
        b"a" * 129,
        b"a b",
        b"a\tb",
        b"\xc3\xa9",
        b"a\xff",
        b"a" * 5000,
        b"a\x7fb",
        "🦉".encode(),
    ],
    ids=lambda given: ascii(given)[:16],
)
def test_an_unfit_request_id_is_replaced(service: Service, given: bytes) -> None:
    data = request("GET", ITEMS, [("X-Request-ID", given)])
    answer = exchange_or_close(service.address, data)
    assert answer is not None
    if answer.status_code == 400 and b"\x7f" in given:
        return  # the server's parser may refuse such a header before any handler is reached
    assert answer.status_code == 200
    assert_fresh_id(answer.headers["x-request-id"], given.decode("latin-1"))


def assert_fresh_id(request_id: str, given: str) -> None:
    assert request_id != given
    assert 8 <= len(request_id) <= 128
    assert set(request_id) <= set(string.ascii_letters + string.digits + "-_")


@pytest.mark.any_database
@pytest.mark.contract("H4")
def test_two_request_ids_give_one(service: Service) -> None:
    lines = [("X-Request-ID", "first"), ("X-Request-ID", "second")]
    answer = exchange(service.address, "GET", ITEMS, lines)
    assert len(answer.headers.get_list("x-request-id")) == 1
    assert re.fullmatch(r"[\x21-\x7e]{1,128}", answer.headers["x-request-id"])


@pytest.mark.any_database
@pytest.mark.contract("H4")
def test_every_answer_has_a_request_id_of_its_own(service: Service) -> None:
    made = create(service.http)
    path, tag = made.headers["location"], made.headers["etag"]
    answers = [
        made,
        service.http.get(path),
        service.http.head(path),
        service.http.options(path),
        service.http.patch(path),
        service.http.get(path, headers={"If-None-Match": tag}),
        service.http.put(path, json={"name": fresh_name()}, headers={"If-Match": '"x"'}),
        service.http.post(ITEMS, content=b"{", headers=JSON),
        service.http.post(ITEMS, content=b"{}"),
        service.http.post(ITEMS, json={}),
        service.http.post(ITEMS, content=b" " * 1_048_577, headers=JSON),
        service.http.delete(path),
        service.http.get(path),
        service.http.get("/nowhere"),
        *(service.http.get(p) for p in ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs")),
        *(service.http.head(p) for p in ("/livez", "/metrics", "/nowhere")),
    ]
    request_ids = [answer.headers["x-request-id"] for answer in answers]
    assert all(re.fullmatch(r"[\x21-\x7e]{1,128}", request_id) for request_id in request_ids)
    assert len(set(request_ids)) == len(request_ids)


@pytest.mark.any_database
@pytest.mark.contract("H4")
@pytest.mark.parametrize(
    "header",
    [
        f"00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-00",
        f"00-{TRACE}-{PARENT}-ff",
        f"01-{TRACE}-{PARENT}-01",
        f"cc-{TRACE}-{PARENT}-01-what-the-future-brings",
    ],
)
def test_a_valid_traceparent_gives_its_trace_id(service: Service, header: str) -> None:
    answer = exchange(service.address, "GET", ITEMS, [("traceparent", header)])
    assert answer.status_code == 200
    assert line_of(service, answer)["trace_id"] == TRACE


@pytest.mark.any_database
@pytest.mark.contract("H4")
@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        TRACE,
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-0",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-0x",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"0-{TRACE}-{PARENT}-01",
        f"cc-{TRACE}-{PARENT}-01x",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE[:-1]}g-{PARENT}-01",
        f"00_{TRACE}_{PARENT}_01",
        f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01",
        "\u0660" * 55,
        "x" * 5000,
    ],
    ids=lambda header: ascii(header)[1:40],
)
@pytest.mark.any_server
def test_an_invalid_traceparent_starts_a_new_trace(service: Service, header: str) -> None:
    answers = [exchange(service.address, "GET", ITEMS, [("traceparent", header)]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    traces = {line_of(service, answer)["trace_id"] for answer in answers}
    assert len(traces) == 2
    for trace in traces:
        assert re.fullmatch(r"[0-9a-f]{32}", trace)
        assert trace not in {TRACE, "0" * 32}


@pytest.mark.contract("H3", "E1")
def test_a_problem_leads_to_its_line(service: Service) -> None:
    problem = assert_problem(service.http.get("/nowhere"), 404)
    assert service.wait_for_request_line(problem["request_id"])["status"] == 404
