"""A service with data grows seven times, and is served, written to and read in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.databases import PostgresDatabase, SqliteDatabase
from tests.contract.issuers import Issuer, serving_issuer
from tests.growing.services import made
from tests.servers import any_amqp_url
from tests.services import NAME, Project, frameworks, install, surroundings_of
from tests.tool.lineage import commit

pytestmark = pytest.mark.slow

ROOM = "room name:str:1..100:unique seats:int:1..500:default=2"
SECRET_KEY = "0123456789abcdefghijklmnopqrstuvwxyz" * 2
KEPT = ("rooms", "guests", "bookings")
SCOPES = [f"{plural}:{may}" for plural in KEPT for may in ("read", "write")]
Row = dict[str, Any]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with serving_issuer() as running:
        yield running


@pytest.fixture
def surroundings(framework: str) -> Iterator[dict[str, str]]:
    """What a service needs beside the database."""
    with ExitStack() as stack:
        yield surroundings_of(framework, lambda: stack.enter_context(any_amqp_url()))


class Client:
    """What a client of the service does, and what it has to find afterwards."""

    def __init__(self) -> None:
        self.known: dict[str, list[Row]] = {}

    def create(self, http: httpx.Client, plural: str, **content: object) -> Row:
        answer = http.post(f"/v1/{plural}", json=content)
        assert answer.status_code == 201, answer.text
        created: Row = answer.json()
        self.known.setdefault(plural, []).append(created)
        return created

    def change(self, http: httpx.Client, plural: str, number: int, **content: object) -> None:
        row = self.known[plural][number]
        answer = http.patch(f"/v1/{plural}/{row['id']}", json=content)
        assert answer.status_code == 200, answer.text
        self.known[plural][number] = answer.json()

    def finds_all(self, http: httpx.Client, **new: Row) -> None:
        """Every row is as it was left, with what `new` says that its kind has got since."""
        for plural, rows in self.known.items():
            expected = [row | new.get(plural, {}) for row in rows]
            answer = http.get(f"/v1/{plural}")
            assert answer.status_code == 200, answer.text
            assert answer.json()[plural] == expected
            self.known[plural] = expected


@pytest.mark.parametrize("framework", frameworks())
def test_no_row_is_lost(
    framework: str,
    surroundings: dict[str, str],
    database: SqliteDatabase | PostgresDatabase,
    issuer: Issuer,
    tmp_path: Path,
) -> None:
    service = made(tmp_path / "grown", framework, [ROOM], NAME)
    install(service.folder)
    commit(service.folder)
    project = Project(framework, service.folder, surroundings)
    environment = {"DATABASE_URL": database.url, "SECRET_KEY": SECRET_KEY}
    client = Client()

    def served() -> Any:
        project.migrate(environment)
        return project.service(environment)

    with served() as running:
        for name in ("Porto", "Faro"):
            client.create(running.http, "rooms", name=name)

    service.grow("add", "resource", "guest email:email:unique")
    with served() as running:
        client.finds_all(running.http)
        guest = client.create(running.http, "guests", email="ada@example.com")

    service.grow("add", "field", "room", "kind:enum=big,small:default=small:filter")
    with served() as running:
        client.finds_all(running.http, rooms={"kind": "small"})
        client.change(running.http, "rooms", 0, kind="big")
        room = client.create(running.http, "rooms", name="Lagos", kind="big")
        assert len(running.http.get("/v1/rooms?kind=big").json()["rooms"]) == 2

    service.grow("add", "resource", "booking room:ref guest:ref:optional nights:int:1..30")
    with served() as running:
        client.finds_all(running.http)
        own = {"room_id": room["id"], "guest_id": guest["id"], "nights": 2}
        client.create(running.http, "bookings", **own)
        assert running.http.delete(f"/v1/rooms/{room['id']}").status_code == 409

    service.grow("add", "field", "guest", "last:ref=booking:optional")
    with served() as running:
        client.finds_all(running.http, guests={"last_id": None})
        client.change(running.http, "guests", 0, last_id=client.known["bookings"][0]["id"])

    service.grow("add", "auth")
    install(service.folder)
    commit(service.folder)
    environment |= issuer.environment
    with served() as running:
        assert running.http.get("/v1/rooms").status_code == 401
        running.http.headers.update(issuer.bearer(*SCOPES))
        client.finds_all(running.http)
        client.change(running.http, "rooms", 1, seats=3)

    service.grow("remove", "field", "guest", "last")
    service.grow("remove", "resource", "booking")
    with served() as running:
        running.http.headers.update(issuer.bearer(*SCOPES))
        assert running.http.get("/v1/bookings").status_code == 404
        del client.known["bookings"]
        del client.known["guests"][0]["last_id"]
        (found,) = running.http.get("/v1/guests").json()["guests"]
        assert found == client.known["guests"][0]
        client.finds_all(running.http)
        assert running.http.delete(f"/v1/rooms/{room['id']}").status_code == 204
