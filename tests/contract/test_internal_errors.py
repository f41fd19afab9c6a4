"""E4: an error inside shows nothing outside, and everything in the log."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from tests.contract.databases import Database
from tests.contract.items import ITEMS, JSON, assert_problem, create, fresh_name
from tests.services import Service

pytestmark = pytest.mark.contract("E4")

INSIDE = re.compile(
    r"traceback|exception|sqlalchemy|sqlite|psycopg|postgres|no such table|relation|undefinedtable"
    r"|operationalerror|programmingerror|databaseerror|select |insert |\.py\b|site-packages"
    r"|/tmp|/home"
    r"|items_put_aside|flask|django|fastapi|starlette|tornado|falcon|sanic|pyramid|nameko|werkzeug"
    r"|granian|gunicorn|uvicorn|python|\d+\.\d+\.\d+",
    re.IGNORECASE,
)

Request = Callable[[httpx.Client, str], httpx.Response]
REQUESTS: dict[str, Request] = {
    "list": lambda client, _path: client.get(ITEMS),
    "read": lambda client, path: client.get(path),
    "create": lambda client, _path: client.post(ITEMS, json={"name": fresh_name()}),
    "replace": lambda client, path: client.put(path, json={"name": fresh_name()}),
    "delete": lambda client, path: client.delete(path),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_table_that_is_gone_is_an_internal_error(
    service: Service, database: Database, kind: str
) -> None:
    """The database answers, so this is no outage: 500, not 503."""
    path = create(service.http).headers["location"]
    with database.broken():
        answer = REQUESTS[kind](service.http, path)
        assert service.http.get("/livez").status_code == 200
    problem = assert_problem(answer, 500, ITEMS if kind in {"list", "create"} else path)
    shown = " ".join(str(problem[m]) for m in ("type", "title", "detail"))
    assert not INSIDE.search(shown), shown
    for name, value in answer.headers.items():
        assert name in {"date", "x-request-id"} or not re.search(r"Error|\.py", value), name
    assert_logged_with_traceback(service, answer.headers["x-request-id"])
    assert service.http.get(path).status_code == 200, "well again at once"


def test_the_callers_own_request_id_leads_to_the_traceback(
    service: Service, database: Database
) -> None:
    request_id = fresh_name("trace").replace(" ", "-")
    with database.broken():
        answer = service.http.get(ITEMS, headers={"X-Request-ID": request_id})
    assert_problem(answer, 500, ITEMS)
    assert_logged_with_traceback(service, request_id)


def test_head_of_an_internal_error_shows_nothing_either(
    service: Service, database: Database
) -> None:
    with database.broken():
        answer = service.http.head(ITEMS)
    assert answer.status_code == 500
    assert answer.content == b""


@pytest.mark.contract("H2")
def test_an_internal_error_is_counted_and_leaves_no_request_active(
    service: Service, database: Database
) -> None:
    wanted = (
        'http_server_request_duration_seconds_count{http_request_method="POST",'
        'http_response_status_code="500",http_route="/v1/items"}'
    )

    def count() -> float:
        lines = service.http.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if sorted_labels(line) == wanted)

    before = count()
    with database.broken():
        answer = service.http.post(ITEMS, content=b'{"name": "x"}', headers=JSON)
    assert answer.status_code == 500
    assert count() == before + 1


def sorted_labels(line: str) -> str:
    """A sample's name with its labels in alphabetical order."""
    name, _, rest = line.partition("{")
    labels = rest.partition("}")[0]
    return f"{name}{{{','.join(sorted(labels.split(',')))}}}"


def assert_logged_with_traceback(service: Service, request_id: str) -> None:
    line = service.wait_for_request_line(request_id)
    assert line["status"] == 500
    told = [str(value) for entry in service.entries_of(request_id) for value in entry.values()]
    assert any("Traceback (most recent call last)" in text for text in told)
    assert any("items" in text and "Error" in text for text in told), "what went wrong"
