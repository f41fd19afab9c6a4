"""T1 and T2: the spans of a service that was generated ``with: [tracing]``, and its collector."""

from __future__ import annotations

import re
import secrets
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.collectors import CLIENT, SERVER, Collector, Span, serving_collector
from tests.contract.conftest import Target
from tests.contract.items import ITEMS, UNKNOWN_ID, create, fresh_name
from tests.servers import free_port, wait_until
from tests.services import (
    Project,
    Projects,
    Service,
    project_having,
)

QUIET = ("/livez", "/readyz", "/metrics")
FLUSH_SECONDS = 5


@pytest.fixture(scope="session")
def traced_project(target: Target, projects: Projects) -> Project:
    return project_having(projects, target.framework, "tracing")


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    with serving_collector() as running:
        yield running


@pytest.fixture
def own_collector() -> Iterator[Collector]:
    """One that the test may break."""
    with serving_collector() as running:
        yield running


@pytest.fixture(scope="session")
def traced(traced_project: Project, database: Any, collector: Collector) -> Iterator[Service]:
    environment = {"DATABASE_URL": database.url, **collector.environment}
    with traced_project.service(environment) as running:
        yield running


def traceparent(sampled: bool = True) -> tuple[str, str, str]:
    """The header, and the IDs of the trace and of the parent in it."""
    trace, parent = secrets.token_hex(16), secrets.token_hex(8)
    return f"00-{trace}-{parent}-{'01' if sampled else '00'}", trace, parent


def spans_of(collector: Collector, trace: str) -> list[Span]:
    """All spans of a trace, once that of the request has come; it is the last to end."""
    wait_until(
        lambda: any(s.kind == SERVER for s in collector.of(trace)), 10, "the span of the request"
    )
    return collector.of(trace)


def request_span(collector: Collector, trace: str) -> Span:
    (found,) = (span for span in spans_of(collector, trace) if span.kind == SERVER)
    return found


@pytest.mark.any_framework("flask", "django", "fastapi", "nameko")
@pytest.mark.contract("T1")
@pytest.mark.parametrize(
    ("method", "path", "status", "route"),
    [
        ("GET", ITEMS, 200, ITEMS),
        ("HEAD", ITEMS, 200, ITEMS),
        ("GET", f"{ITEMS}/{UNKNOWN_ID}", 404, f"{ITEMS}/{{item_id}}"),
        ("GET", "/nowhere?secret=1", 404, ""),
        ("POST", ITEMS, 415, ITEMS),
    ],
)
@pytest.mark.any_database
def test_a_request_is_a_span_by_the_conventions(
    traced: Service, collector: Collector, method: str, path: str, status: int, route: str
) -> None:
    header, trace, parent = traceparent()
    content = b"name" if method == "POST" else None
    headers = {"traceparent": header}
    answer = traced.http.request(method, path, headers=headers, content=content)
    assert answer.status_code == status
    span = request_span(collector, trace)
    assert span.name == f"{method} {route}".rstrip()
    assert (span.parent_id, span.failed) == (parent, False)
    known = {
        "http.request.method": method,
        "http.response.status_code": status,
        "url.path": path.partition("?")[0],
        "url.scheme": "http",
    }
    assert span.attributes == known | ({"http.route": route} if route else {})
    assert span.resource["service.name"] == "stock-keeper"
    assert span.resource["service.version"] == "0.1.0"
    assert 0 < span.seconds < 10


@pytest.mark.any_server
@pytest.mark.contract("T1", "T2")
@pytest.mark.any_database
def test_what_a_client_sends_makes_no_long_span(traced: Service, collector: Collector) -> None:
    """Otherwise the spans that wait for a collector which hangs would take all memory."""
    header, trace, _ = traceparent()
    traced.http.request("GET", f"/{20_000 * 'x'}", headers={"traceparent": header})
    span = request_span(collector, trace)
    assert max(len(str(value)) for value in span.attributes.values()) <= 1024


