"""N1 to N4, N7: the service among its neighbours, which are real.

A pooler, a standby that becomes the primary, name servers that say nothing, firewalls that forget.
"""

from __future__ import annotations

import shlex
import shutil
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.contract.bursts import Ask, burst
from tests.contract.conftest import Case, SideBySide
from tests.contract.databases import PASSWORD, ROLE
from tests.contract.items import ITEMS, create, fresh_name
from tests.contract.test_database_faults import (
    assert_normal_within,
    assert_printed_no_secret,
    liveness_watched,
    postgres_of,
)
from tests.servers import Forwarder, PgBouncer, missing, wait_until
from tests.services import Service, features

pytestmark = [pytest.mark.fault]

OUTAGE, OVER = "database_unavailable", "database_available"


def on_postgresql(case: Case) -> bool:
    """Of SQLite there is no pooler, no standby and no network; nothing of it is asked."""
    return case.target.database == "postgresql"


def events(service: Service, name: str) -> list[dict[str, object]]:
    return [entry for entry in service.log if entry["event"] == name]


def pooled(case: Case) -> None:
    if not on_postgresql(case):
        return
    server, database = postgres_of(case)
    pooler = case.enter(PgBouncer(server_port=server.port, users=((ROLE, PASSWORD),)))
    through = {"DATABASE_URL": pooler.url(database.url)}
    direct = {**through, "DATABASE_DIRECT_URL": database.url}
    refused = case.project.run("migrate", environment=through)
    if refused.returncode:  # it needs a session of its own, and says so
        (line,) = (refused.stdout + refused.stderr).splitlines()
        assert refused.returncode == 2, line
        assert "DATABASE_DIRECT_URL" in line
    case.project.migrate(direct)
    reader, writer = (case.enter(case.project.service(direct)) for _ in range(2))
    kept = [create(reader.http).headers["location"] for _ in range(40)]
    doomed = [create(writer.http).headers["location"] for _ in range(120)]
    reads: list[Ask] = [("GET", path, None) for path in kept]
    deletes: list[Ask] = [("DELETE", path, None) for path in doomed]
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(lambda: [a for _ in range(3) for a in burst(reader.address, reads)])
        deleting = pool.submit(
            lambda: [a for n in range(0, 120, 10) for a in burst(writer.address, deletes[n:][:10])]
        )
        assert Counter(answer.status for answer in reading.result()) == {200: 120}
        assert Counter(answer.status for answer in deleting.result()) == {204: 120}
    assert all(writer.http.get(path).status_code == 200 for path in kept)
    assert {writer.http.get(path).status_code for path in doomed} == {404}
    if "stream" in features(case.target.framework):
        lost = case.enter(case.project.service(through))
        wait_until(lambda: "DATABASE_DIRECT_URL" in lost.output, 10, "a line that says why")
        assert "DATABASE_DIRECT_URL" not in reader.output
    for service in (reader, writer):
        assert_printed_no_secret(service, *database.secrets)


@pytest.mark.contract("N1")
def test_two_replicas_share_the_sessions_of_a_pooler(side_by_side: SideBySide) -> None:
    side_by_side(pooled)


def switched(case: Case) -> None:
    if not on_postgresql(case):
        return
    first, database = postgres_of(case)
    case.project.migrate({"DATABASE_URL": database.url})
    second = case.enter(first.new_standby())
    address = case.enter(Forwarder(first.port))
    url = database.url.replace(f":{first.port}/", f":{address.port}/")
    service = case.enter(case.project.service({"DATABASE_URL": url}))
    assert_normal_within(service, 10)
    reads: list[Ask] = [("GET", ITEMS, None)] * 20
    burst(service.address, reads)  # so that the pool has several connections
    first.stop()
    second.promote()
    first.start()
    first.follow(second)
    wait_until(lambda: service.http.get(ITEMS).status_code == 200, 10, "the standby is read")
    statuses = Counter(
        service.http.post(ITEMS, json={"name": fresh_name()}).status_code for _ in range(20)
    )
    assert statuses == {503: 20}, "until the address has moved"
    assert service.http.get("/readyz").status_code == 503
    address.target = second.port
    assert_normal_within(service, 10)
    assert any(entry["kind"] == "read_only" for entry in events(service, OUTAGE))


@pytest.mark.contract("N2")
def test_writes_go_on_after_a_switchover(side_by_side: SideBySide) -> None:
    side_by_side(switched, several=3)


