"""What an owner does with a Tornado service beside asking it: tests, reload, stopping."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest

from tests.contract.conftest import NewDatabase, Target
from tests.owner.case import Case
from tests.owner.cases.tornado import CHECK, FORGOTTEN, GREETING, SETTING, with_routes, with_service
from tests.owner.conftest import OwnedProject
from tests.servers import wait_until
from tests.services import PACKAGE

Own = Callable[[str, Case], OwnedProject]
pytestmark = pytest.mark.any_database


@pytest.fixture(autouse=True)
def column(target: Target) -> None:
    """Each test is one of a service on a database, also where it asks for neither."""


def nothing(_: httpx.Client) -> None:
    """These are asked in other ways."""


TESTS = '''\
"""The service, asked by Tornado's own test client."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from tornado.testing import AsyncHTTPTestCase, gen_test
from tornado.web import Application
from tornado.websocket import websocket_connect

from PACKAGE.app import create_app
from PACKAGE.runtime.database import Database
from PACKAGE.settings import Settings


class ItemsTest(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        self.folder = TemporaryDirectory()
        settings = Settings(database_url=f"sqlite:///{Path(self.folder.name)}/test.db")
        database = Database(settings)
        database.migrate()
        database.close()
        self.service = create_app(settings)
        return self.service

    def tearDown(self) -> None:
        self.service.close()
        super().tearDown()
        self.folder.cleanup()

    def test_answers_are_those_of_the_server(self) -> None:
        headers = {"Content-Type": "application/json"}
        body = json.dumps({"name": "bolt"})
        created = self.fetch("/v1/items", method="POST", body=body, headers=headers)
        assert created.code == 201
        assert self.fetch(created.headers["Location"]).body == created.body
        for path, method, sent, status in (
            ("/v1/items", "POST", body, 409),
            ("/v1/items", "POST", "{", 400),
            ("/v1/items", "POST", " " * 1_048_577, 413),
            ("/v1/nothing", "GET", None, 404),
            ("/v1/items", "DELETE", None, 405),
        ):
            answer = self.fetch(path, method=method, body=sent, headers=headers)
            assert answer.code == status, (path, answer.code)
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.headers["X-Request-ID"]
            assert "Server" not in answer.headers
        for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs"):
            assert self.fetch(path).code == 200

    @gen_test
    async def test_changes_are_pushed(self) -> None:
        url = f"ws://127.0.0.1:{self.get_http_port()}/v1/items/stream"
        subscriber = await websocket_connect(url)
        headers = {"Content-Type": "application/json"}
        body = json.dumps({"name": "nut"})
        url = self.get_url("/v1/items")
        created = await self.http_client.fetch(url, method="POST", body=body, headers=headers)
        message = json.loads(await subscriber.read_message() or "")
        assert message == {"type": "created", "item": json.loads(created.body)}
        subscriber.close()
'''


@pytest.mark.contract("O8")
@pytest.mark.any_database
def test_its_own_test_client_gets_the_same_answers(target: Target, own: Own) -> None:
    tests = {"tests/test_client.py": TESTS.replace("PACKAGE", PACKAGE)}
    project = own(target.framework, Case("O8", "test client", tests, nothing))
    ran = project.run("-m", "pytest", "-q", "tests/test_client.py")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 passed" in ran.stdout


@pytest.mark.slow
@pytest.mark.contract("O9")
@pytest.mark.any_database
def test_a_change_of_the_source_is_served(
    target: Target, own: Own, new_database: NewDatabase
) -> None:
    files = {"{package}/greeting.py": GREETING, "{package}/settings.py": SETTING}
    case = Case("O9", "reload", files, nothing)
    project = own(target.framework, case)
    environment = {"DATABASE_URL": new_database().url}
    assert project.run("-m", PACKAGE, "migrate", environment=environment).returncode == 0
    command = (project.python, "-m", "tornado.autoreload", "--until-success", "-m", PACKAGE)
    with project.project.service(environment, command=command) as service:
        assert service.http.get("/v1/greeting").status_code == 404
        app = project.folder / "src" / PACKAGE / "app.py"
        app.write_text(with_routes("greeting")(app.read_text()))

        def is_changed() -> bool:
            # The first look at the files comes half a second after the service is up.
            if time.time() - app.stat().st_mtime > 10:
                app.touch()
            try:
                with service.new_client() as client:
                    return client.get("/v1/greeting").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(is_changed, 45, "the change is served")
        service.terminate()
        assert service.wait_for_exit(15) == 0


WORK = '''\
"""Work after the response."""

import asyncio
from pathlib import Path

from .runtime.service import Handler, route


class Work(Handler):
    def post(self) -> None:
        """Answer now, and work later."""
        self.set_status(202)
        self.finish()
        self.application.create_task(self.work(Path(self.get_query_argument("mark"))))

    async def work(self, mark: Path) -> None:
        await asyncio.sleep(2)
        mark.touch()


routes = [route("/v1/work", Work)]
'''


@pytest.mark.contract("O13", "P5")
@pytest.mark.any_database
def test_a_task_is_finished_before_the_service_ends(
    target: Target, own: Own, new_database: NewDatabase
) -> None:
    files = {"{package}/work.py": WORK, "{package}/app.py": with_routes("work")}
    project = own(target.framework, Case("O13", "work", files, nothing))
    mark = project.folder / "done"
    with project.served(new_database()) as service:
        assert service.http.post("/v1/work", params={"mark": str(mark)}).status_code == 202
        started = time.monotonic()
        service.terminate()
        assert service.wait_for_exit(10) == 0
        assert mark.exists(), "the task was cut off"
        assert time.monotonic() - started < 8


@pytest.mark.contract("O4")
@pytest.mark.any_database
@pytest.mark.parametrize(
    ("check", "complaint"),
    [
        pytest.param(FORGOTTEN, "arg-type", id="returns a value", marks=pytest.mark.slow),
        pytest.param(
            CHECK.replace("def check", "async def is_known() -> None: ...\n\n\ndef check").replace(
                "    if handler", "    is_known()\n    if handler"
            ),
            "unused-coroutine",
            id="forgets to await",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_types_tell_what_a_check_must_not_be(
    target: Target, own: Own, check: str, complaint: str
) -> None:
    service = "    return Service(settings, CHECKS, routes, check=check)\n"
    edit = with_service("from .access import check\n", service)
    files = {"{package}/access.py": check, "{package}/app.py": edit}
    project = own(target.framework, Case("O4", "types", files, nothing))
    ran = project.run("-m", "mypy")
    assert ran.returncode == 1
    assert f"[{complaint}]" in ran.stdout
