"""E5: a service that has no file descriptor left waits for one, and goes on when there is one."""

from __future__ import annotations

import time

import psutil
import pytest

from tests.contract.conftest import Case, SideBySide
from tests.contract.items import create
from tests.contract.test_shutdown import own_database
from tests.contract.wire import connections
from tests.servers import process_tree, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.fault,
    pytest.mark.any_database,
    pytest.mark.contract("E5"),
]

SPARE = 8
WATCHED_SECONDS = 5


def no_descriptor_left(case: Case) -> None:
    service = case.start(own_database(case))
    assert create(service.http).status_code == 201
    processes = process_tree(service.pid)
    for process in processes:
        process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + SPARE,) * 2)
    service.http.close()
    with connections(service.address, 100):
        time.sleep(1)
        lines, before = len(service.lines), cpu_seconds(processes)
        time.sleep(WATCHED_SECONDS)
        used = cpu_seconds(processes) - before
        assert used < WATCHED_SECONDS / 4, f"{used:.1f} s of CPU in {WATCHED_SECONDS} s"
        assert len(service.lines) - lines < 50, "the log is flooded"
    wait_until(service.is_live, 15, "connections are accepted again")
    with service.new_client() as client:
        assert create(client).status_code == 201


def cpu_seconds(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def test_without_a_descriptor_it_neither_spins_nor_ends(side_by_side: SideBySide) -> None:
    side_by_side(no_descriptor_left)
