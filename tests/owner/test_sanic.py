"""A Sanic service from its other front doors: the test client, the command line, and its end."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable

import httpx
import pytest

from tests.contract.conftest import NewDatabase, Target
from tests.owner.case import Case
from tests.owner.cases.sanic import CASES
from tests.owner.conftest import OwnedProject
from tests.servers import free_port, signal_tree, wait_until
from tests.services import plain_environment

Own = Callable[[str, Case], OwnedProject]
pytestmark = pytest.mark.any_database


@pytest.fixture(autouse=True)
def column(target: Target) -> None:
    """Each test is one of a service on a database, also where it asks for neither."""


def ask_nothing(client: httpx.Client) -> None:
    """The test asks by itself."""


TEST_CLIENT = '''\
"""The same responses from Sanic's test client as over HTTP."""

from pathlib import Path

import pytest
from stock_keeper.app import create_app
from stock_keeper.settings import Settings

pytestmark = pytest.mark.filterwarnings("default")


def test_the_test_client_gets_what_a_client_gets(tmp_path: Path, database: object) -> None:
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/test.db"))
    _, created = app.test_client.post("/v1/items", json={"name": "bolt"})
    assert created.status_code == 201
    _, found = app.test_client.get(created.headers["Location"])
    assert (found.json, found.headers["ETag"]) == (created.json, created.headers["ETag"])
    _, taken = app.test_client.post("/v1/items", json={"name": "bolt"})
    assert (taken.status_code, taken.json["detail"]) == (409, "Another item has this name.")
    assert taken.headers["Content-Type"] == "application/problem+json"
    _, large = app.test_client.post("/v1/items", content=b" " * 1_048_577)
    assert large.status_code == 413
    _, unknown = app.test_client.get("/v1/nothing", headers={"X-Request-ID": "mine"})
    assert (unknown.status_code, unknown.json["request_id"]) == (404, "mine")
    assert unknown.headers["X-Request-ID"] == "mine"
    _, ready = app.test_client.get("/readyz")
    assert (ready.status_code, ready.json["status"]) == (200, "pass")
'''


@pytest.mark.contract("O8")
def test_the_test_client_gets_what_a_client_gets(own: Own) -> None:
    case = Case(
        "O8",
        "test client",
        {"tests/test_client.py": TEST_CLIENT},
        ask_nothing,
        packages=("sanic-testing",),
    )
    ran = own("sanic", case).run("-m", "pytest", "-q", "tests/test_client.py", timeout=120)
    assert ran.returncode == 0, ran.stdout[-4000:]
    assert "1 passed" in ran.stdout


@pytest.mark.contract("O9")
@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="", marks=pytest.mark.slow),
        pytest.param(("--single-process",), id="--single-process", marks=pytest.mark.slow),
        pytest.param(("--dev",), id="--dev"),
    ],
)
def test_the_command_line_serves_the_service(
    own: Own, new_database: NewDatabase, options: tuple[str, ...]
) -> None:
    project = own("sanic", Case("O9", "command line", {}, ask_nothing))
    database = new_database()
    project.run("-m", "stock_keeper", "migrate", environment={"DATABASE_URL": database.url})
    port = free_port()
    command = ["-m", "sanic", "stock_keeper.app:create_app", "--factory", "--port", str(port)]
    server = subprocess.Popen(
        [project.python, *command, *options],
        cwd=project.folder,
        env=plain_environment() | project.project.surroundings | {"DATABASE_URL": database.url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"

    def serves() -> bool:
        try:
            return httpx.get(f"{url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(serves, 60, "the command line never served")
        assert httpx.post(f"{url}/v1/items", json={"name": "bolt"}).status_code == 201
        large = httpx.post(f"{url}/v1/items", content=b" " * 1_048_577)
        assert (large.status_code, large.json()["status"]) == (413, 413)
        assert "X-Request-ID" in large.headers
    finally:
        # Sanic's reloader fails or hangs now and then as it ends: its manager asks for the state of
        # a process that has none yet (25.12).
        ends_by_itself = "--dev" not in options
        if ends_by_itself:
            server.terminate()
        else:
            signal_tree(server.pid, signal.SIGKILL)
        output, _ = server.communicate(timeout=30)
    assert server.returncode == 0 or not ends_by_itself, output


@pytest.mark.contract("O13")
def test_a_task_after_a_response_is_completed_before_the_service_ends(
    own: Own, new_database: NewDatabase
) -> None:
    """A job is ended, and does not delay the end."""
    (case,) = (case for case in CASES if case.line == "O13")
    project, database = own("sanic", case), new_database()
    with project.served(database) as service:
        assert service.http.post("/v1/orders/late").status_code == 202
        asked = time.monotonic()
        service.terminate()
        assert service.wait_for_exit(20) == 0
        assert 1 < time.monotonic() - asked < 10
    with project.client(database) as client:
        assert [item["name"] for item in client.get("/v1/items").json()["items"]] == ["late"]