@pytest.mark.contract("P4", "H3", "T1")
@pytest.mark.any_database
@pytest.mark.any_framework("flask")
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        pytest.param("OTEL_BSP_SCHEDULE_DELAY", "0", marks=pytest.mark.slow),
        pytest.param("OTEL_ATTRIBUTE_COUNT_LIMIT", "many", marks=pytest.mark.slow),
        pytest.param("OTEL_EXPORTER_OTLP_HEADERS", "Bearer secret", marks=pytest.mark.slow),
    ],
)
def test_a_variable_that_the_sdk_cannot_use_ends_it_with_one_line(
    traced_project: Project, variable: str, value: str
) -> None:
    """Otherwise each request would fail while the service is ready."""
    given = {"DATABASE_URL": "sqlite:///none.db", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1]:1"}
    ended = traced_project.run("migrate", environment={**given, variable: value})
    assert ended.returncode == 2
    (line,) = (ended.stderr + ended.stdout).strip().splitlines()
    assert variable in line
    assert "secret" not in line


@pytest.mark.any_server
@pytest.mark.contract("T1")
@pytest.mark.any_database
def test_the_log_has_the_ids_that_are_exported(traced: Service, collector: Collector) -> None:
    header, trace, _ = traceparent()
    for headers in ({"traceparent": header}, {}, {"traceparent": header[:-1]}):
        request_id = secrets.token_hex(8)
        traced.http.get(ITEMS, headers={**headers, "X-Request-ID": request_id})
        line = traced.wait_for_request_line(request_id)
        span = request_span(collector, line["trace_id"])
        assert (span.trace_id, span.span_id) == (line["trace_id"], line["span_id"])
        assert bool(span.parent_id) == (headers.get("traceparent") == header)
        assert (span.trace_id == trace) == bool(span.parent_id)


@pytest.mark.any_framework("flask", "django", "fastapi", "nameko")
@pytest.mark.contract("T1")
def test_statements_are_spans_without_their_values(traced: Service, collector: Collector) -> None:
    header, trace, _ = traceparent()
    secret = f"secret-{secrets.token_hex(6)}"
    headers = {"traceparent": header}
    answer = traced.http.post(ITEMS, json={"name": secret, "quantity": 4711}, headers=headers)
    assert answer.status_code == 201
    spans = spans_of(collector, trace)
    root = request_span(collector, trace)
    statements = [span for span in spans if span.kind == CLIENT]
    assert {span.parent_id for span in statements} == {root.span_id}
    inserts = [s for s in statements if s.attributes["db.operation.name"] == "INSERT"]
    of_item = re.compile(r'INSERT INTO "?items\b')
    (insert,) = (s for s in inserts if of_item.match(s.attributes["db.query.text"]))
    assert insert.attributes["db.system.name"] in ("sqlite", "postgresql")
    assert insert.name == f"INSERT {insert.attributes['db.system.name']}"
    told = " ".join(str(value) for span in spans for value in span.attributes.values())
    for value in (secret, "4711", answer.json()["id"]):
        assert value not in told.replace(ITEMS, "")


@pytest.mark.contract("T1")
@pytest.mark.any_framework
def test_a_statement_that_fails_tells_its_kind_alone(traced: Service, collector: Collector) -> None:
    name = fresh_name()
    create(traced.http, name=name)
    header, trace, _ = traceparent()
    answer = traced.http.post(ITEMS, json={"name": name}, headers={"traceparent": header})
    assert answer.status_code == 409
    spans = spans_of(collector, trace)
    (failed,) = (span for span in spans if span.failed)
    assert (failed.kind, failed.attributes["db.operation.name"]) == (CLIENT, "INSERT")
    assert failed.attributes["error.type"] in ("IntegrityError", "UniqueViolation")
    assert name not in str([span.attributes for span in spans])


@pytest.mark.contract("T1")
@pytest.mark.any_database
@pytest.mark.any_framework
def test_probes_and_what_is_not_sampled_are_not_traced(
    traced: Service, collector: Collector
) -> None:
    traces = []
    for path, sampled in (*((path, True) for path in QUIET), (ITEMS, False)):
        header, trace, _ = traceparent(sampled)
        answer = traced.http.get(path, headers={"traceparent": header})
        assert answer.status_code == 200
        traces.append(trace)
    header, last, _ = traceparent()
    traced.http.get(ITEMS, headers={"traceparent": header})
    request_span(collector, last)
    assert [collector.of(trace) for trace in traces] == [[], [], [], []]
    assert not [s for s in collector.spans if s.attributes.get("url.path") in QUIET]


