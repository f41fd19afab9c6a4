"""P6, P7: a database that is down or hangs never takes the service with it.

SQLite has no server to stop. What it has instead is another writer that holds the file: then
writes wait, and are refused in time, while reads go on.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.contract.bursts import Ask, Timed, burst
from tests.contract.conftest import Case, SideBySide
from tests.contract.databases import PostgresDatabase, SqliteDatabase
from tests.contract.items import ITEMS, assert_problem, create, fresh_name, walk
from tests.servers import Postgres, postgres, wait_until
from tests.services import Background, Service

pytestmark = [pytest.mark.fault]

TIMEOUT = 3.0
NORMAL_AGAIN = 10.0


@contextmanager
def liveness_watched(service: Service) -> Iterator[list[float]]:
    """Ask ``/livez`` all the time, each on a connection of its own; the seconds it took."""
    took: list[float] = []

    def probe() -> None:
        before = time.monotonic()
        assert service.is_live(timeout=5), "/livez did not answer"
        took.append(time.monotonic() - before)
        time.sleep(0.05)

    with Background(probe):
        yield took


def assert_printed_no_secret(service: Service, *secrets: str) -> None:
    for line in service.lines:
        assert line.startswith("{"), line
    for secret in secrets:
        assert secret not in service.output


def assert_unavailable(service: Service, path: str) -> None:
    """Everything that needs the database says so, as a problem without the inside."""
    answers = [
        service.http.get(ITEMS),
        service.http.get(path),
        service.http.post(ITEMS, json={"name": fresh_name()}),
        service.http.put(path, json={"name": fresh_name()}),
        service.http.delete(path),
    ]
    for answer in answers:
        problem = assert_problem(answer, 503)
        for word in ("127.0.0.1", "psycopg", "sqlalchemy", "connection to server", "keeper"):
            assert word not in str(problem)
    assert service.http.head(ITEMS).status_code == 503
    assert service.http.get("/openapi.json").status_code == 200
    assert service.http.get("/nowhere").status_code == 404
    assert service.http.get("/metrics").status_code == 200
    invalid = service.http.post(ITEMS, json={"name": ""})
    assert invalid.status_code in {422, 503}


def assert_unready(service: Service, seconds: float) -> None:
    wait_until(lambda: service.http.get("/readyz").status_code == 503, seconds, "/readyz 503")
    answer = service.http.get("/readyz")
    assert answer.headers["content-type"].split(";")[0] == "application/health+json"
    assert "no-store" in answer.headers["cache-control"]
    body = answer.json()
    assert body["status"] == "fail"
    assert body["checks"]["database"] == {"status": "fail"}
    assert all(set(check) == {"status"} for check in body["checks"].values())
    for word in ("127.0.0.1", "localhost", "keeper", "psycopg", "refused", "timeout"):
        assert word not in answer.text


def assert_normal_within(service: Service, seconds: float) -> None:
    def normal() -> bool:
        return (
            service.http.get("/readyz").status_code == 200
            and service.http.get(ITEMS).status_code == 200
            and service.http.post(ITEMS, json={"name": fresh_name()}).status_code == 201
        )

    wait_until(normal, seconds, "all is well again")
    for _ in range(20):
        assert normal(), "well, and then not"


class Writer:
    """Creates items all the time and remembers which were acknowledged."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.acknowledged: list[str] = []
        self.statuses: Counter[int] = Counter()

    def write(self) -> None:
        name = fresh_name()
        answer = self._service.http.post(ITEMS, json={"name": name})
        self.statuses[answer.status_code] += 1
        if answer.status_code < 300:
            self.acknowledged.append(name)
        time.sleep(0.02)


def postgres_of(case: Case) -> tuple[Postgres, PostgresDatabase]:
    server = case.enter(postgres())
    return server, PostgresDatabase.create(server, "items")


def down(case: Case) -> None:
    if case.target.database == "sqlite":
        locked_at_start(case)
        return
    server, database = postgres_of(case)
    case.project.migrate({"DATABASE_URL": database.url})
    server.stop()
    started = time.monotonic()
    service = case.enter(case.project.service({"DATABASE_URL": database.url}))
    assert_unready(service, max(0.0, started + 30 - time.monotonic()))
    case.ready()
    with liveness_watched(service):
        before = time.monotonic()
        assert service.http.get("/readyz").status_code == 503
        assert time.monotonic() - before < 3
        assert_unavailable(service, f"{ITEMS}/00000000-0000-4000-8000-000000000000")
        server.start()
        assert_normal_within(service, NORMAL_AGAIN)
        writer = Writer(service)
        with Background(writer.write), Background(writer.write):
            wait_until(lambda: len(writer.acknowledged) > 10, 10, "some writes")
            path = create(service.http).headers["location"]
            server.stop()
            assert_unready(service, 5)
            assert_unavailable(service, path)
            server.start()
            assert_normal_within(service, NORMAL_AGAIN)
    assert service.is_running()
    assert set(writer.statuses) <= {201, 503}, writer.statuses
    assert set(writer.acknowledged) <= {item["name"] for item in walk(service.http)}
    assert_printed_no_secret(service, *database.secrets)


def locked_at_start(case: Case) -> None:
    database = SqliteDatabase(case.folder() / "items.db")
    environment = {"DATABASE_URL": database.url, "DATABASE_TIMEOUT_SECONDS": "2"}
    case.project.migrate(environment)
    with database.hold_writes():
        service = case.enter(case.project.service(environment))
        case.ready()
        assert service.http.get("/livez").status_code == 200
        assert service.http.get(ITEMS).status_code == 200
        assert_problem(service.http.post(ITEMS, json={"name": fresh_name()}), 503, ITEMS)
        assert service.is_running()
    assert_normal_within(service, NORMAL_AGAIN)


