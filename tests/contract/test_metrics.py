"""H2: the same few series on every service, however it is asked."""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.contract.databases import Database
from tests.contract.items import ITEMS, JSON, create, fresh_name
from tests.contract.wire import Connection, exchange, exchange_or_close, request
from tests.servers import wait_until
from tests.services import Service

pytestmark = [pytest.mark.contract("H2"), pytest.mark.any_database, pytest.mark.any_server]

DURATION = "http_server_request_duration_seconds"
ACTIVE = "http_server_active_requests"
LABELS = {"http_request_method", "http_route", "http_response_status_code"}
ITEM = "/v1/items/{item_id}"

Series = tuple[str, str, str]
"""Method, route and status of a request."""


def exposition(service: Service) -> str:
    return exchange(service.address, "GET", "/metrics", [("Host", "localhost")]).text


def samples(service: Service, name: str) -> Iterator[Sample]:
    """Those of one name; the parser is too slow for all of them again and again."""
    lines = [line for line in exposition(service).splitlines(True) if line.startswith(name)]
    for family in text_string_to_metric_families("".join(lines)):
        yield from family.samples


def counts(service: Service) -> Counter[Series]:
    """How many requests were counted, by series."""
    counted: Counter[Series] = Counter()
    for sample in samples(service, f"{DURATION}_count"):
        labels = sample.labels
        key = (
            labels["http_request_method"],
            labels["http_route"],
            labels["http_response_status_code"],
        )
        counted[key] += int(sample.value)
    return counted


def active(service: Service, method: str) -> float:
    found = samples(service, ACTIVE)
    return sum(s.value for s in found if s.labels == {"http_request_method": method})


def assert_counted(service: Service, before: Counter[Series], expected: Counter[Series]) -> None:
    """Beside ``/metrics`` itself exactly the expected requests are counted."""

    def news() -> Counter[Series]:
        return Counter({k: n for k, n in (counts(service) - before).items() if k[1] != "/metrics"})

    try:
        wait_until(lambda: news() == expected, 3, "the requests are counted")
    finally:
        assert news() == expected


def test_metrics_are_prometheus_text(service: Service) -> None:
    answer = service.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = {f.name: f for f in text_string_to_metric_families(answer.text)}
    assert families[DURATION].type == "histogram"
    assert families[ACTIVE].type == "gauge"
    for sample in families[DURATION].samples:
        assert set(sample.labels) - {"le"} == LABELS
    for sample in families[ACTIVE].samples:
        assert set(sample.labels) == {"http_request_method"}


def test_each_request_counts_under_its_routes_template(service: Service) -> None:
    made = create(service.http)
    path, tag = made.headers["location"], made.headers["etag"]
    before = counts(service)
    service.http.get(path)
    service.http.get(f"{path}?x=1")
    service.http.get(path, headers={"If-None-Match": tag})
    service.http.head(path)
    service.http.options(path)
    service.http.get(f"{ITEMS}/abc")
    service.http.put(path, json={"name": ""})
    service.http.post(ITEMS, json={"name": fresh_name()})
    service.http.post(ITEMS, content=b"{", headers=JSON)
    service.http.get(f"{ITEMS}?limit=0")
    service.http.patch(path)
    exchange(service.address, "TRACE", path)
    service.http.delete(path)
    service.http.get("/livez")
    service.http.get("/openapi.json")
    expected: Counter[Series] = Counter(
        {
            ("GET", ITEM, "200"): 2,
            ("GET", ITEM, "304"): 1,
            ("HEAD", ITEM, "200"): 1,
            ("OPTIONS", ITEM, "204"): 1,
            ("GET", ITEM, "404"): 1,
            ("PUT", ITEM, "422"): 1,
            ("POST", ITEMS, "201"): 1,
            ("POST", ITEMS, "400"): 1,
            ("GET", ITEMS, "422"): 1,
            ("PATCH", ITEM, "400"): 1,
            ("TRACE", ITEM, "405"): 1,
            ("DELETE", ITEM, "204"): 1,
            ("GET", "/livez", "200"): 1,
            ("GET", "/openapi.json", "200"): 1,
        }
    )
    assert_counted(service, before, expected)


def test_unknown_paths_have_an_empty_route(service: Service) -> None:
    before = counts(service)
    for path in ("/nowhere", "/v1/items/", "/v1//items", "/livez/", "/%00", "/v1/items/a/b"):
        assert exchange(service.address, "GET", path).status_code == 404
    assert_counted(service, before, Counter({("GET", "", "404"): 6}))


def test_refused_bodies_and_long_headers_are_counted_too(service: Service) -> None:
    before = counts(service)
    large = service.http.post(ITEMS, content=b" " * 1_048_577, headers=JSON)
    assert large.status_code == 413
    assert service.http.post(ITEMS, content=b"{}").status_code == 415
    expected: Counter[Series] = Counter({("POST", ITEMS, "413"): 1, ("POST", ITEMS, "415"): 1})
    assert_counted(service, before, expected)


