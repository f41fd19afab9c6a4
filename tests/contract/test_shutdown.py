"""P5, P8, P9: the end of a process, asked for or not, loses nothing and leaves nobody behind."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from functools import partial

import httpx
import psutil
import pytest

from tests.contract.conftest import Case, SideBySide
from tests.contract.databases import Database, PostgresDatabase, SqliteDatabase
from tests.contract.items import ITEMS, JSON, assert_problem, create, fresh_name, walk
from tests.contract.wire import Connection, refused, request
from tests.servers import is_alive, postgres, wait_until
from tests.services import Background, Service

pytestmark = pytest.mark.fault

DRAIN = 3.0
IN_FLIGHT_SECONDS = 27.0


def own_database(case: Case) -> Database:
    """A database that nobody shares: for PostgreSQL a server too."""
    if case.target.database == "sqlite":
        return SqliteDatabase(case.folder() / "items.db")
    return PostgresDatabase.create(case.enter(postgres()), "items")


def send_create(connection: Connection, name: str) -> None:
    body = json.dumps({"name": name}).encode()
    connection.send(request("POST", ITEMS, JSON.items(), body))


def after(moment: float, seconds: float) -> None:
    """Sleep until ``seconds`` after a moment: the contract names times, not conditions."""
    time.sleep(max(0.0, moment + seconds - time.monotonic()))


def drain(case: Case) -> None:
    database = own_database(case)
    patient = {"DRAIN_SECONDS": str(DRAIN), "DATABASE_TIMEOUT_SECONDS": "60"}
    service = case.start(database, **patient)
    name = fresh_name()
    idle = case.enter(Connection(service.address))
    assert idle.exchange("GET", "/livez").status_code == 200
    in_flight = case.enter(Connection(service.address, timeout=60))
    case.ready()
    with database.hold_writes():
        send_create(in_flight, name)
        wait_until(lambda: is_waiting(service), 10, "the POST is in flight")
        asked = time.monotonic()
        service.terminate()
        assert_draining(service, asked)
        wait_until(lambda: refused(service.address), DRAIN + 4, "new connections are refused")
        assert time.monotonic() - asked >= DRAIN, "the listener closed before DRAIN_SECONDS"
        assert_waits(in_flight, asked + DRAIN + IN_FLIGHT_SECONDS)
        assert service.is_running()
        assert refused(service.address)
    answer = in_flight.answer("POST")
    assert answer.status_code == 201, answer.text
    assert service.wait_for_exit(5) == 0
    assert not service.living_family()
    again = case.enter(service.project.service({"DATABASE_URL": database.url}))
    assert again.http.get(answer.headers["location"]).json() == answer.json()


def is_waiting(service: Service) -> bool:
    text = service.http.get("/metrics").text
    wanted = 'http_server_active_requests{http_request_method="POST"} 1'
    return any(line.startswith(wanted) for line in text.splitlines())


def assert_draining(service: Service, asked: float) -> None:
    """Unready at once, and yet at work until the time is over."""
    answers: list[httpx.Response] = []

    def unready() -> bool:
        answers.append(service.http.get("/readyz"))
        return answers[-1].status_code == 503

    wait_until(unready, 1, "/readyz turns 503")
    body = answers[-1].json()
    assert body["status"] == "fail"
    assert body["checks"]["draining"] == {"status": "fail"}
    assert body["checks"]["database"] == {"status": "pass"}
    after(asked, DRAIN - 1)
    with httpx.Client(base_url=service.url, trust_env=False) as newcomer:
        assert newcomer.get("/livez").status_code == 200
        assert newcomer.get("/readyz").status_code == 503
        answer = newcomer.get(ITEMS)
        assert answer.status_code == 200
        assert answer.headers["connection"] == "close", "the next request would meet the end"


def assert_waits(connection: Connection, until: float) -> None:
    """Nothing comes and nothing closes until that moment."""
    connection.socket.settimeout(max(0.1, until - time.monotonic()))
    with pytest.raises(TimeoutError):
        assert connection.socket.recv(1) == b"x", "the request in flight was dropped"
    connection.socket.settimeout(20)


@pytest.mark.slow
@pytest.mark.contract("P5", "H1")
def test_a_terminated_service_drains_and_then_ends_well(side_by_side: SideBySide) -> None:
    side_by_side(drain, several=20)


def upload(case: Case) -> None:
    service = case.start(own_database(case), DRAIN_SECONDS="0")
    case.ready()
    body = json.dumps({"name": fresh_name()}).encode()
    connection = case.enter(Connection(service.address))
    head = request("POST", ITEMS, [*JSON.items(), ("Content-Length", str(len(body)))])
    connection.send(head + body[:5])
    wait_until(lambda: is_waiting(service), 10, "the POST has begun")
    service.terminate()
    wait_until(lambda: refused(service.address), 4, "new connections are refused")
    connection.send(body[5:])
    assert connection.answer("POST").status_code == 201
    assert service.wait_for_exit(5) == 0


@pytest.mark.contract("P5")
def test_a_body_that_is_on_its_way_is_still_accepted(side_by_side: SideBySide) -> None:
    side_by_side(upload)


def terminated_under_load(case: Case) -> None:
    """No request that was accepted is lost: each is answered, or was never accepted at all."""
    drain_seconds = 1.0
    service = case.start(own_database(case), DRAIN_SECONDS=str(drain_seconds))
    case.ready()
    lost: list[float] = []
    refusals: list[str] = []
    created: list[str] = []

    def client() -> None:
        while True:
            try:
                connection = Connection(service.address)
            except OSError:
                return
            with connection:
                name = fresh_name()
                try:
                    send_create(connection, name)
                    answer = connection.answer("POST")
                except OSError:
                    lost.append(time.monotonic())
                    return
                if answer.status_code == 201:
                    created.append(name)
                else:
                    refusals.append(answer.text)

    threads = [threading.Thread(target=client, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(created) > 50, 20, "some requests are through")
    asked = time.monotonic()
    service.terminate()
    assert service.wait_for_exit(10) == 0
    for thread in threads:
        thread.join(10)
    assert refusals == []
    # A connection may be waiting, unaccepted, at the moment when the listener closes; not before.
    assert [moment - asked for moment in lost if moment < asked + drain_seconds] == []
    again = case.enter(
        service.project.service({"DATABASE_URL": service.environment["DATABASE_URL"]})
    )
    assert set(created) <= {item["name"] for item in walk(again.http)}


@pytest.mark.contract("P5", "P8")
def test_a_service_that_is_terminated_under_load_keeps_its_word(side_by_side: SideBySide) -> None:
    side_by_side(terminated_under_load)


def replicas(case: Case) -> None:
    database = own_database(case)
    writer = case.start(database)
    reader = case.start(database)
    for number in range(30):
        made = create(writer.http, quantity=number)
        path = made.headers["location"]
        assert reader.http.get(path).json() == made.json()
        assert walk(reader.http)[-1] == made.json()
        replaced = writer.http.put(path, json={"name": fresh_name(), "quantity": 1})
        there = reader.http.get(path)
        assert there.json() == replaced.json()
        assert there.headers["etag"] == replaced.headers["etag"]
        if number % 2:
            assert reader.http.delete(path).status_code == 204
            assert_problem(writer.http.get(path), 404, path)


@pytest.mark.contract("P8")
def test_a_write_is_seen_at_once_by_another_process(side_by_side: SideBySide) -> None:
    side_by_side(replicas)


class Ledger:
    """Writes without pause, and remembers what was acknowledged."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.items: dict[str, dict[str, object]] = {}
        self.deleted: set[str] = set()
        self.rounds = 0

    def write(self) -> None:
        """Create an item and replace it; delete every third."""
        self.rounds += 1
        try:
            made = create(self.service.http)
            path = made.headers["location"]
            self.items[path] = made.json()
            answer = self.service.http.put(path, json={"name": fresh_name(), "quantity": 2})
            if answer.status_code == 200:
                self.items[path] = answer.json()
            if self.rounds % 3 == 0:
                answer = self.service.http.delete(path)
                if answer.status_code == 204:
                    del self.items[path]
                    self.deleted.add(path)
        except httpx.TransportError:
            time.sleep(0.05)


