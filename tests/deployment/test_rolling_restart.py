"""A release under load: two replicas, one after the other, and no caller notices."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import httpx
import pytest

from tests.deployment.balancer import Balancer
from tests.servers import postgres, wait_until
from tests.services import Projects, Service

pytestmark = [pytest.mark.contract("P5", "D3"), pytest.mark.slow]

REQUESTS_PER_SECOND = 50
DRAIN_SECONDS = 4
# Of every ten requests: those on a connection of their own, for which the balancer chooses anew,
# and those on connections that stay open from one request to the next.
STRANGERS = 5


class Callers:
    """A steady number of requests each second, whatever the answers do; one in five writes."""

    def __init__(self, url: str, note: Callable[[str], None], host: str = "localhost") -> None:
        self.outcomes: list[str] = []
        self.told_to_leave = 0
        self._note = note
        self._over = threading.Event()
        self._stranger, self._regular = client(url, host, kept=0), client(url, host, kept=10)

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(max_workers=100)
        self._thread = threading.Thread(target=self._pace, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)
        self._pool.shutdown()
        self._stranger.close()
        self._regular.close()

    def _pace(self) -> None:
        due = time.monotonic()
        number = 0
        while not self._over.is_set():
            self._pool.submit(self._call, number)
            number += 1
            due += 1 / REQUESTS_PER_SECOND
            time.sleep(max(0.0, due - time.monotonic()))

    def _call(self, number: int) -> None:
        client = self._stranger if number % 10 < STRANGERS else self._regular
        try:
            if number % 5 == 0:
                answer = client.post("/v1/items", json={"name": f"item {number}"})
            else:
                answer = client.get("/v1/items?limit=1")
            outcome = f"{answer.request.method} {answer.status_code}"
            self.told_to_leave += answer.headers.get("connection", "") == "close"
        except httpx.HTTPError as error:
            outcome = repr(error)
        if outcome not in {"GET 200", "POST 201"}:
            self._note(f"{'stranger' if client is self._stranger else 'regular'}: {outcome}")
        self.outcomes.append(outcome)


def client(url: str, host: str, kept: int) -> httpx.Client:
    """One for many threads, which keeps at most so many connections that are not in use.

    One for each request would cost 26 ms of CPU every time, and starve the balancer beside it.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=kept)
    named = {"Host": host}
    return httpx.Client(base_url=url, headers=named, trust_env=False, timeout=20, limits=limits)


def restart(service: Service, balancer: Balancer, replicas: int) -> None:
    """As a deployment does it: the next replica only when this one is ready again."""
    balancer.note(f"{service.address} is told to stop")
    service.terminate()
    drain = float(service.environment.get("DRAIN_SECONDS", "0"))
    if drain:
        noticed = "the balancer notices while the listener is still open"
        wait_until(lambda: service.address not in balancer.ready, drain, noticed)
    assert service.wait_for_exit(drain + 10) == 0
    balancer.note(f"{service.address} has ended")
    service.start()
    wait_until(lambda: len(balancer.ready) == replicas, 30, "every replica is ready again")


@contextlib.contextmanager
def two_replicas(
    framework: str, projects: Projects, **settings: str
) -> Iterator[tuple[Service, Service]]:
    project = projects.get(framework)
    with postgres() as server:
        environment = {"DATABASE_URL": server.create_database("stock", "svc", "secret"), **settings}
        project.migrate(environment)
        with project.service(environment) as one, project.service(environment) as two:
            yield one, two


def test_a_rolling_restart_under_load_loses_no_request(framework: str, projects: Projects) -> None:
    with (
        two_replicas(framework, projects, DRAIN_SECONDS=str(DRAIN_SECONDS)) as replicas,
        Balancer([one.address for one in replicas]) as balancer,
    ):
        wait_until(lambda: len(balancer.ready) == 2, 10, "both replicas are ready")
        with Callers(balancer.url, balancer.note) as callers:
            wait_until(lambda: len(callers.outcomes) > 50, 10, "traffic flows")
            for service in replicas:
                restart(service, balancer, replicas=2)
            settled = len(callers.outcomes)
            wait_until(lambda: len(callers.outcomes) > settled + 50, 10, "traffic goes on")
    outcomes = Counter(callers.outcomes)
    assert set(outcomes) == {"GET 200", "POST 201"}, "\n".join([str(outcomes), *balancer.events])
    assert outcomes.total() > 2 * DRAIN_SECONDS * REQUESTS_PER_SECOND, "both drains saw traffic"
    assert callers.told_to_leave, "who keeps a connection is asked to make a new one"


def test_without_draining_the_same_restart_would_lose_some(
    framework: str, projects: Projects
) -> None:
    """That the test above can fail: the balancer learns too late that a listener is closed."""
    with (
        two_replicas(framework, projects) as replicas,
        Balancer([one.address for one in replicas], ask_every=1) as balancer,
    ):
        wait_until(lambda: len(balancer.ready) == 2, 10, "both replicas are ready")
        with Callers(balancer.url, balancer.note) as callers:
            wait_until(lambda: len(callers.outcomes) > 50, 10, "traffic flows")
            restart(replicas[0], balancer, replicas=2)
    assert set(callers.outcomes) > {"GET 200", "POST 201"}