def test_a_thousand_unknown_paths_add_no_series(service: Service) -> None:
    methods = ("GET", "POST", "DELETE")
    for method in methods:
        exchange(service.address, method, "/nowhere")
        exchange(service.address, method, f"{ITEMS}/abc")
        exchange(service.address, method, f"{ITEMS}/abc", JSON.items(), b"{}")
    sorted_series(service)  # to ask for the metrics is a series of its own
    before = sorted_series(service)
    connection = http.client.HTTPConnection(*service.address, timeout=20)
    for number in range(1000):
        path = f"/wp-admin/{number}.php" if number % 2 else f"{ITEMS}/{number}"
        connection.request(methods[number % 3], path)
        answer = connection.getresponse()
        answer.read()
        assert 400 <= answer.status < 500
    connection.close()
    after = sorted_series(service)
    assert [series for series in after if series not in before] == []


def sorted_series(service: Service) -> list[str]:
    """Every series of the whole exposition, by name and labels."""
    lines = exposition(service).splitlines()
    return sorted(line.rpartition(" ")[0] for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("path", [ITEMS, "/nowhere"])
def test_unheard_of_methods_share_one_series(service: Service, path: str) -> None:
    refused = exchange(service.address, "PURGE", path)
    before = sorted_series(service)
    for number in range(30):
        answer = exchange_or_close(service.address, request(f"FOO{number}", path), "FOO")
        assert answer is not None
        assert answer.status_code in {400, 404, 405}
    after = sorted_series(service)
    assert not [series for series in after if "FOO" in series or "PURGE" in series]
    assert len(after) <= len(before) + 40, "at most one new series with its buckets"
    if refused.status_code != 400:
        assert any('"_OTHER"' in series for series in after)


def test_a_request_is_active_until_it_is_answered(service: Service, database: Database) -> None:
    body = b'{"name": "%s"}' % fresh_name().encode()
    wait_until(lambda: active(service, "POST") == 0, 5, "no POST is active")
    with Connection(service.address) as connection:
        with database.hold_writes():
            connection.send(request("POST", ITEMS, JSON.items(), body))
            wait_until(lambda: active(service, "POST") == 1, 4, "the POST is active")
        assert connection.answer("POST").status_code == 201
    wait_until(lambda: active(service, "POST") == 0, 5, "the POST is over")
    assert active(service, "GET") == 1, "the request for the metrics itself"


def test_no_request_stays_active_after_its_client_is_gone(
    service: Service, database: Database
) -> None:
    body = b'{"name": "%s"}' % fresh_name().encode()
    before = counts(service)
    with database.hold_writes():
        with Connection(service.address) as connection:
            connection.send(request("POST", ITEMS, JSON.items(), body))
            wait_until(lambda: active(service, "POST") == 1, 4, "the POST is active")
        with Connection(service.address) as connection:
            headers = [*JSON.items(), ("Content-Length", "100")]
            connection.send(request("POST", ITEMS, headers) + b'{"na')
    wait_until(lambda: active(service, "POST") == 0, 10, "no POST is active any more")
    assert sum((counts(service) - before).values()) >= 1


def test_durations_are_seconds(service: Service, database: Database) -> None:
    def total() -> float:
        return sum(
            s.value
            for s in samples(service, f"{DURATION}_sum")
            if s.labels["http_request_method"] == "POST"
        )

    before = total()
    with Connection(service.address) as connection:
        with database.hold_writes():
            body = b'{"name": "%s"}' % fresh_name().encode()
            connection.send(request("POST", ITEMS, JSON.items(), body))
            connection.socket.settimeout(1)
            with pytest.raises(TimeoutError):
                connection.answer("POST")
        connection.socket.settimeout(20)
        assert connection.socket.recv(12) == b"HTTP/1.1 201"
    wait_until(lambda: total() > before, 5, "the POST is counted")
    assert 0.9 <= total() - before < 10


def test_the_buckets_tell_a_fast_answer_from_a_slow_one(service: Service) -> None:
    service.http.get("/livez")
    bounds = {
        float(s.labels["le"])
        for s in samples(service, f"{DURATION}_bucket")
        if s.labels["http_route"] == "/livez"
    }
    assert min(bounds) <= 0.01
    assert max(bounds - {float("inf")}) >= 5
    assert float("inf") in bounds


def test_a_metric_never_holds_what_a_client_sent(service: Service) -> None:
    marker = fresh_name("marker").replace(" ", "")
    client = httpx.Client(base_url=service.url, trust_env=False, verify=False)
    with client:
        client.get(f"/{marker}")
        client.get(f"{ITEMS}/{marker}?{marker}={marker}")
        client.get(ITEMS, headers={"X-Request-ID": marker, "Host": marker, "User-Agent": marker})
        assert marker not in client.get("/metrics").text
