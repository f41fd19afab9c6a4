"""N10: where a service listens, and how its address may be written."""

from __future__ import annotations

import re
import statistics
import time

import httpx
import pytest

from tests.contract.conftest import Launch
from tests.contract.items import ITEMS, fresh_name
from tests.contract.wire import exchange
from tests.servers import HAProxy
from tests.services import Project, Service

pytestmark = [pytest.mark.contract("N10"), pytest.mark.any_database]


@pytest.mark.parametrize("host", ["localhost", "::"])
@pytest.mark.any_framework
def test_it_is_reached_by_ipv4(launch: Launch, host: str) -> None:
    service = launch(HOST=host)
    assert exchange(("127.0.0.1", service.port), "GET", "/livez").status_code == 200


def test_a_target_may_be_a_whole_url(service: Service) -> None:
    answer = exchange(service.address, "GET", f"http://localhost{ITEMS}?limit=1")
    assert answer.status_code == 200, answer.text


def test_no_response_waits_for_its_client_to_acknowledge(service: Service) -> None:
    """A client acknowledges a lone segment after 40 ms; Nagle's algorithm waits for that."""

    def seconds() -> float:
        began = time.monotonic()
        assert service.http.get(ITEMS, params={"limit": 1}).status_code == 200
        return time.monotonic() - began

    # A busy machine may be slow for a while, but not for three times.
    assert min(statistics.median(seconds() for _ in range(15)) for _ in range(3)) < 0.03


def test_a_proxy_may_strip_a_prefix(launch: Launch) -> None:
    """Whatever leads on to another address has the prefix, as a client of the proxy needs it."""
    service = launch(ROOT_PATH="/shop/")
    with (
        HAProxy(server_port=service.port, prefix="/shop") as proxy,
        httpx.Client(base_url=f"http://127.0.0.1:{proxy.port}", timeout=20, verify=False) as client,
    ):
        created = [client.post(f"/shop{ITEMS}", json={"name": fresh_name()}) for _ in range(2)]
        for one in created:
            assert one.status_code == 201, one.text
            assert one.headers["location"].startswith(f"/shop{ITEMS}/")
            assert client.get(one.headers["location"]).json() == one.json()
        page = client.get(f"/shop{ITEMS}", params={"limit": 1})
        target = page.headers["link"].partition("<")[2].partition(">")[0]
        assert target.startswith(f"/shop{ITEMS}?")
        assert client.get(target).status_code == 200
        document = client.get("/shop/openapi.json").json()
        assert document["servers"] == [{"url": "/shop"}]
        assert ITEMS in document["paths"]
        assert client.get("/shop/unknown").status_code == 404
        metrics = client.get("/shop/metrics").text
    # Asked directly it is the same service: a kubelet and Prometheus know no prefix.
    assert service.http.get(ITEMS).status_code == 200
    assert service.http.get("/readyz").status_code == 200
    routes = set(re.findall(r'http_route="([^"]*)"', metrics))
    assert {ITEMS, f"{ITEMS}/{{item_id}}"} <= routes
    assert not [route for route in routes if route.startswith("/shop")]


@pytest.mark.parametrize("value", ["shop", "/a b", "/shop?", "//shop", "https://example.com/shop"])
@pytest.mark.any_framework("flask")
def test_a_prefix_that_is_no_path_is_refused_by_name(project: Project, value: str) -> None:
    ended = project.run("serve", environment={"ROOT_PATH": value})
    assert ended.returncode == 2
    assert "ROOT_PATH" in ended.stdout


@pytest.mark.any_framework
def test_an_address_that_libpq_does_not_know_is_refused_by_name(project: Project) -> None:
    url = "postgresql://me:s3cret@127.0.0.1/items?schema=mine"
    ended = project.run("serve", environment={"DATABASE_URL": url})
    assert ended.returncode == 2
    assert "DATABASE_URL" in ended.stdout
    assert "schema" in ended.stdout
    assert "s3cret" not in ended.stdout + ended.stderr
