"""N8: a connection may be idle for longer than a load balancer keeps it, a request may not."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.contract.conftest import Case, Launch, SideBySide
from tests.contract.items import ITEMS, JSON, fresh_name
from tests.contract.test_shutdown import own_database
from tests.contract.wire import Address, Connection, exchange, request
from tests.servers import HAProxy

pytestmark = [pytest.mark.contract("N8"), pytest.mark.any_database]

GAPS = (31, 38, 45, 52, 59)
CLOSED_WITHIN = 60


@pytest.mark.any_framework("falcon")
def test_an_idle_connection_is_kept_as_long_as_it_was_set_to(launch: Launch) -> None:
    service = launch(KEEPALIVE_SECONDS="2")
    with Connection(service.address, timeout=10) as connection:
        assert connection.exchange("GET", "/livez").status_code == 200
        time.sleep(1)
        assert connection.exchange("GET", "/livez").status_code == 200
        began = time.monotonic()
        assert connection.socket.recv(1) == b""
        assert 1.5 < time.monotonic() - began < 5


def behind_a_balancer(case: Case) -> None:
    service = case.start(own_database(case))
    balancer = case.enter(HAProxy(server_port=service.port))
    case.ready()

    def asked_again(gap: int) -> None:
        url, kept = f"http://127.0.0.1:{balancer.port}", httpx.Limits(keepalive_expiry=None)
        with httpx.Client(base_url=url, timeout=20, limits=kept) as client:
            for _ in range(2):
                assert client.get(ITEMS).status_code == 200
                time.sleep(gap)
            created = client.post(ITEMS, json={"name": fresh_name()})
            assert created.status_code == 201, created.text

    with ThreadPoolExecutor(len(GAPS)) as pool:
        for outcome in [pool.submit(asked_again, gap) for gap in GAPS]:
            outcome.result()
    assert balancer.connections() == len(GAPS), "connections ended while they were idle"


@pytest.mark.slow
@pytest.mark.fault
def test_no_request_of_a_balancer_is_lost(side_by_side: SideBySide) -> None:
    """It keeps connections for 60 s; requests come after 31 to 59 s, and are sent only once."""
    side_by_side(behind_a_balancer)


def closed_after(address: Address, data: bytes) -> float:
    """Send the beginning of a request and nothing more; the seconds until the service closes."""
    began = time.monotonic()
    with Connection(address, timeout=80) as connection, contextlib.suppress(ConnectionError):
        connection.send(data)
        while connection.socket.recv(4096):
            pass
    return time.monotonic() - began


def halves(case: Case) -> None:
    """Stopped clients are let go, on new connections and used ones; who waits is answered."""
    database = own_database(case)
    service = case.start(database, DATABASE_TIMEOUT_SECONDS="60")
    case.ready()
    head = request("POST", ITEMS, [*JSON.items(), ("Content-Length", "1000")])
    waiting: list[httpx.Response] = []

    def wait_for_the_database() -> None:
        body = json.dumps({"name": fresh_name()}).encode()
        answer = exchange(service.address, "POST", ITEMS, JSON.items(), body, timeout=70)
        waiting.append(answer)

    waiter = threading.Thread(target=wait_for_the_database)
    with database.hold_writes():
        waiter.start()
        time.sleep(0.5)
        with ThreadPoolExecutor(3) as pool:
            parts = (head[:20], head, head + b'{"name": "x')
            closed = list(pool.map(lambda part: closed_after(service.address, part), parts))
            assert max(closed) <= CLOSED_WITHIN, closed
        assert waiter.is_alive()
    waiter.join(20)
    assert [answer.status_code for answer in waiting] == [201]


@pytest.mark.slow
@pytest.mark.fault
def test_who_stops_is_let_go_and_who_waits_is_answered(side_by_side: SideBySide) -> None:
    side_by_side(halves)
