"""H1: liveness asks nobody, readiness asks each dependency and tells no secret."""

from __future__ import annotations

import contextlib

import httpx
import pytest

from tests.contract.conftest import Launch, NewDatabase
from tests.contract.databases import Database
from tests.contract.items import ITEMS, create
from tests.contract.wire import exchange
from tests.servers import wait_until
from tests.services import Project, Service

pytestmark = pytest.mark.contract("H1")


def assert_health(answer: httpx.Response, status: int, body: dict[str, object]) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].split(";")[0] == "application/health+json"
    assert "no-store" in answer.headers["cache-control"]
    assert answer.json() == body


def test_a_live_process_says_so(service: Service) -> None:
    assert_health(service.http.get("/livez"), 200, {"status": "pass"})


def test_a_ready_service_says_what_it_asked(service: Service) -> None:
    answer = service.http.get("/readyz")
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == "application/health+json"
    assert "no-store" in answer.headers["cache-control"]
    body = answer.json()
    assert set(body) == {"status", "checks"}
    assert body["status"] == "pass"
    assert body["checks"]["database"] == {"status": "pass"}
    assert set(body["checks"]) <= {"database", "schema", "draining", "broker"}
    assert all(check == {"status": "pass"} for check in body["checks"].values())


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_take_any_query_and_header(service: Service, path: str) -> None:
    for target in (path, f"{path}?verbose", f"{path}?x=1&x=2"):
        answer = exchange(service.address, "GET", target, [("User-Agent", "kube-probe/1.34")])
        assert answer.status_code == 200


def test_readiness_does_not_need_the_items_to_be_quick(
    service: Service, database: Database
) -> None:
    """A lock on the items is no reason to take the service out of the balance."""
    create(service.http)
    with database.hold_writes():
        assert service.http.get("/readyz").status_code == 200


@pytest.mark.any_framework("flask", "django", "nameko")
def test_an_empty_database_is_not_ready_until_it_is_migrated(
    project: Project, launch: Launch, new_database: NewDatabase
) -> None:
    """On SQLite the service may bring the schema up itself; it never says ready without one."""
    database = new_database()
    service = launch(database)
    wait_until(lambda: settled(service.http.get("/readyz")), 10, "it knows of its schema")
    answer = service.http.get("/readyz")
    if database.kind == "sqlite" and answer.status_code == 200:
        assert create(service.http).status_code == 201
        return
    assert answer.status_code == 503
    assert answer.headers["content-type"].split(";")[0] == "application/health+json"
    assert answer.json()["status"] == "fail"
    assert answer.json()["checks"]["schema"] == {"status": "fail"}
    assert answer.json()["checks"]["database"] == {"status": "pass"}
    assert service.http.get("/livez").json() == {"status": "pass"}
    assert database.schema() == [], "serving is no migration"
    project.migrate({"DATABASE_URL": database.url})
    wait_until(
        lambda: service.http.get("/readyz").status_code == 200, 10, "ready after the migration"
    )
    assert create(service.http).status_code == 201


def settled(answer: httpx.Response) -> bool:
    """Not merely a broker that has not answered yet."""
    return answer.status_code == 200 or "schema" in answer.json()["checks"]


def test_probes_say_nothing_about_the_inside(service: Service, database: Database) -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(database.broken())
        answers = [service.http.get(path) for path in ("/livez", "/readyz")]
    for answer in answers:
        for word in (*database.secrets, "localhost", "127.0.0.1", "Error", "items", "sql"):
            assert word not in answer.text
    assert service.http.get(ITEMS).status_code == 200