def explained(case: Case) -> None:
    if not on_postgresql(case):
        return
    server, database = postgres_of(case)
    case.project.migrate({"DATABASE_URL": database.url})
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"alter role {ROLE} password 'another'".encode())
        service = case.enter(case.project.service({"DATABASE_URL": database.url}))
        for _ in range(5):
            assert service.http.get(ITEMS).status_code == 503
            assert service.http.get("/readyz").status_code == 503
        (entry,) = events(service, OUTAGE)
        assert "password authentication failed" in str(entry["reason"])
        metrics = service.http.get("/metrics").text
        assert 'database_errors_total{kind="connection"}' in metrics
        assert "database_connections_in_use 0.0" in metrics
        assert "database_requests_waiting 0.0" in metrics
        admin.execute(f"alter role {ROLE} password '{PASSWORD}'".encode())

    def over() -> bool:
        service.http.get(ITEMS)
        return bool(events(service, OVER))

    wait_until(over, 15, "a line that says that all is well")
    assert len(events(service, OUTAGE)) == len(events(service, OVER)) == 1
    assert_printed_no_secret(service, *database.secrets)


@pytest.mark.contract("N3")
def test_the_log_says_once_why_the_database_cannot_be_used(side_by_side: SideBySide) -> None:
    side_by_side(explained)


def mute(case: Case) -> None:
    if not on_postgresql(case):
        return
    if shutil.which("unshare") is None:
        missing("unshare is not installed")
    resolver = case.folder() / "resolv.conf"
    hosts = case.folder() / "hosts"
    resolver.write_text("nameserver 192.0.2.1\n")  # reserved for examples: nobody answers there
    hosts.write_text("127.0.0.1 localhost\n")
    mounts = [
        f"mount --bind {shlex.quote(str(own))} {path}"
        for own, path in ((resolver, "/etc/resolv.conf"), (hosts, "/etc/hosts"))
    ]
    script = " && ".join([*mounts, f"exec {shlex.quote(case.project.executable)}"])
    environment = {
        "DATABASE_URL": f"postgresql://{ROLE}:secret@database.mute.example/items",
        "DATABASE_TIMEOUT_SECONDS": "3",
    }
    command = ("unshare", "--mount", "sh", "-c", script)
    service = case.enter(case.project.service(environment, command=command))
    with liveness_watched(service) as took:
        for path, seconds in ((ITEMS, 4.0), ("/readyz", 3.0)) * 2:
            before = time.monotonic()
            assert service.http.get(path).status_code == 503
            assert time.monotonic() - before < seconds, path
        answers = burst(service.address, [("GET", ITEMS, None)] * 50)
        assert {answer.status for answer in answers} == {503}
        assert max(answer.seconds for answer in answers) < 4
    assert max(took) < 1


@pytest.mark.alone
@pytest.mark.contract("N4")
def test_a_name_server_that_says_nothing_is_in_the_deadline(side_by_side: SideBySide) -> None:
    side_by_side(mute, several=1)


def cut(case: Case) -> None:
    if not on_postgresql(case):
        return
    server, database = postgres_of(case)
    address = case.enter(Forwarder(server.port))
    url = database.url.replace(f":{server.port}/", f":{address.port}/")
    case.project.migrate({"DATABASE_URL": url})
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"alter role {ROLE} set idle_session_timeout = '1s'".encode())
    service = case.enter(case.project.service({"DATABASE_URL": url}))
    reads: list[Ask] = [("GET", ITEMS, None)] * 20
    for _ in range(3):
        answers = burst(service.address, reads)
        assert Counter(answer.status for answer in answers) == {200: 20}
        time.sleep(1.5)  # longer than a session may be idle
        assert service.http.post(ITEMS, json={"name": fresh_name()}).status_code == 201
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"alter role {ROLE} reset idle_session_timeout".encode())
    time.sleep(1.5)
    burst(service.address, reads)
    address.forget()
    time.sleep(10.5)  # longer than a connection is trusted
    answers = burst(service.address, reads)
    assert Counter(answer.status for answer in answers) == {200: 20}


@pytest.mark.contract("N4")
def test_a_connection_that_was_cut_while_it_was_idle_costs_no_request(
    side_by_side: SideBySide,
) -> None:
    side_by_side(cut)


def blocked(case: Case) -> None:
    if not on_postgresql(case):
        return
    _, database = postgres_of(case)
    results: list[tuple[int, str]] = []

    def migrate() -> None:
        done = case.project.run("migrate", environment={"DATABASE_URL": database.url})
        results.append((done.returncode, done.stdout + done.stderr))

    migration = threading.Thread(target=migrate)
    with database.hold_schema():
        migration.start()
        wait_until(lambda: database.waiting() > 0, 30, "it waits for the lock")
        wait_until(lambda: database.waiting() == 0, 8, "it lets go, so that others are served")
    migration.join(60)
    ((status, output),) = results
    assert status == 0, output
    assert "migration_waits" in output


@pytest.mark.contract("N7")
def test_a_migration_waits_for_a_lock_for_five_seconds_at_a_time(side_by_side: SideBySide) -> None:
    side_by_side(blocked)
