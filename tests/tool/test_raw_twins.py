"""The raw twins of the benchmarks answer what the services answer; else nothing is compared."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.serving import figures, raw
from benchmarks.serving.bench import ITEMS, Bench, bench
from benchmarks.serving.figures import Sample
from benchmarks.serving.items import some_ids
from docs import raw as page
from tests.services import frameworks

EVERY_DAY = ("falcon", "sqlite")


@pytest.fixture(scope="module", params=frameworks())
def stand(request: pytest.FixtureRequest) -> Iterator[tuple[Bench, str]]:
    with bench([request.param], with_postgresql=True) as found:
        raw.install_drivers(found.folder)
        yield found, request.param


def answers(client: httpx.Client) -> Iterator[tuple[int, Any]]:
    """What is measured, and an item that is not there."""
    unknown = "00000000-0000-4000-8000-000000000000"
    for path in ("/livez", f"/v1/items/{some_ids(ITEMS)[7]}", "/v1/items", "/v1/items?limit=100"):
        answer = client.get(path)
        yield answer.status_code, answer.json()
    yield client.get(f"/v1/items/{unknown}").status_code, None
    cursor = client.get("/v1/items?limit=3").json()["next_cursor"]
    yield 200, client.get(f"/v1/items?limit=3&cursor={cursor}").json()
    made = client.post("/v1/items", json={"name": "by hand", "quantity": 7})
    there = client.get(f"/v1/items/{made.json()['id']}")
    assert there.json() == made.json()
    yield made.status_code, sorted(made.json())


def same_answers(stand: Bench, framework: str, database: str) -> None:
    project = stand.project(framework)
    own, copied = stand.databases.make(database, project, ITEMS), stand.databases.copy(database)
    with (
        stand.generated(project, own) as service,
        stand.raw(project, copied) as twin,
        httpx.Client(base_url=service.url) as one,
        httpx.Client(base_url=twin.url) as other,
    ):
        assert list(answers(one)) == list(answers(other))


@pytest.mark.slow
def test_a_raw_twin_answers_what_the_service_answers() -> None:
    framework, database = EVERY_DAY
    with bench([framework], with_postgresql=False) as stand:
        same_answers(stand, framework, database)


@pytest.mark.slow
@pytest.mark.parametrize("database", figures.DATABASES)
def test_each_raw_twin_answers_what_its_service_answers(
    stand: tuple[Bench, str], database: str
) -> None:
    same_answers(*stand, database)


def sample(rps: float) -> Sample:
    return Sample(cpu_us=1e6 / rps, rps=rps, p50_ms=1.0, p99_ms=1e4 / rps)


def record(kept: Mapping[str, float]) -> dict[str, Any]:
    """A run in which each framework keeps such a part of its raw twin."""
    found = {}
    for framework, part in kept.items():
        sides = {"generated": [sample(1000 * part)] * 3, "bare": [sample(500)] * 3}
        of = raw.compared({**sides, "raw": [sample(1000)] * 3})
        found[framework] = dict.fromkeys(figures.DATABASES, dict.fromkeys(raw.REQUESTS, of))
    return {
        "date": "2026-11-28",
        "machine": {"cpu": "A", "cores": 2, "memory_gb": 8, "kernel": "6.1"},
        "python": "3.12.1",
        "tools": {"wrk": "4.1.0"},
        "load": 0.5,
        "seconds": 1,
        "rounds": 3,
        "frameworks": found,
    }


def test_what_is_kept_of_the_raw_twin_meets_the_goals_or_is_named() -> None:
    met = {str(goal) for goal in page.goals(record({"flask": 0.8, "nameko": 0.75}))}
    assert not any("missed" in goal for goal in met), met
    missed = [str(goal) for goal in page.goals(record({"flask": 0.79, "nameko": 0.66}))]
    reads = [one for one in missed if "{id}` on SQLite keeps" in one]
    assert reads == [
        "**missed**: `GET /v1/items/{id}` on SQLite keeps at least 80% of the raw version's "
        "throughput: Flask 79%"
    ]
    late = [one for one in map(str, page.goals(record({"flask": 0.4}))) if "p99" in one]
    assert all(one.endswith("Flask 2.5 times") for one in late), late


def test_the_tables_have_the_three_sides_and_their_ratios() -> None:
    lines = list(page.told(record({"flask": 0.5, "falcon": 0.8})))
    assert (
        "| Falcon | 800 | 500 | 1,000 | 80% | 1250 | 2000 | 1000 | 1.25 | 12.5 | 20 | 10 | 1.25 |"
        in lines
    )
    at = lines.index(next(line for line in lines if line.startswith("| Falcon |")))
    assert lines[at + 1].startswith("| Flask | 500 |"), "the fastest first"
    assert all(one or other for one, other in itertools.pairwise(lines))
    assert json.loads(json.dumps(record({"flask": 0.5})))


def test_each_framework_has_a_raw_twin() -> None:
    folder = Path(raw.__file__).parents[1]
    for framework in frameworks():
        own = folder / "raw" / f"{framework}.py"
        shared = (folder / "bare" / f"{framework}.py").read_text()
        assert own.exists() or "from .queries import" in shared, framework
