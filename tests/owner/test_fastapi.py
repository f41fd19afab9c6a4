"""A FastAPI service from its other front doors: TestClient, the command line, and its end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import httpx
import pytest

from tests.contract.conftest import NewDatabase, Target
from tests.contract.items import fresh_name
from tests.owner.case import Case
from tests.owner.cases.fastapi import CASES
from tests.owner.conftest import OwnedProject
from tests.servers import free_port, wait_until

Own = Callable[[str, Case], OwnedProject]
pytestmark = pytest.mark.any_database


@pytest.fixture(autouse=True)
def column(target: Target) -> None:
    """Each test is one of a service on a database, also where it asks for neither."""


def ask_nothing(client: httpx.Client) -> None:
    """The test asks by itself."""


@pytest.mark.slow
@pytest.mark.contract("O4")
def test_mypy_finds_a_check_that_forgets_to_await(own: Own) -> None:
    case = next(case for case in CASES if case.name == "a coroutine that is dropped")
    ran = own("fastapi", case).run("-m", "mypy")
    assert ran.returncode == 1
    assert 'Value of type "Coroutine[Any, Any, None]" must be used' in ran.stdout


TEST_CLIENT = '''\
"""The same responses from TestClient as over HTTP."""

from fastapi.testclient import TestClient
from stock_keeper.app import create_app
from stock_keeper.settings import Settings


def test_the_test_client_gets_what_a_client_gets(settings: Settings, database: object) -> None:
    client = TestClient(create_app(settings))
    created = client.post("/v1/items", json={"name": "bolt"})
    assert created.status_code == 201
    found = client.get(created.headers["Location"])
    assert (found.json(), found.headers["ETag"]) == (created.json(), created.headers["ETag"])
    taken = client.post("/v1/items", json={"name": "bolt"})
    assert (taken.status_code, taken.json()["detail"]) == (409, "Another item has this name.")
    assert taken.headers["Content-Type"] == "application/problem+json"
    assert client.post("/v1/items", content=b" " * 1_048_577).status_code == 413
    unknown = client.get("/v1/nothing", headers={"X-Request-ID": "mine"})
    assert (unknown.status_code, unknown.json()["request_id"]) == (404, "mine")
    assert client.head("/v1/items").content == b""
    assert client.get("/readyz").json()["status"] == "pass"


def test_a_dependency_can_be_overridden(settings: Settings, database: object) -> None:
    from stock_keeper.access import check

    app = create_app(settings)
    with TestClient(app) as client:
        assert client.get("/v1/items").status_code == 401
        app.dependency_overrides[check] = lambda: None
        assert client.get("/v1/items").status_code == 200
'''


@pytest.mark.contract("O8")
def test_the_test_client_gets_what_a_client_gets(own: Own) -> None:
    guarded = next(case for case in CASES if case.name == "a check of who may call by async def")
    files = {"tests/test_client.py": TEST_CLIENT}
    project = own("fastapi", Case("O8", "a client", files, ask_nothing))
    ran = project.run("-m", "pytest", "-q", "tests/test_client.py", "-k", "gets_what")
    assert "1 passed" in ran.stdout, ran.stdout[-4000:]
    Case("O8", "a check", guarded.files, ask_nothing).apply(project.folder)
    ran = project.run("-m", "pytest", "-q", "tests/test_client.py", "-k", "overridden")
    assert "1 passed" in ran.stdout, ran.stdout[-4000:]


@pytest.mark.contract("O9")
@pytest.mark.parametrize("command", [pytest.param("dev", marks=pytest.mark.slow), "run"])
def test_the_command_line_of_fastapi_serves_the_service(
    own: Own, new_database: NewDatabase, command: str
) -> None:
    case = Case("O9", "command line", {}, ask_nothing, packages=("fastapi-cli",))
    project, port = own("fastapi", case), str(free_port())
    environment = {"DATABASE_URL": new_database().url, "PORT": port}
    assert project.run("-m", "stock_keeper", "migrate", environment=environment).returncode == 0
    arguments = (project.python, "-m", "fastapi_cli", command, "--port", port)
    with project.project.service(environment, command=arguments, folder=project.folder) as service:
        name = fresh_name()
        assert service.http.post("/v1/items", json={"name": name}).status_code == 201
        assert service.http.get("/v1/items").json()["items"][0]["name"] == name
        assert service.http.get("/docs").status_code == 200
        if command == "dev":
            routes = project.folder / "src/stock_keeper/items/routes.py"
            routes.write_text(routes.read_text().replace("status_code=204", "status_code=299"))
            wait_until(
                lambda: "299" in service.http.get("/openapi.json").text, 10, "the change is served"
            )


@pytest.mark.contract("O13")
def test_the_end_waits_for_a_task_after_the_response(own: Own, new_database: NewDatabase) -> None:
    case = next(case for case in CASES if case.name == "a job and a task")
    project, database = own("fastapi", case), new_database()
    name = fresh_name("later")
    with project.served(database) as service:
        assert service.http.post(f"/v1/later/{name}").status_code == 202
        started = time.monotonic()
        os.kill(service.pid, signal.SIGTERM)
        assert service.wait_for_exit(15) == 0
        assert time.monotonic() - started < 10
        assert "unhandled" not in service.output
    with project.served(database) as service:
        items = service.http.get("/v1/items?limit=100").json()["items"]
        assert name in {item["name"] for item in items}
