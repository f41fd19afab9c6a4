"""C1 and C2: a service that was generated ``with: [calls]``, and another one that it calls."""

from __future__ import annotations

import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.calling import KNOWN, VIEW, Other, Reply, add_view, seconds_of, value_of
from tests.contract.collectors import CLIENT, Collector, serving_collector
from tests.contract.conftest import Target
from tests.contract.items import ITEMS, assert_problem, create
from tests.contract.test_process import without_network
from tests.servers import free_port, signal_tree, wait_until
from tests.services import (
    Background,
    Project,
    Projects,
    Service,
    copy_of,
    lend_environment,
    project_having,
    uv_environment,
)

LIMIT = 20
CALL_SECONDS = 2
AGAIN_SECONDS = 10


def with_view(project: Project, folder: Path) -> Project:
    """The service as its owner has it, who serves the view of the README."""
    copy_of(project.folder, folder)
    lend_environment(project.folder, folder)
    add_view(project.framework, folder)
    path = f"{folder / 'src'}:{project.surroundings.get('PYTHONPATH', '')}"
    return Project(project.framework, folder, {**project.surroundings, "PYTHONPATH": path})


@pytest.fixture(scope="session")
def own_project(target: Target, projects: Projects) -> Project:
    """A service as it was generated."""
    return project_having(projects, target.framework, "calls")


