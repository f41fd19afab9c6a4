"""N6: whoever stops a service, and however often, it drains and ends well."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from tests.contract.conftest import Case, SideBySide
from tests.contract.items import ITEMS, JSON, fresh_name
from tests.contract.test_shutdown import is_waiting, own_database
from tests.contract.wire import Connection, refused, request
from tests.servers import wait_until
from tests.services import Service

pytestmark = [pytest.mark.contract("N6", "P5"), pytest.mark.fault, pytest.mark.any_database]

DRAIN = 2.0
LONG_DRAIN = 60.0


def signalled_in_flight(case: Case, number: int, *, everybody: bool) -> None:
    """A request in flight is answered; what is asked meanwhile is too; the exit code is 0."""
    service = case.start(own_database(case), DRAIN_SECONDS=str(DRAIN))
    case.ready()
    in_flight = case.enter(Connection(service.address))
    body = json.dumps({"name": fresh_name()}).encode()
    head = request("POST", ITEMS, [*JSON.items(), ("Content-Length", str(len(body)))])
    in_flight.send(head + body[:5])
    wait_until(lambda: is_waiting(service), 10, "the POST has begun")
    asked = time.monotonic()
    send(service, number, everybody=everybody)
    wait_until(lambda: service.http.get("/readyz").status_code == 503, 1, "/readyz turns 503")
    wait_until(lambda: refused(service.address), DRAIN + 4, "the listener is closed")
    assert time.monotonic() - asked >= DRAIN
    in_flight.send(body[5:])
    assert in_flight.answer("POST").status_code == 201
    assert service.wait_for_exit(5) == 0
    assert not service.living_family()


def send(service: Service, number: int, *, everybody: bool) -> None:
    """To the main process alone, or to each process as systemd does."""
    family = service.remember_family()
    for pid in [process.pid for process in family] if everybody else [service.pid]:
        os.kill(pid, number)


def terminated_as_a_group(case: Case) -> None:
    signalled_in_flight(case, signal.SIGTERM, everybody=True)


def test_sigterm_to_every_process_drains(side_by_side: SideBySide) -> None:
    side_by_side(terminated_as_a_group)


def hung_up(case: Case) -> None:
    signalled_in_flight(case, signal.SIGHUP, everybody=False)


def interrupted(case: Case) -> None:
    signalled_in_flight(case, signal.SIGINT, everybody=False)


@pytest.mark.slow
def test_sighup_drains(side_by_side: SideBySide) -> None:
    side_by_side(hung_up)


@pytest.mark.slow
def test_sigint_drains(side_by_side: SideBySide) -> None:
    side_by_side(interrupted)


def terminated_twice(case: Case) -> None:
    """The second signal ends DRAIN_SECONDS, and not the request in flight; a third does nothing."""
    service = case.start(own_database(case), DRAIN_SECONDS=str(LONG_DRAIN))
    case.ready()
    in_flight = case.enter(Connection(service.address))
    body = json.dumps({"name": fresh_name()}).encode()
    head = request("POST", ITEMS, [*JSON.items(), ("Content-Length", str(len(body)))])
    in_flight.send(head + body[:5])
    wait_until(lambda: is_waiting(service), 10, "the POST has begun")
    service.terminate()
    wait_until(lambda: service.http.get("/readyz").status_code == 503, 2, "/readyz turns 503")
    service.terminate()
    wait_until(lambda: refused(service.address), 4, "the listener is closed")
    service.terminate()
    time.sleep(0.5)  # for a third one to do harm
    in_flight.send(body[5:])
    assert in_flight.answer("POST").status_code == 201
    assert service.wait_for_exit(5) == 0


def test_a_second_sigterm_ends_the_drain_alone(side_by_side: SideBySide) -> None:
    side_by_side(terminated_twice)
