"""N5: a log that cannot be written changes no answer, and keeps no service from its end."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.contract.conftest import NewDatabase
from tests.contract.items import create
from tests.services import Project, Service

pytestmark = [pytest.mark.contract("N5"), pytest.mark.fault, pytest.mark.any_database]

LONG_PATH = f"/{'x' * 3000}"  # a line of the log has it, and fits into a page
IDLE_SECONDS = 5


class Pipe:
    """A pipe with room for little; whoever has not closed an end yet closes it with the block."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        fcntl.fcntl(self.write, fcntl.F_SETPIPE_SZ, 4096)
        self._open = [self.read, self.write]

    def __enter__(self) -> Pipe:
        return self

    def __exit__(self, *_: object) -> None:
        for end in tuple(self._open):
            self.close(end)

    def close(self, end: int) -> None:
        self._open.remove(end)
        os.close(end)


@contextlib.contextmanager
def printing_to(stdout: int, project: Project, new_database: NewDatabase) -> Iterator[Service]:
    service = Service(project, {"DATABASE_URL": new_database().url}, (project.executable,))
    try:
        yield service.start(stdout_fd=stdout)
    finally:
        service.end()


def metric(service: Service, name: str) -> float:
    text = service.http.get("/metrics").text
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def dropped(service: Service) -> float:
    return metric(service, "log_lines_dropped_total")


def long_lines(service: Service, count: int) -> list[str]:
    """Have it log so many long lines; their request ids."""
    answers = [service.http.get(LONG_PATH) for _ in range(count)]
    assert {answer.status_code for answer in answers} == {404}
    return [answer.headers["x-request-id"] for answer in answers]


def assert_well(service: Service) -> None:
    """It answers, stores and counts as ever; and ends as it does when it is idle."""
    for _ in range(3):
        stored = create(service.http)
        assert service.http.get(stored.headers["location"]).json() == stored.json()
    assert metric(service, 'http_server_active_requests{http_request_method="GET"}') == 1
    assert dropped(service) > 0
    service.terminate()
    started = time.monotonic()
    assert service.wait_for_exit(IDLE_SECONDS) == 0, f"after {time.monotonic() - started:.1f} s"
    assert not service.living_family()


@pytest.mark.slow
def test_a_full_disk_changes_nothing(project: Project, new_migrated: NewDatabase) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with printing_to(full, project, new_migrated) as service:
            assert_well(service)
    finally:
        os.close(full)


@pytest.mark.slow
def test_a_reader_that_went_away_changes_nothing(
    project: Project, new_migrated: NewDatabase
) -> None:
    with Pipe() as pipe, printing_to(pipe.write, project, new_migrated) as service:
        pipe.close(pipe.read)
        assert_well(service)


@pytest.mark.any_framework
def test_a_reader_that_stopped_changes_nothing(project: Project, new_migrated: NewDatabase) -> None:
    with Pipe() as pipe, printing_to(pipe.write, project, new_migrated) as service:
        long_lines(service, 400)
        assert_well(service)


@pytest.mark.slow
def test_a_reader_that_pauses_misses_nothing(project: Project, new_migrated: NewDatabase) -> None:
    with Pipe() as pipe, printing_to(pipe.write, project, new_migrated) as service:
        ids = long_lines(service, 20)
        assert dropped(service) == 0
        service.terminate()
        pipe.close(pipe.write)
        printed = subprocess.run(["cat"], stdin=pipe.read, capture_output=True, check=True).stdout
        lines = [json.loads(line) for line in printed.splitlines()]
        assert [line["request_id"] for line in lines if line.get("path") == LONG_PATH] == ids
        assert service.wait_for_exit(IDLE_SECONDS) == 0