@pytest.fixture(scope="session")
def calling_project(own_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return with_view(own_project, tmp_path_factory.mktemp("calling") / "service")


@pytest.fixture(scope="session")
def other_of_all() -> Iterator[Other]:
    with Other().serving() as running:
        yield running


@pytest.fixture
def other(other_of_all: Other) -> Iterator[Other]:
    """Another service, which answers as the test says and as ever afterwards."""
    yield other_of_all
    other_of_all.answers(Reply())


@pytest.fixture(scope="session")
def calling(calling_project: Project, database: Any, other_of_all: Other) -> Iterator[Service]:
    """One that has two seconds for a call of the other service."""
    with calling_project.service(environment(database, other_of_all.url)) as running:
        yield running


def environment(database: Any, url: str) -> dict[str, str]:
    seconds = str(CALL_SECONDS)
    return {"DATABASE_URL": database.url, "PEER_URL": url, "PEER_TIMEOUT_SECONDS": seconds}


def ask(service: Service, item_id: str = "1", **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return service.http.get(f"{VIEW}/{item_id}", headers=given)


def many(service: Service, count: int) -> list[tuple[httpx.Response, float]]:
    """So many requests for the view at once, and how long each took."""

    def one(_: int) -> tuple[httpx.Response, float]:
        with service.new_client() as client:
            began = time.monotonic()
            return client.get(f"{VIEW}/1"), time.monotonic() - began

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def assert_tells_no_address(answer: httpx.Response, url: str) -> None:
    for part in (url, url.rpartition(":")[2], "127.0.0.1", "Errno", "httpx", "peer:"):
        assert part not in answer.text.replace(VIEW, "")


@pytest.mark.contract("C1")
@pytest.mark.any_framework
@pytest.mark.any_database
def test_a_call_passes_on_the_ids_of_its_request_and_no_secret(
    calling: Service, other: Other
) -> None:
    name = secrets.token_hex(8)
    trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    answer = ask(
        calling,
        name,
        X_Request_ID=name,
        traceparent=trace,
        tracestate="vendor=1",
        Authorization="Bearer secret",
        Cookie="secret=1",
    )
    assert (answer.status_code, answer.json()) == (200, KNOWN)
    (asked,) = other.of(name)
    headers = {key.lower(): value for key, value in asked.headers.items()}
    assert (headers["x-request-id"], headers["traceparent"]) == (name, trace)
    assert headers["tracestate"] == "vendor=1"
    assert "secret" not in str(headers)
    other.answers(Reply(headers={"Set-Cookie": "secret=1; Path=/"}))
    for _ in range(2):
        assert ask(calling, f"{name}-cookie").status_code == 200
    assert not [one for one in other.of(f"{name}-cookie") if "Cookie" in one.headers]


@pytest.mark.contract("C1")
@pytest.mark.any_framework("flask")
@pytest.mark.any_database
def test_connections_are_used_again(calling: Service, other: Other) -> None:
    name = secrets.token_hex(8)
    for _ in range(30):
        assert ask(calling, name).status_code == 200
    assert len({one.connection for one in other.of(name)}) <= 2


@pytest.mark.contract("C1")
@pytest.mark.any_framework("flask")
@pytest.mark.any_database
def test_what_may_pass_is_tried_again(calling: Service, other: Other) -> None:
    for replies, status, sent in (
        ((Reply(503), Reply(502), Reply()), 200, 3),
        ((Reply(429, {"Retry-After": "0"}), Reply()), 200, 2),
        ((Reply(429, {"Retry-After": "60"}), Reply()), 503, 1),
        ((Reply(500), Reply()), 502, 1),
        ((Reply(404),), 404, 1),
        ((Reply(302, {"Location": "http://127.0.0.1:1/"}),), 502, 1),
        ((Reply(body=b"no JSON"),), 502, 1),
        ((Reply(headers={"Content-Encoding": "gzip"}),), 502, 1),
    ):
        name = secrets.token_hex(8)
        other.answers(*replies)
        answer = ask(calling, name)
        assert (answer.status_code, len(other.of(name))) == (status, sent)
        if status >= 400:
            assert_problem(answer, status)
            assert_tells_no_address(answer, other.url)
            assert ("Retry-After" in answer.headers) == (status == 503)


@pytest.mark.contract("C1", "E3")
@pytest.mark.any_framework("sanic")
@pytest.mark.any_database
@pytest.mark.parametrize("later", [b"-caf\xc3\xa9", b"-" + 8_000 * b"x"], ids=["not ASCII", "long"])
def test_what_a_later_traceparent_has_breaks_no_call(
    calling: Service, other: Other, later: bytes
) -> None:
    """The other service gets the part of it that is known, as the version that is known."""
    name, known = secrets.token_hex(8), f"{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    headers = {b"traceparent": b"cc-" + known.encode() + later}
    answer = calling.http.get(f"{VIEW}/{name}", headers=headers)
    assert (answer.status_code, answer.json()) == (200, KNOWN)
    (asked,) = other.of(name)
    passed_on = {key.lower(): value for key, value in asked.headers.items()}.get("traceparent")
    # Some servers drop a header that is not ASCII, and then the trace is not passed on.
    assert passed_on in ((f"00-{known}",) if later.isascii() else (f"00-{known}", None))


@pytest.mark.contract("C1")
@pytest.mark.any_framework("flask")
@pytest.mark.any_database
def test_a_wait_that_is_asked_for_is_passed_on_within_bounds(
    calling: Service, other: Other
) -> None:
    in_two_minutes = formatdate(time.time() + 120, usegmt=True)
    for asked, least, most in (
        ("60", 60, 60),
        (400 * "9", 3600, 3600),
        (in_two_minutes, 110, 120),
        (formatdate(0, usegmt=True), 1, 1),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600, 3600),
        ("soon", 1, 1),
    ):
        other.answers(Reply(429, {"Retry-After": asked}))
        answer = ask(calling)
        assert_problem(answer, 503)
        assert least <= int(answer.headers["Retry-After"]) <= most, asked


@pytest.mark.contract("C1")
@pytest.mark.any_framework("flask")
@pytest.mark.any_database
def test_values_of_a_path_lead_nowhere_else(calling: Service, other: Other) -> None:
    before = len(other.asked)
    for value in ("%2e%2e%2fadmin", "a%3fb", "a%23b", "%2e%2e"):
        ask(calling, value)
    assert [one.path for one in other.asked[before:] if not one.path.startswith("/v1/items/")] == []
    assert not [one for one in other.asked[before:] if "?" in one.path]


@pytest.mark.contract("C1")
@pytest.mark.any_framework("flask", "fastapi")
@pytest.mark.any_database
@pytest.mark.parametrize("reply", [Reply(delay=20), Reply(pace=0.1, body=200 * b" ")])
def test_all_of_a_call_ends_in_time(calling: Service, other: Other, reply: Reply) -> None:
    """Although each byte of a slow answer is in time."""
    other.answers(reply)
    began = time.monotonic()
    answer = ask(calling)
    assert CALL_SECONDS - 0.2 < time.monotonic() - began < CALL_SECONDS + 1
    assert_problem(answer, 504)
    assert_tells_no_address(answer, other.url)


@pytest.mark.contract("C1")
@pytest.mark.any_framework("flask")
@pytest.mark.any_database
def test_an_answer_is_not_read_beyond_its_bound(calling: Service, other: Other) -> None:
    other.answers(Reply(body=50 * 2**20 * b" "))
    with calling.peak_growth() as growth:
        assert_problem(ask(calling), 502)
    assert growth[0] < 20 * 2**20


@pytest.mark.contract("C1")
@pytest.mark.any_framework("flask")
@pytest.mark.any_database
def test_a_service_that_is_down_is_a_problem_of_the_view_alone(
    calling_project: Project, database: Any
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with calling_project.service(environment(database, url)) as service:
        for _ in range(3):
            answer = ask(service)
            problem = assert_problem(answer, 502)
            assert problem["detail"] == "A service that this one depends on cannot be reached."
            assert_tells_no_address(answer, url)
        assert service.http.get("/readyz").status_code == 200
        assert service.http.get(ITEMS).status_code == 200
        metrics = service.http.get("/metrics").text
        count = "http_client_request_duration_seconds_count"
        assert value_of(metrics, count, dependency="peer", outcome="unreachable") == 3
        assert value_of(metrics, "http_client_active_requests", dependency="peer") == 0
        said = [e for e in service.log if e.get("event") == "dependency_unavailable"]
        assert [(e["dependency"], e["kind"]) for e in said] == [("peer", "unreachable")]


@pytest.mark.contract("C1")
@pytest.mark.any_framework("flask")
@pytest.mark.any_database
def test_few_wait_for_a_service_that_hangs(
    calling_project: Project, database: Any, other: Other
) -> None:
    """The others are told at once, and nothing else of the service waits: not for a connection
    to the database either, although the view has read from it before it called."""
    other.answers(Reply(delay=60))
    given = environment(database, other.url) | {"PEER_TIMEOUT_SECONDS": "10"}
    with calling_project.service(given) as service, ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        asked = pool.submit(many, service, 3 * LIMIT)
        wait_until(lambda: active(service) == LIMIT, 5, "as many calls as may be")
        for path in (ITEMS, "/livez", "/readyz"):
            assert service.http.get(path).status_code == 200
        # They were answered while the calls waited, however slow the machine is.
        assert (active(service), time.monotonic() - began < 9) == (LIMIT, True)
        answers = asked.result()
        waited = [answer for answer, _ in answers if answer.status_code == 504]
        refused = [(answer, seconds) for answer, seconds in answers if answer.status_code == 503]
        assert (len(waited), len(refused)) == (LIMIT, 2 * LIMIT)
        for answer, seconds in refused:
            assert_problem(answer, 503)
            assert "Retry-After" in answer.headers
            assert seconds < 9
        other.answers(Reply())
        wait_until(lambda: ask(service).status_code == 200, AGAIN_SECONDS, "the view again")


def active(service: Service) -> float:
    with service.new_client() as client:
        metrics = client.get("/metrics").text
    return value_of(metrics, "http_client_active_requests", dependency="peer")


@pytest.mark.contract("C1")
@pytest.mark.any_framework("flask")
@pytest.mark.any_database
def test_a_call_in_flight_is_completed_before_the_process_ends(
    calling_project: Project, database: Any, other: Other
) -> None:
    with calling_project.service(environment(database, other.url)) as service:
        assert ask(service).status_code == 200
        other.answers(Reply(delay=1))
        name = secrets.token_hex(8)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask, service, name)
            wait_until(lambda: other.of(name), 5, "the call")
            service.terminate()
            assert asked.result().status_code == 200
        service.http.close()
        assert service.wait_for_exit(5) == 0
        assert "Traceback" not in service.output


@pytest.mark.contract("C1")
@pytest.mark.fault
@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_a_service_in_trouble_is_called_again_once_it_is_well(
    calling_project: Project, project: Project, new_migrated: Any, database: Any, how: str
) -> None:
    """Under load, by a service whose own database and probes nobody has to wait for."""
    with project.service({"DATABASE_URL": new_migrated().url}) as peer:
        item = create(peer.http).json()
        with calling_project.service(environment(database, peer.url)) as service:
            path = f"{VIEW}/{item['id']}"
            assert service.http.get(path).json() == {"id": item["id"], "name": item["name"]}
            statuses: list[int] = []

            def load() -> None:
                with service.new_client() as client:
                    statuses.append(client.get(path).status_code)

            with Background(load), Background(load), Background(load):
                wait_until(lambda: len(statuses) > 9, 10, "the load")
                trouble(peer, how)
                wait_until(lambda: statuses[-1] != 200, 10, "the trouble to be told")
                for _ in range(20):
                    for own in (ITEMS, "/livez", "/readyz"):
                        took = seconds_of(lambda: service.http.get(own).raise_for_status())  # noqa: B023
                        assert took < 1
                well_again(peer, how)
                # A call that began before may still end as it would have.
                wait_until(lambda: set(statuses[-20:]) == {200}, AGAIN_SECONDS, "answers alone")
            assert set(statuses) <= {200, 502, 503, 504}
            events = [e["event"] for e in service.log if "dependency" in str(e.get("event"))]
            assert events[0] == "dependency_unavailable"
            wait_until(lambda: said_well(service, path), AGAIN_SECONDS, "the end in the log")


def said_well(service: Service, path: str) -> bool:
    service.http.get(path)
    return any(e.get("event") == "dependency_available" for e in service.log)


def trouble(peer: Service, how: str) -> None:
    if how == "frozen":
        signal_tree(peer.pid, signal.SIGSTOP)
    else:
        peer.kill()


def well_again(peer: Service, how: str) -> None:
    if how == "frozen":
        signal_tree(peer.pid, signal.SIGCONT)
    else:
        peer.start()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with serving_collector() as running:
        yield running


@pytest.fixture
def traced_project(target: Target, projects: Projects, tmp_path: Path) -> Project:
    """A service that calls another one in a handler, and is traced."""
    project = project_having(projects, target.framework, "tracing", "calls")
    return with_view(project, tmp_path / "service")


@pytest.mark.contract("C1")
@pytest.mark.slow
def test_a_call_is_a_span_whose_ids_are_passed_on(
    traced_project: Project, database: Any, other: Other, collector: Collector
) -> None:
    name, trace = secrets.token_hex(8), secrets.token_hex(16)
    parent = f"00-{trace}-{secrets.token_hex(8)}-01"
    given = {**environment(database, other.url), **collector.environment}
    with traced_project.service(given | {"OTEL_BSP_SCHEDULE_DELAY": "100"}) as service:
        other.answers(Reply(503), Reply())
        answer = ask(service, name, traceparent=parent, tracestate="vendor=1")
        assert answer.status_code == 200
        wait_until(lambda: any(s.kind != CLIENT for s in collector.of(trace)), 10, "the spans")
    calls = [s for s in collector.of(trace) if "server.address" in s.attributes]
    (root,) = (s for s in collector.of(trace) if s.kind != CLIENT)
    assert [s.attributes["http.response.status_code"] for s in calls] == [503, 200]
    assert [(s.kind, s.name, s.parent_id) for s in calls] == 2 * [(CLIENT, "GET", root.span_id)]
    assert [s.failed for s in calls] == [True, False]
    sent = [one.headers["traceparent"] for one in other.of(name)]
    assert sent == [f"00-{trace}-{s.span_id}-01" for s in calls]
    assert {one.headers["tracestate"] for one in other.of(name)} == {"vendor=1"}
    assert name not in str([s.attributes for s in calls])


@pytest.mark.contract("C1")
@pytest.mark.slow
def test_what_is_not_sampled_is_passed_on_as_such(
    traced_project: Project, database: Any, other: Other, collector: Collector
) -> None:
    """Whoever decided it; and the other service continues the trace that the log has."""
    given = {**environment(database, other.url), **collector.environment}
    with traced_project.service(given | {"OTEL_TRACES_SAMPLER": "always_off"}) as service:
        sampled = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
        for headers in ({}, {"traceparent": sampled}):
            name = secrets.token_hex(8)
            assert ask(service, name, X_Request_ID=name, **headers).status_code == 200
            (asked,) = other.of(name)
            sent = {key.lower(): value for key, value in asked.headers.items()}["traceparent"]
            trace = service.wait_for_request_line(name)["trace_id"]
            # Another bit of the flags says that the trace ID is random.
            assert (sent[3:35], int(sent[-2:], 16) & 1) == (trace, 0)


@pytest.mark.contract("C2")
@pytest.mark.slow
def test_its_own_tests_stand_in_for_the_other_service(own_project: Project) -> None:
    """Without a network, and without the address of the other service."""
    command = [own_project.python, "-m", "pytest", "-q", "tests/test_peers.py"]
    ran = subprocess.run(
        without_network(command),
        cwd=own_project.folder,
        env={**uv_environment(), **own_project.surroundings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-2000:]
