"""N10: where a service listens, and how its address may be written."""

from __future__ import annotations

import statistics
import time

import pytest

from tests.contract.conftest import Launch
from tests.contract.items import ITEMS
from tests.contract.wire import exchange
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


@pytest.mark.any_framework
def test_an_address_that_libpq_does_not_know_is_refused_by_name(project: Project) -> None:
    url = "postgresql://me:s3cret@127.0.0.1/items?schema=mine"
    ended = project.run("serve", environment={"DATABASE_URL": url})
    assert ended.returncode == 2
    assert "DATABASE_URL" in ended.stdout
    assert "schema" in ended.stdout
    assert "s3cret" not in ended.stdout + ended.stderr
