"""E6: headers that harden every answer, and what is refused because of its headers."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.contract.items import ITEMS, JSON, assert_problem, create
from tests.contract.wire import exchange, exchange_or_close, request
from tests.services import Service

pytestmark = [pytest.mark.contract("E6"), pytest.mark.any_database]

PATHS = ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs", ITEMS, "/nowhere"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PATCH"])
def test_no_answer_is_sniffed_or_tells_a_version(service: Service, path: str, method: str) -> None:
    answer = exchange(service.address, method, path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"\d|/", answer.headers.get("server", ""))
    assert "x-powered-by" not in answer.headers


def test_created_unchanged_and_deleted_are_not_sniffed_either(service: Service) -> None:
    made = create(service.http)
    path, tag = made.headers["location"], made.headers["etag"]
    unchanged = service.http.get(path, headers={"If-None-Match": tag})
    invalid = service.http.post(ITEMS, json={})
    large = service.http.post(ITEMS, content=b" " * 1_048_577, headers=JSON)
    gone = service.http.delete(path)
    answers = (made, unchanged, invalid, large, gone)
    assert [a.status_code for a in answers] == [201, 304, 422, 413, 204]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost"])
def test_no_other_origin_is_let_in(service: Service, origin: str) -> None:
    preflight = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    for answer in (
        service.http.get(ITEMS, headers={"Origin": origin}),
        service.http.options(ITEMS, headers=preflight),
        service.http.get("/nowhere", headers={"Origin": origin}),
    ):
        allowed = [name for name in answer.headers if name.startswith("access-control-")]
        assert allowed == []


@pytest.mark.parametrize(
    "path",
    [
        "/console",
        "/?__debugger__=yes&cmd=resource&f=style.css",
        "/__debug__/",
        "/debug",
        "/_debug",
        "/_debug_toolbar/",
        "/redoc",
        "/swagger",
        "/graphql",
        "/nowhere?debug=1",
    ],
)
def test_there_is_no_debug_page(service: Service, path: str) -> None:
    assert_problem(service.http.get(path), 404)


def hosted(service: Service, host: str, path: str = f"{ITEMS}?limit=1") -> httpx.Response:
    return exchange(service.address, "GET", path, [("Host", host)])


@pytest.mark.parametrize(
    "host",
    [
        "api.example.com",
        "API.Example.COM",
        "api.example.com:8000",
        "a.example.org",
        "a.b.example.org",
    ],
)
def test_an_allowed_host_is_served(configured: Service, host: str) -> None:
    assert hosted(configured, host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "example.com",
        "xapi.example.com",
        "api.example.com.evil.example",
        "localhost",
        "127.0.0.1",
        "example.org",
        "evilexample.org",
        "a.example.org.evil",
        "api.example.com@evil",
        "evil.example#api.example.com",
        "api.example.com, evil.example",
    ],
)
@pytest.mark.parametrize("path", [ITEMS, "/openapi.json", "/docs", "/nowhere"])
def test_another_host_is_refused(configured: Service, host: str, path: str) -> None:
    assert_problem(hosted(configured, host, path), 400, path)


def test_a_request_without_a_host_is_refused_where_hosts_are_listed(configured: Service) -> None:
    answer = exchange_or_close(configured.address, f"GET {ITEMS} HTTP/1.0\r\n\r\n".encode())
    assert answer is not None
    assert answer.status_code == 400


def test_two_hosts_are_not_served(configured: Service) -> None:
    headers = [("Host", "api.example.com"), ("Host", "evil.example")]
    answer = exchange_or_close(configured.address, request("GET", ITEMS, headers))
    assert answer is None or answer.status_code == 400


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
@pytest.mark.parametrize("host", ["10.1.2.3:8000", "evil.example", ""])
def test_probes_are_answered_under_any_host(configured: Service, path: str, host: str) -> None:
    assert hosted(configured, host, path).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "10.0.0.1", "api.example.com:1"])
def test_any_host_is_served_unless_hosts_are_listed(service: Service, host: str) -> None:
    assert hosted(service, host).status_code == 200


@pytest.mark.parametrize(
    "headers",
    {
        "one of 33 KB": [("X-Long", "x" * 33_000)],
        "one of 60 KB": [("X-Long", "x" * 60_000)],
        "70 of 500 B": [(f"X-{n}", "x" * 500) for n in range(70)],
        "a cookie of 40 KB": [("Cookie", "c=" + "x" * 40_000)],
        "a name of 33 KB": [("X-" + "x" * 33_000, "1")],
    }.items(),
    ids=lambda entry: entry[0],
)
def test_headers_over_32_kb_are_refused(
    service: Service, headers: tuple[str, list[tuple[str, str]]]
) -> None:
    for method, path in (("GET", "/livez"), ("GET", ITEMS), ("POST", ITEMS)):
        answer = exchange_or_close(service.address, request(method, path, headers[1]), method)
        assert answer is not None
        assert 400 <= answer.status_code < 500


def test_a_path_over_32_kb_is_refused(service: Service) -> None:
    answer = exchange_or_close(service.address, request("GET", "/" + "x" * 33_000))
    assert answer is not None
    assert 400 <= answer.status_code < 500


def test_headers_far_over_the_limit_harm_nothing(service: Service) -> None:
    """More is sent than may be kept; who reads on without an end would show it."""
    with service.peak_growth() as growth:
        data = request("GET", "/livez", [("X-Long", "x" * 30_000_000)])
        answer = exchange_or_close(service.address, data)
    assert answer is None or 400 <= answer.status_code < 500
    assert growth[0] < 20_000_000
    assert service.is_live()


def test_headers_of_16_kb_are_accepted(service: Service) -> None:
    answer = service.http.get(ITEMS, headers={f"X-{n}": "x" * 490 for n in range(32)})
    assert answer.status_code == 200
    assert service.http.get(ITEMS, headers={"Cookie": "c=" + "x" * 16_000}).status_code == 200
