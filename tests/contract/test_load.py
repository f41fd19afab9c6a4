"""E5: slow clients starve nobody, and load is no error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.contract.bursts import Load, Trickled, load, trickle
from tests.contract.conftest import Case, SideBySide, Target
from tests.contract.items import ITEMS, create
from tests.contract.test_shutdown import own_database

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.alone, pytest.mark.contract("E5")]

CLOSED_WITHIN = 60.0
TRICKLE_SECONDS = 66.0


@dataclass
class Trickles:
    """What the one long run of slow clients met with, for the tests that look at its parts."""

    seen: dict[Target, Trickled] = field(default_factory=dict)

    def run(self, case: Case) -> None:
        service = case.start(own_database(case))
        case.ready()
        if case.target not in self.seen:
            self.seen[case.target] = trickle(
                service.address, heads=300, bodies=20, seconds=TRICKLE_SECONDS, pause=4
            )
        assert create(service.http).status_code == 201, "the service has recovered"


@pytest.fixture(scope="session")
def trickles() -> Trickles:
    return Trickles()


SlowClients = Callable[[], Trickled]


@pytest.fixture
def slow_clients(side_by_side: SideBySide, trickles: Trickles, target: Target) -> SlowClients:
    """300 connections trickle their heads and 20 a body, of several services at the same time.

    The test itself calls it: a service that breaks down under them fails the test.
    """

    def seen() -> Trickled:
        if target not in trickles.seen:
            side_by_side(trickles.run)
        return trickles.seen[target]

    return seen


def test_slow_clients_never_keep_a_probe_waiting(slow_clients: SlowClients) -> None:
    trickled = slow_clients()
    assert len(trickled.probes) > 10
    assert max(trickled.probes) < 1, f"{max(trickled.probes):.2f} s"


def test_a_head_that_trickles_is_closed(slow_clients: SlowClients) -> None:
    trickled = slow_clients()
    still_open = [seconds for seconds in trickled.heads if seconds is None]
    assert not still_open, f"{len(still_open)} of {len(trickled.heads)} are still open"
    assert max(seconds for seconds in trickled.heads if seconds) <= CLOSED_WITHIN


@pytest.mark.limitable
def test_a_body_that_trickles_is_closed(slow_clients: SlowClients) -> None:
    trickled = slow_clients()
    still_open = [seconds for seconds in trickled.bodies if seconds is None]
    assert not still_open, f"{len(still_open)} of {len(trickled.bodies)} are still open"
    assert max(seconds for seconds in trickled.bodies if seconds) <= CLOSED_WITHIN


def three_hundred_bodies(case: Case) -> None:
    service = case.start(own_database(case))
    case.ready()
    trickled = trickle(service.address, heads=0, bodies=300, seconds=20, pause=1)
    late = trickled.probes[len(trickled.probes) // 2 :]
    assert len(late) > 5, trickled.probes
    assert max(late) < 1, trickled.probes


@pytest.mark.contract("N9")
def test_no_number_of_slow_bodies_keeps_probes_waiting_for_long(side_by_side: SideBySide) -> None:
    """A service may need some seconds to see what they are, but far fewer than they would last."""
    side_by_side(three_hundred_bodies, several=1)


def two_hundred(case: Case) -> None:
    service = case.start(own_database(case))
    path = ""
    for _ in range(20):
        path = create(service.http).headers["location"]
    result = load(service.address, [path, f"{ITEMS}?limit=10"], connections=200, seconds=10)
    assert_no_error(result)


def assert_no_error(result: Load) -> None:
    assert not result.errors, result.errors
    assert set(result.statuses) == {200}, result.statuses
    assert result.statuses[200] > 200, "each connection has been answered"


def test_two_hundred_connections_are_no_error(side_by_side: SideBySide) -> None:
    """One service after the other: it is the load that is tested, not the machine."""
    side_by_side(two_hundred, several=1)