@pytest.mark.contract("P6", "H1", "H3")
def test_a_database_that_is_down_is_waited_for(side_by_side: SideBySide) -> None:
    side_by_side(down)


def hundred(path: str) -> list[Ask]:
    """A hundred requests of all kinds that need the database."""
    kinds: list[Ask] = [
        ("GET", ITEMS, None),
        ("GET", path, None),
        ("PUT", path, {"name": fresh_name(), "quantity": 1}),
        ("DELETE", f"{ITEMS}/00000000-0000-4000-8000-000000000000", None),
    ]
    asks = [kinds[number % 4] for number in range(80)]
    return asks + [("POST", ITEMS, {"name": fresh_name()}) for _ in range(20)]


def assert_in_time(answers: list[Timed], statuses: set[int], seconds: float) -> None:
    assert {a.status for a in answers} <= statuses, Counter(a.status for a in answers)
    slowest = max(a.seconds for a in answers)
    assert slowest <= seconds, f"{slowest:.2f} s"


def hang(case: Case) -> None:
    if case.target.database == "sqlite":
        held_by_another_writer(case)
        return
    server, database = postgres_of(case)
    service = case.start(database, DATABASE_TIMEOUT_SECONDS=str(int(TIMEOUT)))
    path = create(service.http).headers["location"]
    assert_in_time(burst(service.address, hundred(path)), {200, 201, 404, 409}, 30)
    case.ready()
    with liveness_watched(service) as took:
        server.freeze()
        try:
            for _ in range(2):
                assert_in_time(burst(service.address, hundred(path)), {503, 504}, TIMEOUT + 1)
            assert_unready_in_time(service)
        finally:
            server.resume()
        assert_normal_within(service, NORMAL_AGAIN)
        assert_in_time(burst(service.address, hundred(path)), {200, 201, 404, 409}, 30)
    assert len(took) > 20
    assert max(took) < 1, f"/livez took {max(took):.2f} s"
    assert_printed_no_secret(service, *database.secrets)


def assert_unready_in_time(service: Service) -> None:
    """Also while requests wait: readiness has a deadline of its own."""
    path = f"{ITEMS}/00000000-0000-4000-8000-000000000000"
    waiting = threading.Thread(target=burst, args=(service.address, hundred(path)))
    waiting.start()
    for _ in range(3):
        before = time.monotonic()
        answer = service.http.get("/readyz")
        assert time.monotonic() - before < 3
        assert answer.status_code == 503
        assert answer.json()["checks"]["database"] == {"status": "fail"}
    waiting.join(30)


def held_by_another_writer(case: Case) -> None:
    database = SqliteDatabase(case.folder() / "items.db")
    service = case.start(database, DATABASE_TIMEOUT_SECONDS=str(int(TIMEOUT)))
    path = create(service.http).headers["location"]
    case.ready()
    reads: list[Ask] = [("GET", ITEMS, None), ("GET", path, None)] * 25
    writes: list[Ask] = [("POST", ITEMS, {"name": fresh_name()}) for _ in range(50)]
    writes += [("PUT", path, {"name": fresh_name()}), ("DELETE", path, None)] * 25
    with liveness_watched(service) as took:
        with database.hold_writes():
            refused: list[Timed] = []
            waiting = threading.Thread(
                target=lambda: refused.extend(burst(service.address, writes))
            )
            waiting.start()
            time.sleep(0.3)  # the writes are in the service now, and wait
            assert_in_time(burst(service.address, reads), {200}, 2)
            before = time.monotonic()
            assert service.http.get("/readyz").status_code == 200
            assert time.monotonic() - before < 3
            waiting.join(30)
            assert len(refused) == len(writes)
            assert_in_time(refused, {503, 504}, TIMEOUT + 1)
        assert_normal_within(service, NORMAL_AGAIN)
    assert max(took) < 1, f"/livez took {max(took):.2f} s"
    assert service.http.get(path).status_code == 200


@pytest.mark.alone
@pytest.mark.contract("P7", "H1", "H3")
def test_a_database_that_hangs_never_holds_a_request_beyond_its_time(
    side_by_side: SideBySide,
) -> None:
    side_by_side(hang, several=4)


def locked_table(case: Case) -> None:
    """The server answers, one table does not: the same deadline holds, and health goes on."""
    if case.target.database == "sqlite":
        database: PostgresDatabase | SqliteDatabase = SqliteDatabase(case.folder() / "items.db")
        hold, ask = database.hold_writes(), write_one
    else:
        _server, database = postgres_of(case)
        hold, ask = database.hold_everything(), read_one
    service = case.start(database, DATABASE_TIMEOUT_SECONDS="2")
    create(service.http)
    case.ready()
    with hold:
        before = time.monotonic()
        answer = ask(service)
        seconds = time.monotonic() - before
        assert answer.status_code in {503, 504}, answer.text
        assert 1 < seconds <= 3, f"{seconds:.2f} s: it was to wait for 2"
        assert service.http.get("/livez").status_code == 200
    assert_normal_within(service, NORMAL_AGAIN)


def read_one(service: Service) -> httpx.Response:
    return service.http.get(ITEMS)


def write_one(service: Service) -> httpx.Response:
    return service.http.post(ITEMS, json={"name": fresh_name()})


@pytest.mark.alone
@pytest.mark.contract("P7", "P4")
def test_the_deadline_is_what_it_was_set_to(side_by_side: SideBySide) -> None:
    side_by_side(locked_table)