def killed(case: Case) -> None:
    database = own_database(case)
    service = case.start(database)
    ledgers = [Ledger(service) for _ in range(4)]
    case.ready()
    threads = [Background(ledger.write) for ledger in ledgers]
    for thread in threads:
        case.enter(thread)
    wait_until(lambda: sum(len(lg.items) for lg in ledgers) > 60, 30, "some writes")
    service.kill()
    assert not service.living_family()
    acknowledged = [(dict(lg.items), set(lg.deleted)) for lg in ledgers]
    again = case.enter(service.project.service({"DATABASE_URL": database.url}))
    for items, deleted in acknowledged:
        last = next(reversed(items))
        for path, item in items.items():
            answer = again.http.get(path)
            if path == last and (answer.status_code == 404 or answer.json() != item):
                continue  # its next write was on its way, and may have been stored
            assert answer.json() == item, path
        for path in deleted:
            assert again.http.get(path).status_code == 404


@pytest.mark.contract("P8")
def test_what_was_acknowledged_outlives_a_kill(side_by_side: SideBySide) -> None:
    side_by_side(killed)


def worker_of(service: Service) -> psutil.Process | None:
    """The child that does the work: the largest; None where the main process does it itself."""
    children = [p for p in service.remember_family() if p.pid != service.pid and is_alive(p)]
    return max(children, key=lambda p: p.memory_info().rss, default=None)


def worker_killed(case: Case) -> None:
    service = case.start(own_database(case))
    case.ready()
    worker = worker_of(service)
    if worker is None:
        os.kill(service.pid, signal.SIGKILL)
    else:
        worker.kill()
    wait_until(partial(recovered_or_ended, service), 15, "a new worker, or the end of the process")
    if service.is_running():
        assert create(service.http).status_code == 201
    else:
        assert service.wait_for_exit(1) != 0
        wait_until(lambda: not service.living_family(), 5, "no process is left behind")


def recovered_or_ended(service: Service) -> bool:
    return not service.is_running() or (service.is_live() and bool(service.remember_family()))


@pytest.mark.contract("P9")
def test_a_dead_worker_is_replaced_or_ends_the_service(side_by_side: SideBySide) -> None:
    side_by_side(worker_killed)


def main_killed(case: Case) -> None:
    service = case.start(own_database(case))
    case.ready()
    service.remember_family()
    os.kill(service.pid, signal.SIGKILL)
    wait_until(lambda: not service.living_family(), 10, "nobody outlives the main process")
    # A killed process is gone for psutil before the last of its threads has let go of the socket.
    wait_until(lambda: refused(service.address), 10, "the port is free")


@pytest.mark.contract("P9")
def test_no_worker_outlives_its_main_process(side_by_side: SideBySide) -> None:
    side_by_side(main_killed)
