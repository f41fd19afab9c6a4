"""N12: busy is not failed. Requests that wait for a lock or for slow queries are served in the end.

Readiness waits with none of them, or an overload would take every replica out of the service.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.contract.bursts import Ask, Timed, burst
from tests.contract.conftest import Case, SideBySide
from tests.contract.databases import PostgresDatabase
from tests.contract.items import ITEMS, fresh_name
from tests.contract.test_shutdown import own_database
from tests.servers import wait_until
from tests.services import Background, Service

pytestmark = [pytest.mark.fault, pytest.mark.alone, pytest.mark.contract("N12")]

HELD_SECONDS = 2.5


@contextlib.contextmanager
def always_ready(service: Service) -> Iterator[None]:
    """Probe as a cluster does: within the block every probe has to pass in time."""
    failures: list[str] = []
    wait_until(lambda: service.http.get("/readyz").status_code == 200, 20, "/readyz 200")
    with service.new_client() as client:

        def probe() -> None:
            for path, seconds in (("/readyz", 2.0), ("/livez", 1.0)):
                before = time.monotonic()
                status = client.get(path).status_code
                took = time.monotonic() - before
                if status != 200 or took > seconds:
                    failures.append(f"{path}: {status} after {took:.2f} s")
            time.sleep(0.1)

        with Background(probe):
            yield
    assert not failures, failures


def held(
    service: Service, hold: contextlib.AbstractContextManager[None], asks: list[Ask]
) -> list[Timed]:
    """The answers to requests that all wait for a lock, which is let go in the end."""
    answers: list[Timed] = []
    waiting = threading.Thread(target=lambda: answers.extend(burst(service.address, asks)))
    with always_ready(service):
        with hold:
            waiting.start()
            time.sleep(HELD_SECONDS)
        wait_until(lambda: not waiting.is_alive(), 30, "every request is answered")
    assert len(answers) == len(asks)
    return answers


def writes(number: int) -> list[Ask]:
    return [("POST", ITEMS, {"name": fresh_name()}) for _ in range(number)]


def fifty_writers(case: Case) -> None:
    database = own_database(case)
    service = case.start(database)
    answers = held(service, database.hold_writes(), writes(50))
    assert Counter(answer.status for answer in answers) == {201: 50}


def test_fifty_writers_wait_for_a_lock_that_is_held(side_by_side: SideBySide) -> None:
    side_by_side(fifty_writers, several=1)


def two_hundred_callers(case: Case) -> None:
    database = own_database(case)
    service = case.start(database)
    if isinstance(database, PostgresDatabase):
        reads: list[Ask] = [("GET", ITEMS, None)] * 200
        answers = held(service, database.hold_everything(), reads)
        assert Counter(answer.status for answer in answers) == {200: 200}
    else:  # a reader never waits, and the file takes as many writes as the disk is fast
        answers = held(service, database.hold_writes(), writes(200))
        assert {answer.status for answer in answers} <= {201, 503}
        assert Counter(answer.status for answer in answers)[201] > 50


def test_two_hundred_callers_keep_no_probe_waiting(side_by_side: SideBySide) -> None:
    side_by_side(two_hundred_callers, several=1)
