"""What holds for the service whatever its resources are."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest

from stock_keeper.settings import Settings

ClientOf = Callable[[Settings], AbstractContextManager[httpx.Client]]
PROBLEM = "application/problem+json"
CHECKS = {"database": {"status": "pass"}}


@pytest.fixture
def list_path(client: httpx.Client) -> str:
    """The path of a list to which something can be added."""
    paths: dict[str, Any] = client.get("/openapi.json").json()["paths"]
    return next((path for path in paths if {"get", "post"} <= paths[path].keys()), "/v1/none")


def test_liveness_asks_nothing_else(settings: Settings, client_of: ClientOf) -> None:
    with client_of(settings) as client:
        answer = client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "pass"})
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_migrated_database_makes_it_ready(client: httpx.Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "pass", "checks": CHECKS}
    assert answer.headers["Content-Type"] == "application/health+json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_empty_database_does_not(settings: Settings, client_of: ClientOf) -> None:
    with client_of(settings) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["schema"] == {"status": "fail"}


def test_an_unreachable_database_is_reported_within_three_seconds(
    client_of: ClientOf, list_path: str
) -> None:
    settings = Settings(database_url="postgresql://127.0.0.1:1/none", database_timeout_seconds=2)
    with client_of(settings) as client:
        ready = client.get("/readyz")
        rows = client.get(list_path)
    assert ready.status_code == 503
    assert ready.json()["checks"] == CHECKS | {"database": {"status": "fail"}}
    assert (rows.status_code, rows.headers["Content-Type"]) == (503, PROBLEM)


def test_requests_are_counted_by_the_route_and_not_by_the_path(
    client: httpx.Client, list_path: str
) -> None:
    client.get(f"{list_path}/1")
    client.get("/never/heard/of")
    text = client.get("/metrics").text
    assert f'http_route="{list_path}/' in text
    assert "never" not in text


def test_the_document_describes_every_operation_once(client: httpx.Client) -> None:
    document: dict[str, Any] = client.get("/openapi.json").json()
    paths = document["paths"].values()
    operations = [operation["operationId"] for path in paths for operation in path.values()]
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "stock-keeper"
    assert len(operations) == len(set(operations)) > 0


def test_the_document_has_the_methods_that_the_service_has(client: httpx.Client) -> None:
    paths: dict[str, Any] = client.get("/openapi.json").json()["paths"]
    for path, operations in paths.items():
        allowed = client.options(re.sub(r"\{\w+\}", "1", path)).headers["Allow"]
        described = {method.upper() for method in operations} | {"OPTIONS"}
        described |= {"HEAD"} if "get" in operations else set()
        assert (path, set(allowed.split(", "))) == (path, described)


def test_the_docs_page_asks_no_other_host(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page.text)


def test_the_ids_of_a_request_are_kept_or_made(client: httpx.Client) -> None:
    assert client.get("/livez", headers={"X-Request-ID": "mine"}).headers["X-Request-ID"] == "mine"
    for bad in ("", "two words", "x" * 129):
        made = client.get("/livez", headers={"X-Request-ID": bad}).headers["X-Request-ID"]
        assert re.fullmatch("[0-9a-f]{32}", made)


def test_a_problem_names_its_request(client: httpx.Client) -> None:
    answer = client.get("/no/such/path", headers={"X-Request-ID": "mine"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, PROBLEM)
    assert answer.json() | {"detail": ""} == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "",
        "instance": "/no/such/path",
        "request_id": "mine",
    }


@pytest.mark.parametrize("path", ["/livez/", "//livez", "/LIVEZ", "/v1//products"])
def test_a_path_is_taken_literally(client: httpx.Client, path: str) -> None:
    answer = client.get(str(client.base_url).rstrip("/") + path)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b'"\xff"', {}, 400),
        (b"[" * 100_000, {}, 400),
        (b'{"x": "\\ud800"}', {}, 400),
        (b'{"x": ' + b"9" * 5000 + b"}", {}, 400),
        (b'{"x": NaN}', {}, 422),
        (b'{"x": 1e999}', {}, 422),
        (b'{"x": 1}', {"Content-Type": "text/plain"}, 415),
        (b'{"x": 1}', {"Content-Encoding": "gzip"}, 415),
        (b" " * 1_048_577, {}, 413),
    ],
)
def test_a_hostile_body_is_refused(
    client: httpx.Client, list_path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    sent = {"Content-Type": "application/json"} | headers
    answer = client.post(list_path, content=body, headers=sent)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM)


def test_too_long_headers_are_refused(client: httpx.Client) -> None:
    assert client.get("/livez", headers={"X-Long": "x" * 33_000}).status_code == 431


def test_only_the_allowed_hosts_are_answered(settings: Settings, client_of: ClientOf) -> None:
    allowing = settings.model_copy(update={"allowed_hosts": ("test", "*.example.com")})
    with client_of(allowing) as client:
        for host, status in (
            ("test", 404),
            ("test:8000", 404),
            ("a.example.com", 404),
            ("example.com", 400),
            ("elsewhere", 400),
        ):
            answer = client.get("/none", headers={"Host": host})
            assert (host, answer.status_code) == (host, status)
        assert client.get("/livez", headers={"Host": "elsewhere"}).status_code == 200


def test_an_internal_error_tells_nothing_of_the_inside(
    settings: Settings, client_of: ClientOf, list_path: str
) -> None:
    empty = settings.model_copy(update={"database_url": f"{settings.database_url}.empty"})
    if not settings.on_sqlite:
        pytest.skip("one database without tables will do")
    with client_of(empty) as client:
        answer = client.get(list_path)
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == PROBLEM
    assert "table" not in answer.text
