"""What owners of a Nameko service do that is not seen over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.contract.conftest import NewDatabase, Target
from tests.owner.case import Case
from tests.owner.cases.nameko import ROOMS_AND_BOOKINGS, added, check
from tests.owner.conftest import OwnedProject
from tests.servers import free_port, wait_until
from tests.services import PACKAGE

pytestmark = [pytest.mark.beside("rabbitmq"), pytest.mark.any_database]

Own = Callable[[str, Case], OwnedProject]

OWN_TESTS = '''\
"""Rooms through Nameko's own helpers for tests, and through Werkzeug's client."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import httpx
import pytest
from nameko.testing.services import entrypoint_hook, worker_factory
from stock_keeper.app import create_app
from stock_keeper.rooms.model import ROOMS
from stock_keeper.rooms.routes import RoomRoutes
from stock_keeper.rooms.service import Rooms
from stock_keeper.runtime.database import Database
from stock_keeper.runtime.outbox import AnnouncedStore
from stock_keeper.runtime.service import Service
from stock_keeper.settings import Settings
from werkzeug.test import Client
from werkzeug.wrappers import Request


@pytest.fixture
def app(settings: Settings, database: Database) -> Iterator[Service]:
    app = create_app(settings)
    yield app
    app.database.close()


def same(name: str, response: tuple[int, dict[str, str], str]) -> tuple[object, ...]:
    status, headers, text = response
    ignored = {"created_at", "updated_at", "id", "request_id"}
    body = {key: value for key, value in json.loads(text).items() if key not in ignored}
    kept = {key: value for key, value in headers.items() if key in {"content-type", "allow"}}
    return name, status, kept, body


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/rooms", '{"name": "Lisbon", "seats": 7}'),
        ("POST", "/v1/rooms", '{"name": ""}'),
        ("POST", "/v1/rooms", "{"),
        ("POST", "/v1/rooms", " " * 1_048_577),
        ("DELETE", "/v1/rooms", ""),
        ("GET", "/v1/rooms", ""),
        ("GET", "/v1/rooms/7", ""),
        ("GET", "/nowhere", ""),
    ],
)
def test_werkzeugs_client_gets_what_http_gets(
    app: Service, client: httpx.Client, method: str, path: str, body: str
) -> None:
    mine = Client(app).open(path, method=method, data=body, content_type="application/json")
    if mine.status_code == 201:
        Client(app).delete(mine.headers["Location"])
    headers = {"Content-Type": "application/json"}
    other = client.request(method, path, content=body, headers=headers)
    lower = {name.lower(): value for name, value in mine.headers.items()}
    one = same(path, (mine.status_code, lower, mine.text))
    assert one == same(path, (other.status_code, dict(other.headers), other.text))


def test_a_service_class_is_tried_without_anything_else(database: Database) -> None:
    rooms: Rooms = worker_factory(Rooms, rooms=AnnouncedStore(ROOMS, database))
    created = rooms.create(name="Lisbon", seats=7)
    routes: RoomRoutes = worker_factory(RoomRoutes, rooms=AnnouncedStore(ROOMS, database))
    request = Request({"REQUEST_METHOD": "GET"})
    assert json.loads(routes.get_room(request, created["id"]).get_data()) == created


def test_an_entrypoint_is_called_in_its_container(app: Service) -> None:
    (container,) = (one for one in app.containers if one.service_cls is RoomRoutes)
    container.start()
    with entrypoint_hook(container, "list_rooms") as list_rooms:
        page = list_rooms(Request({"REQUEST_METHOD": "GET", "PATH_INFO": "/v1/rooms"}))
    assert json.loads(page.get_data()) == {"rooms": [], "next_cursor": None}
    container.stop()
'''


@pytest.mark.contract("O8", "O1")
def test_namekos_own_helpers_for_tests_work(target: Target, own: Own) -> None:
    files = ROOMS_AND_BOOKINGS | {"tests/test_rooms.py": OWN_TESTS}
    project = own(target.framework, Case("O8", "tests of its own", files))
    ran = project.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_rooms.py")
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]


@pytest.mark.contract("O9")
def test_namekos_shell_calls_the_service(
    target: Target, own: Own, new_database: NewDatabase
) -> None:
    """As the README says: with an old setuptools, which the service itself does not need."""
    project = own(target.framework, Case("O9", "a shell", packages=("setuptools<81",)))
    typed = "print('found', n.rpc.items.list(limit=1))\n"
    command = f"import io, sys; sys.stdin = io.StringIO({typed!r})"
    command += "; from nameko.cli.main import main; main()"
    broker = project.project.surroundings["AMQP_URL"]
    with project.served(new_database()) as service:
        wait_until(lambda: service.http.get("/readyz").status_code == 200, 20, "ready")
        shell = project.run("-c", command, "shell", "--broker", broker)
    assert "found {'items': [" in shell.stdout, shell.stdout + shell.stderr


@pytest.mark.contract("O9")
def test_the_readme_says_what_namekos_command_line_lacks(target: Target, own: Own) -> None:
    project = own(target.framework, Case("O9", "no command line"))
    failed = project.run("-c", "from nameko.cli.main import main; main()")
    assert "No module named 'pkg_resources'" in failed.stderr
    readme = (project.folder / "README.md").read_text()
    assert "`nameko run`" in readme
    assert "`nameko show-config`" in readme


ASYNC_CHECK = '''\
"""Who may call: nobody, if it were awaited."""

from werkzeug.wrappers import Request

from .runtime.http import Problem


async def check(request: Request) -> None:
    raise Problem(401)
'''

MIXED = '''\
"""What a copy of the routes of items became, combined with them."""

from werkzeug.wrappers import Request

from .items.model import ITEMS
from .items.routes import ItemRoutes
from .runtime.service import store
from .runtime.web import http


class RoomRoutes:
    """Has an attribute of the same name as the routes of items."""

    name = "rooms"
    items = store(ITEMS)

    @http("GET", "/v1/rooms")
    def list_rooms(self, request: Request) -> str:
        return str(self.items)


class Web(RoomRoutes, ItemRoutes):
    """All routes."""
'''


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            Case("O4", "an async check", check(ASYNC_CHECK)),
            "check is a coroutine function: nothing awaits it",
        ),
        (
            Case(
                "O1",
                "classes that share an attribute",
                {
                    "{package}/mixed.py": MIXED,
                    "{package}/app.py": added(
                        "app.add_service(Web)", imports="from .mixed import Web\n"
                    ),
                },
            ),
            "Web inherits items from both RoomRoutes and ItemRoutes",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, Case) else "",
)
@pytest.mark.contract("O1", "O4")
def test_what_could_not_work_is_an_error_at_the_start(
    target: Target, own: Own, new_database: NewDatabase, mistake: Case, message: str
) -> None:
    project = own(target.framework, mistake)
    environment = {"DATABASE_URL": new_database().url, "PORT": str(free_port())}
    ended = project.run("-m", PACKAGE, environment=environment, timeout=60)
    assert ended.returncode == 1
    last = json.loads(ended.stdout.splitlines()[-1])
    assert message in last["exception"]
