"""What an owner does with a Django service beside asking it: Django's tests and its commands."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import httpx
import pytest

from tests.contract.conftest import NewDatabase, Target
from tests.contract.items import assert_problem, fresh_name
from tests.owner.case import Case, replaced
from tests.owner.cases.django import BESIDE, BESIDE_APP, REPORTS, ROOMS_AND_BOOKINGS
from tests.owner.conftest import OwnedProject
from tests.servers import as_admin, free_port, wait_until
from tests.services import PACKAGE, plain_environment

Own = Callable[[str, Case], OwnedProject]


CLIENT_TESTS = '''\
"""The service, asked by the test clients of Django and of Django REST Framework."""

from django.test import Client
from rest_framework.test import APITestCase


class ItemsTest(APITestCase):
    def test_items(self) -> None:
        created = self.client.post("/v1/items", {"name": "bolt"}, headers={"X-Request-ID": "mine"})
        self.assertEqual(created.status_code, 201)
        self.assertEqual(created["X-Request-ID"], "mine")
        self.assertEqual(created["X-Content-Type-Options"], "nosniff")
        self.assertEqual(created.data["name"], "bolt")
        there = created["Location"]
        self.assertEqual(self.client.get(there).json(), created.json())
        known = self.client.get(there, headers={"If-None-Match": created["ETag"]})
        self.assertEqual(known.status_code, 304)
        self.assertEqual(self.client.patch(there, {"quantity": 7}).json()["quantity"], 7)
        self.assertEqual(self.client.delete(there).status_code, 204)

    def test_refusals_are_problems(self) -> None:
        self.client.post("/v1/items", {"name": "bolt"})
        text = "text/plain"
        for response, status in (
            (self.client.get("/v1/nothing"), 404),
            (self.client.get("/v1/items/7"), 404),
            (self.client.get("/v1/items?limit=0"), 422),
            (self.client.post("/v1/items", {"name": 7}), 422),
            (self.client.post("/v1/items", {"name": "bolt"}), 409),
            (self.client.post("/v1/items", b"{", content_type="application/json"), 400),
            (self.client.post("/v1/items", b"{}", content_type=text), 415),
            (self.client.post("/v1/items", b" " * 1_048_577, content_type=text), 413),
            (self.client.get("/v1/items", headers={"X-Long": "x" * 33_000}), 431),
            (self.client.put("/v1/items"), 405),
            (Client().post("/livez"), 405),
        ):
            self.assertEqual(response.status_code, status)
            self.assertEqual(response["Content-Type"], "application/problem+json")
            self.assertEqual(response.json()["request_id"], response["X-Request-ID"])

    def test_endpoints(self) -> None:
        self.assertEqual(self.client.get("/livez").json(), {"status": "pass"})
        self.assertEqual(self.client.get("/readyz").status_code, 200)
        self.assertContains(self.client.get("/metrics"), "http_server_active_requests")
        self.assertIn("/v1/items", self.client.get("/openapi.json").json()["paths"])
        self.assertEqual(self.client.get("/admin/").status_code, 302)
        self.assertEqual(self.client.head("/v1/items").status_code, 200)
        self.assertEqual(self.client.options("/v1/items").status_code, 204)

    def test_force_authenticate_works(self) -> None:
        self.client.force_authenticate(user=object())
        self.assertEqual(self.client.get("/v1/items").status_code, 200)
'''


@pytest.mark.contract("O8")
@pytest.mark.any_database
def test_the_test_clients_get_the_same_responses(
    target: Target, own: Own, new_database: NewDatabase, request: pytest.FixtureRequest
) -> None:
    files = {"{package}/items/tests.py": CLIENT_TESTS}
    project = own(target.framework, Case("O8", "test client", files))
    url = new_database().url
    if target.database == "postgresql":  # Django creates a database for its tests
        url = as_admin(request.getfixturevalue("postgres_admin_url"), url.rpartition("/")[2])
    environment = {"DATABASE_URL": url}
    ran = project.run("manage.py", "test", PACKAGE, "--noinput", environment=environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Ran 4 tests" in ran.stderr


@pytest.mark.contract("O9")
@pytest.mark.any_database
def test_runserver_gives_the_same_responses(
    target: Target, own: Own, new_database: NewDatabase
) -> None:
    project = own(target.framework, Case("O9", "runserver"))
    environment = {"DATABASE_URL": new_database().url}
    assert project.run("manage.py", "migrate", environment=environment).returncode == 0
    port = str(free_port())
    command = [project.python, "manage.py", "runserver", "--noreload", port]
    surroundings = dict(project.project.surroundings)
    with subprocess.Popen(
        command,
        cwd=project.folder,
        env=plain_environment() | surroundings | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as serving:
        try:
            ask_of_runserver(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30))
        finally:
            serving.kill()


def ask_of_runserver(client: httpx.Client) -> None:
    def is_up() -> bool:
        try:
            return client.get("/livez").status_code == 200
        except httpx.TransportError:
            return False

    wait_until(is_up, 30, "runserver")
    assert client.get("/readyz").status_code == 200
    created = client.post("/v1/items", json={"name": fresh_name()})
    assert created.status_code == 201
    assert client.get(created.headers["Location"]).json() == created.json()
    assert_problem(client.get("/v1/nothing"), 404)
    assert_problem(client.post("/v1/items", json={"name": created.json()["name"]}), 409)
    json = {"Content-Type": "application/json"}
    assert_problem(client.post("/v1/items", content=b" " * 1_048_577, headers=json), 413)
    assert "/v1/items" in client.get("/openapi.json").json()["paths"]
    assert client.get("/admin/login/").status_code == 200


CHANGED = replaced(
    ("max_length=100, unique=True", "max_length=120"),
    ("MaxValueValidator(1_000_000)], default=0", "MaxValueValidator(1_000_000)], null=True"),
    (
        "    class Meta(Record.Meta):\n",
        "    colour = LineField(max_length=20, unique=True, null=True)\n"
        "    seen_at = models.DateTimeField(null=True)\n"
        '    origin = models.ForeignKey("self", models.PROTECT, to_field="uuid", null=True)\n\n'
        "    class Meta(Record.Meta):\n",
    ),
)


@pytest.mark.contract("O5")
def test_makemigrations_writes_what_goes_down_and_up_again(
    target: Target, own: Own, new_database: NewDatabase
) -> None:
    """It widens a column, drops NOT NULL and a constraint, and adds others, on SQLite too."""
    project = own(
        target.framework, Case("O5", "a changed model", {"{package}/items/models.py": CHANGED})
    )
    database = new_database()

    def succeed(*arguments: str, **environment: str) -> str:
        ran = project.run(*arguments, environment={"DATABASE_URL": database.url, **environment})
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    migrations = project.folder / f"src/{PACKAGE}/items/migrations"
    before = set(migrations.glob("*.py"))
    succeed("manage.py", "makemigrations")
    (written,) = set(migrations.glob("*.py")) - before
    assert "'" not in written.read_text(), "not in the service's format"
    succeed("-m", "ruff", "check", "src")
    succeed("-m", "ruff", "format", "--check", "src")
    succeed("-m", PACKAGE, "migrate")
    succeed("manage.py", "makemigrations", "--check", "--dry-run")
    succeed("manage.py", "migrate", "items", "0001")
    succeed("manage.py", "migrate")


@pytest.mark.contract("O13", "P5")
@pytest.mark.any_database
def test_a_task_is_completed_before_the_process_ends(
    target: Target, own: Own, new_database: NewDatabase
) -> None:
    files = {
        "{package}/beside.py": BESIDE,
        "{package}/app.py": BESIDE_APP,
        "{package}/urls.py": REPORTS,
    }
    project = own(target.framework, Case("O13", "a job and a task", files))
    database, name = new_database(), fresh_name()
    with project.served(database) as service:
        assert service.http.post("/v1/reports", json={"name": name}).status_code == 202
        began = time.monotonic()
        service.terminate()
        assert service.wait_for_exit(10) == 0
        assert time.monotonic() - began > 0.5
    with project.client(database) as client:
        assert name in [item["name"] for item in client.get("/v1/items").json()["items"]]


@pytest.mark.contract("O1", "O5")
@pytest.mark.any_database
@pytest.mark.slow
def test_two_more_resources_pass_lint_types_and_the_check_of_migrations(
    target: Target, own: Own, new_database: NewDatabase
) -> None:
    project = own(target.framework, Case("O1", "rooms and bookings", ROOMS_AND_BOOKINGS))
    environment = {"DATABASE_URL": new_database().url}
    for command in (
        ["-m", PACKAGE, "migrate"],
        ["manage.py", "makemigrations", "--check", "--dry-run"],
        ["-m", "ruff", "check"],
        ["-m", "ruff", "format", "--check"],
        ["-m", "mypy"],
    ):
        ran = project.run(*command, environment=environment)
        assert ran.returncode == 0, ran.stdout + ran.stderr


REPLICA = """
from .runtime.database import connection_settings

DATABASES["replica"] = connection_settings(
    SERVICE.model_copy(update={"database_url": "sqlite:///replica.db"})
)
"""

TWO_DATABASES = """
from stock_keeper.runtime.database import Database
from stock_keeper.settings import Settings

for name in ("first", "second"):
    Database(Settings(database_url=f"sqlite:///{name}.db")).migrate()
from django.db import connections

print([connections[alias].settings_dict["NAME"] for alias in connections])
"""


@pytest.mark.contract("O10")
@pytest.mark.any_database
def test_another_database_stays_when_the_settings_are_replaced(target: Target, own: Own) -> None:
    files = {"{package}/django_settings.py": lambda text: text + REPLICA}
    project = own(target.framework, Case("O10", "a replica", files))
    ran = project.run("-c", TWO_DATABASES)
    assert ran.stdout == "['second.db', 'replica.db']\n", ran.stdout + ran.stderr