@pytest.mark.contract("T1")
@pytest.mark.any_database
@pytest.mark.any_framework
def test_requests_at_once_do_not_share_their_spans(traced: Service, collector: Collector) -> None:
    headers = [traceparent() for _ in range(40)]

    def ask(header: str) -> int:
        with traced.new_client() as client:
            return client.get(ITEMS, headers={"traceparent": header}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, [header for header, _, _ in headers])) == {200}
    for _, trace, parent in headers:
        root = request_span(collector, trace)
        assert root.parent_id == parent
        below = [span for span in collector.of(trace) if span is not root]
        assert below
        assert {span.parent_id for span in below} == {root.span_id}


def median_seconds(service: Service, count: int = 40) -> float:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        assert service.http.get(ITEMS).status_code == 200
        taken.append(time.perf_counter() - began)
    return sorted(taken)[count // 2]


@pytest.mark.contract("T2")
@pytest.mark.any_database
@pytest.mark.any_framework
def test_what_is_held_is_sent_at_the_end(
    traced_project: Project, database: Any, own_collector: Collector
) -> None:
    environment = {"DATABASE_URL": database.url, **own_collector.environment}
    slow = {"OTEL_BSP_SCHEDULE_DELAY": "60000"}
    traces = []
    with traced_project.service(environment | slow) as service:
        for _ in range(20):
            header, trace, _ = traceparent()
            traces.append(trace)
            service.http.get(ITEMS, headers={"traceparent": header})
        assert own_collector.requests == 0
        service.http.close()
        assert end(service) < FLUSH_SECONDS
    assert {s.trace_id for s in own_collector.spans if s.kind == SERVER} == set(traces)


def end(service: Service) -> float:
    """Seconds that the service takes to end; its exit code has to be 0."""
    assert service.process is not None
    began = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(FLUSH_SECONDS + 5) == 0
    return time.monotonic() - began


@pytest.mark.contract("T2")
@pytest.mark.any_database
@pytest.mark.fault
@pytest.mark.parametrize("how", ["down", "frozen", "refusing"])
def test_a_collector_in_trouble_slows_nobody(
    traced_project: Project, database: Any, own_collector: Collector, how: str
) -> None:
    environment = {"DATABASE_URL": database.url, **own_collector.environment}
    if how == "down":
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{free_port()}"
    elif how == "frozen":
        own_collector.open.clear()
    else:
        own_collector.status = 503
    with traced_project.service(environment) as service:
        assert service.http.get(ITEMS).status_code == 200
        before = service.memory()
        for _ in range(3000):
            answer = service.http.get(f"{ITEMS}/{UNKNOWN_ID}")
            assert (answer.status_code, answer.elapsed.total_seconds() < 5) == (404, True)
        assert service.memory() - before < 40 * 2**20
        assert median_seconds(service) < 0.5
        assert service.http.get("/livez").elapsed.total_seconds() < 1
        service.http.close()
        assert end(service) < FLUSH_SECONDS


@pytest.mark.contract("T2")
@pytest.mark.any_database
@pytest.mark.any_framework
def test_without_a_collector_nothing_is_sent_and_the_log_is_as_ever(
    traced_project: Project, database: Any
) -> None:
    with traced_project.service({"DATABASE_URL": database.url}) as service:
        header, trace, _ = traceparent()
        request_id = secrets.token_hex(8)
        headers = {"traceparent": header, "X-Request-ID": request_id}
        assert service.http.get(ITEMS, headers=headers).status_code == 200
        line = service.wait_for_request_line(request_id)
        assert line["trace_id"] == trace
        assert "span_id" not in line
        assert not [e for e in service.log if "opentelemetry" in str(e.get("logger", ""))]
