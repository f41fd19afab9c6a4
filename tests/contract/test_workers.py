"""P10: with WORKERS so many processes serve as one."""

from __future__ import annotations

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.contract.conftest import Launch, NewDatabase
from tests.contract.databases import Database
from tests.contract.items import ITEMS, create
from tests.servers import is_alive, wait_for_death, wait_until
from tests.services import Project, Service, features

pytestmark = [pytest.mark.contract("P10")]

WORKERS = 3
NOWHERE = "/v1/nowhere"


def workers_of(service: Service) -> list[psutil.Process]:
    """The processes that serve, without the one that started them."""
    return psutil.Process(service.pid).children()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the service keeps its temporary files."""
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.fixture
def database(project: Project, new_migrated: NewDatabase) -> Database:
    made = new_migrated()
    if made.kind == "sqlite" and "stream" in features(project.framework):
        pytest.skip("streams on SQLite are those of one process: refused, see below")
    return made


ACTIVE_POSTS = r"http_server_active_requests\{.*POST.*\}"


@pytest.fixture
def several(database: Database, launch: Launch, folder: Path) -> Service:
    service = launch(
        database,
        WORKERS=str(WORKERS),
        TMPDIR=str(folder),
        DRAIN_SECONDS="2",
        DATABASE_TIMEOUT_SECONDS="20",
    )
    wait_until(lambda: len(workers_of(service)) == WORKERS, 60, "all workers")

    def all_have_served() -> bool:
        ask_often(service)
        return len(list(folder.rglob("histogram_*.db"))) == WORKERS

    wait_until(all_have_served, 90, "each worker to serve")
    service.remember_family()
    return service


def ask(url: str) -> int:
    """On a connection of its own, so that any worker may take it."""
    return httpx.get(url, trust_env=False, verify=False).status_code


def ask_often(service: Service, path: str = NOWHERE, times: int = 30) -> list[int]:
    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(ask, [service.url + path] * times))


def metric(service: Service, pattern: str) -> float:
    """The sum of the series that match, as one of the workers tells it."""
    text = httpx.get(service.url + "/metrics", trust_env=False, verify=False).text
    return sum(map(float, re.findall(rf"^{pattern} (\S+)$", text, re.MULTILINE)))


def post(service: Service, number: int) -> int:
    """The status of a create, or 0 if the connection was cut."""
    try:
        content = {"name": f"bolt {number}"}
        return httpx.post(
            service.url + ITEMS, json=content, trust_env=False, verify=False, timeout=30
        ).status_code
    except httpx.TransportError:
        return 0


def open_connections(worker: psutil.Process) -> int:
    found = worker.net_connections("tcp")
    return sum(one.status == psutil.CONN_ESTABLISHED for one in found)


def counted(service: Service) -> float:
    return metric(service, r"http_server_request_duration_seconds_count\{.*404.*\}")


@pytest.mark.any_framework("flask")
def test_several_processes_serve_one_address(several: Service) -> None:
    """Each with the database, and each request is in the metrics, whichever is asked for them."""
    before = counted(several)
    assert ask_often(several, times=100) == [404] * 100
    assert {counted(several) for _ in range(20)} == {before + 100}
    assert create(several.http).status_code == 201
    assert len(several.http.get(ITEMS).json()["items"]) == 1
    text = several.http.get("/metrics").text
    assert metric(several, r"build_info\{.*\}") == 1
    assert "pid=" not in text


@pytest.mark.any_framework("flask")
@pytest.mark.any_database
def test_a_worker_that_dies_is_replaced_and_leaves_no_gauge(
    several: Service, database: Database
) -> None:
    """What it has counted stays counted; what it was busy with is not active for ever."""
    before = counted(several)
    with ThreadPoolExecutor(12) as pool, database.hold_writes():
        posts = [pool.submit(post, several, number) for number in range(12)]
        wait_until(lambda: metric(several, ACTIVE_POSTS) == 12, 15, "all to be in progress")
        victim = max(workers_of(several), key=open_connections)
        assert open_connections(victim)
        os.kill(victim.pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(victim), 10, "its end")

        def replaced() -> bool:
            return len(workers_of(several)) == WORKERS and victim not in workers_of(several)

        wait_until(replaced, 20, "another one in its place")
    statuses = [one.result() for one in posts]
    assert statuses.count(0) == len(statuses) - statuses.count(201) > 0
    wait_until(lambda: metric(several, ACTIVE_POSTS) == 0, 10, "no request to be active")
    assert set(ask_often(several)) == {404}
    assert counted(several) == before + 30


@pytest.mark.any_framework("flask")
@pytest.mark.any_database
def test_all_workers_drain_and_nothing_is_left(several: Service, folder: Path) -> None:
    """Requests in flight are answered, the exit code is 0, and the folder of metrics is gone."""
    assert list(folder.iterdir())
    family = several.remember_family()
    several.terminate()
    assert several.wait_for_exit(10) == 0
    wait_for_death(family)
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_while_they_drain_no_worker_is_ready(several: Service) -> None:
    several.terminate()
    wait_until(lambda: set(ask_often(several, "/readyz", 10)) == {503}, 1.5, "each to be unready")
    assert ask(several.url + ITEMS) == 200
    assert several.wait_for_exit(15) == 0


@pytest.mark.slow
@pytest.mark.contract("N6")
def test_a_signal_to_all_processes_at_once_drains_them(
    several: Service, database: Database
) -> None:
    """As systemd sends it: what is in flight in each worker is completed."""
    family = several.remember_family()
    with ThreadPoolExecutor(4) as pool:
        with database.hold_writes():
            posts = [pool.submit(post, several, number) for number in range(4)]
            wait_until(lambda: metric(several, ACTIVE_POSTS) == 4, 15, "all to be in progress")
            for process in family:
                process.send_signal(signal.SIGTERM)
        assert [one.result() for one in posts] == [201] * 4
    assert several.wait_for_exit(10) == 0
    wait_for_death(family)


@pytest.mark.slow
def test_workers_end_with_their_parent(
    several: Service, database: Database, folder: Path, launch: Launch
) -> None:
    """And the next service removes what the killed one has left behind."""
    family = several.remember_family()
    os.kill(several.pid, signal.SIGKILL)
    assert several.process is not None
    several.process.wait(5)
    wait_for_death(family)
    left = set(folder.iterdir())
    assert left
    again = launch(database, WORKERS="2", TMPDIR=str(folder))
    assert not left & set(folder.iterdir())
    again.terminate()
    assert again.wait_for_exit(10) == 0


@pytest.mark.any_framework("flask")
@pytest.mark.any_database
def test_one_worker_has_no_folder_and_no_number_is_refused(
    project: Project, launch: Launch, folder: Path
) -> None:
    service = launch(TMPDIR=str(folder))
    assert service.http.get("/metrics").status_code == 200
    assert list(folder.iterdir()) == []
    ran = project.run(environment={"WORKERS": "0"}, timeout=30)
    assert ran.returncode == 2
    assert "WORKERS" in ran.stdout


@pytest.mark.feature("stream")
@pytest.mark.slow
def test_a_stream_on_sqlite_is_refused_by_name(project: Project, tmp_path: Path) -> None:
    environment = {"WORKERS": "2", "DATABASE_URL": f"sqlite:///{tmp_path}/items.db"}
    ran = project.run(environment=environment, timeout=30)
    assert ran.returncode == 2
    assert "WORKERS" in ran.stdout
    assert "SQLite" in ran.stdout
    assert len(ran.stdout.splitlines()) == 1
