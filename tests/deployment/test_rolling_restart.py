"""A release under load: two replicas, one after the other, and no caller notices."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

import httpx
import pytest

from tests.deployment.balancer import Balancer
from tests.servers import postgres, wait_until
from tests.services import Projects, Service

pytestmark = [pytest.mark.contract("P5", "D3"), pytest.mark.slow]

REQUESTS_PER_SECOND = 50
DRAIN_SECONDS = 4


@dataclass
class Callers:
    """A steady number of new requests each second, whatever the answers do."""

    url: str
    outcomes: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(max_workers=100)
        self._thread = threading.Thread(target=self._pace, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)
        self._pool.shutdown()

    def _pace(self) -> None:
        due = time.monotonic()
        number = 0
        while not self._over.is_set():
            self._pool.submit(self._call, number)
            number += 1
            due += 1 / REQUESTS_PER_SECOND
            time.sleep(max(0.0, due - time.monotonic()))

    def _call(self, number: int) -> None:
        """On a connection of its own, so that the balancer chooses anew; one in five writes."""
        try:
            with httpx.Client(base_url=self.url, trust_env=False, timeout=20) as client:
                if number % 5 == 0:
                    answer = client.post("/v1/items", json={"name": f"item {number}"})
                    self.outcomes.append(f"POST {answer.status_code}")
                else:
                    answer = client.get("/v1/items?limit=1")
                    self.outcomes.append(f"GET {answer.status_code}")
        except httpx.HTTPError as error:
            self.outcomes.append(repr(error))


def restart(service: Service, balancer: Balancer, replicas: int) -> None:
    """As a deployment does it: the next replica only when this one is ready again."""
    service.terminate()
    drain = float(service.environment.get("DRAIN_SECONDS", "0"))
    if drain:
        noticed = "the balancer notices while the listener is still open"
        wait_until(lambda: service.address not in balancer.ready, drain, noticed)
    assert service.wait_for_exit(drain + 10) == 0
    service.start()
    wait_until(lambda: len(balancer.ready) == replicas, 30, "every replica is ready again")


def test_a_rolling_restart_under_load_loses_no_request(framework: str, projects: Projects) -> None:
    project = projects.get(framework)
    with postgres() as server:
        url = server.create_database("stock", "svc", "secret")
        settings = {"DATABASE_URL": url, "DRAIN_SECONDS": str(DRAIN_SECONDS)}
        project.migrate(settings)
        with (
            project.service(settings) as one,
            project.service(settings) as two,
            Balancer([one.address, two.address]) as balancer,
        ):
            wait_until(lambda: len(balancer.ready) == 2, 10, "both replicas are ready")
            with Callers(balancer.url) as callers:
                wait_until(lambda: len(callers.outcomes) > 50, 10, "traffic flows")
                for service in (one, two):
                    restart(service, balancer, replicas=2)
                settled = len(callers.outcomes)
                wait_until(lambda: len(callers.outcomes) > settled + 50, 10, "traffic goes on")
    outcomes = Counter(callers.outcomes)
    assert set(outcomes) == {"GET 200", "POST 201"}, (outcomes, balancer.refused)
    assert outcomes.total() > 2 * DRAIN_SECONDS * REQUESTS_PER_SECOND, "both drains saw traffic"


def test_without_draining_the_same_restart_would_lose_some(
    framework: str, projects: Projects
) -> None:
    """That the test above can fail: the balancer learns too late that a listener is closed."""
    project = projects.get(framework)
    with postgres() as server:
        url = server.create_database("stock", "svc", "secret")
        settings = {"DATABASE_URL": url}
        project.migrate(settings)
        with (
            project.service(settings) as one,
            project.service(settings) as two,
            Balancer([one.address, two.address], ask_every=1) as balancer,
        ):
            wait_until(lambda: len(balancer.ready) == 2, 10, "both replicas are ready")
            with Callers(balancer.url) as callers:
                wait_until(lambda: len(callers.outcomes) > 50, 10, "traffic flows")
                restart(one, balancer, replicas=2)
    assert set(callers.outcomes) > {"GET 200", "POST 201"}
