"""The five ways to grow: items, connections, replicas, workers, and readers of the stream."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import resource
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any

from benchmarks.growth.readers import Readers
from benchmarks.serving.bench import ITEMS, Bench, measure, tell
from benchmarks.serving.figures import Sample, medians, significant
from benchmarks.serving.load import CONNECTIONS, Refused, Wrk, check, counted
from benchmarks.serving.processes import Server

SIZES = (100, 10_000, 1_000_000)
CROWDS = (1, 10, 100, 1000)
REPLICAS = (1, 2, 3, 4)
WORKERS = (1, 2)
AUDIENCES = (1000, 5000, 10_000)
CHANGES = 10
PAGE = 50
WARM_UP_SECONDS = 1
STREAM = "/v1/items/stream"
SPARE_FILES = 500
ARRIVAL_SECONDS = 60.0
Figures = dict[str, Any]


def items(
    stand: Bench, framework: str, database: str, rounds: int, seconds: int, sizes: Sequence[int]
) -> Figures:
    """The first page and the last one of a list, for each number of items, and how it is asked."""
    project = stand.project(framework)
    found: Figures = {"sizes": {}}
    for size in sizes:
        url = stand.databases.make(database, project, size)
        pages = {
            "first": f"/v1/items?limit={PAGE}",
            "deep": f"/v1/items?limit={PAGE}&cursor={size - PAGE:016x}",
        }
        with stand.generated(project, url) as server:
            found["sizes"][str(size)] = {
                page: repeated(stand, server, path, rounds, seconds) for page, path in pages.items()
            }
            if database == "postgresql":
                found["query"] = list_query(stand)
        tell(f"{framework} {database}: {size} items {found['sizes'][str(size)]}")
    return found


def repeated(stand: Bench, server: Server, path: str, rounds: int, seconds: int) -> Figures:
    wrk = Wrk(stand.folder, [])
    check(server.url, path, "")
    wrk.run(server.url, path, WARM_UP_SECONDS)
    server.settle()
    return medians([measure(server, wrk, path, seconds) for _ in range(rounds)])


def list_query(stand: Bench) -> str:
    """The statement of the list as the service has sent it, which the server still remembers."""
    with stand.databases.connect_as_admin("postgres") as connection:
        rows = connection.execute(
            "SELECT query FROM pg_stat_activity WHERE datname = 'generated'"
        ).fetchall()
    found = {query for (query,) in rows if re.search(r"(?is)from \W?items\W.*order by", query)}
    if not found:
        raise Refused("no query of a list was seen")
    return " ".join(min(found, key=len).split())


def plan(stand: Bench, database: str, query: str, size: int) -> list[str]:
    """How the database answers the query of the last page, line by line."""
    asked = with_values(query, size - PAGE)
    if database == "postgresql":
        with stand.databases.connect_as_admin("generated") as connection:
            rows = connection.execute(f"EXPLAIN (COSTS OFF) {asked}".encode()).fetchall()
            return [str(row[0]) for row in rows]
    with closing(sqlite3.connect(stand.databases.file)) as connection:
        return [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {asked}")]


def with_values(query: str, after: int) -> str:
    """A statement with its parameters filled in: the position, and then the limit."""
    values = {"1": str(after), "2": str(PAGE + 1)}
    return re.sub(r"\$(\d+)(::\w+)?", lambda match: values[match[1]], query)


def connections(
    stand: Bench, framework: str, database: str, rounds: int, seconds: int
) -> Mapping[str, Figures]:
    """`GET /v1/items/{id}` with more and more connections."""
    need_files(max(CROWDS))
    project, wrk = stand.project(framework), stand.wrk()
    found = {}
    url = stand.databases.make(database, project, ITEMS)
    with stand.generated(project, url) as server:
        for crowd in CROWDS:
            found[str(crowd)] = answered(lambda: crowded(server, wrk, crowd, rounds, seconds))  # noqa: B023
            tell(f"{framework} {database}: {crowd} connections {found[str(crowd)]}")
    return found


def crowded(server: Server, wrk: Wrk, crowd: int, rounds: int, seconds: int) -> Figures:
    wrk.run(server.url, "read", WARM_UP_SECONDS, crowd)
    server.settle()
    samples = [measure(server, wrk, "read", seconds, crowd) for _ in range(rounds)]
    return medians(samples)


def answered(ask: Callable[[], Figures]) -> Figures:
    """The figures, or why there are none: beyond some load that is the figure."""
    try:
        return ask()
    except Refused as refusal:
        return {"refused": str(refusal)}


def replicas(
    stand: Bench, framework: str, database: str, rounds: int, seconds: int
) -> Mapping[str, Figures]:
    """`GET /v1/items/{id}` of several processes on one database, nothing pinned to a core."""
    project, wrk = stand.project(framework), stand.wrk()
    url = stand.databases.make(database, project, ITEMS)
    found = {}
    with stand.unpinned():
        for count in REPLICAS:
            with ExitStack() as stack:
                servers = [
                    stack.enter_context(stand.generated(project, url, everywhere=True))
                    for _ in range(count)
                ]
                together(servers, wrk, WARM_UP_SECONDS)
                samples = [together(servers, wrk, seconds) for _ in range(rounds)]
            found[str(count)] = medians(samples)
            tell(f"{framework} {database}: {count} replicas {found[str(count)]}")
    return found


def together(servers: Sequence[Server], wrk: Wrk, seconds: int) -> Sample:
    """All of them under load at once, the connections shared out; latencies are the slowest's."""
    for server in servers:
        server.settle()
    before = sum(server.cpu_seconds() for server in servers)
    crowd = CONNECTIONS // len(servers)
    loads = [wrk.start(server.url, "read", seconds, crowd) for server in servers]
    seen = [counted(load.communicate(timeout=seconds + 60)[0]) for load in loads]
    for server in servers:
        server.settle()
    spent = sum(server.cpu_seconds() for server in servers) - before
    return Sample(
        1e6 * spent / sum(one.requests for one in seen),
        sum(one.rps for one in seen),
        max(one.p50_ms for one in seen),
        max(one.p99_ms for one in seen),
    )


def workers(
    stand: Bench, framework: str, database: str, rounds: int, seconds: int
) -> Mapping[str, Figures]:
    """`GET /v1/items/{id}` of one service with several workers, nothing pinned to a core."""
    project, wrk = stand.project(framework), stand.wrk()
    url = stand.databases.make(database, project, ITEMS)
    found = {}
    with stand.unpinned():
        for count in WORKERS:
            settings = {"WORKERS": str(count)}
            with stand.generated(project, url, everywhere=True, settings=settings) as server:
                together([server], wrk, WARM_UP_SECONDS)
                samples = [together([server], wrk, seconds) for _ in range(rounds)]
                memory = significant(server.memory_mb())
            found[str(count)] = {**medians(samples), "memory_mb": memory}
            tell(f"{framework} {database}: {count} workers {found[str(count)]}")
    return found


def stream(
    stand: Bench, framework: str, database: str, audiences: Sequence[int]
) -> Mapping[str, Figures]:
    """More and more readers of the stream: what each costs, and when a change has reached all."""
    need_files(max(audiences))
    project = stand.project(framework)
    url = stand.databases.make(database, project, ITEMS)
    found = {}
    with (
        stand.generated(project, url) as server,
        Readers(("127.0.0.1", int(server.url.rpartition(":")[2])), STREAM) as readers,
    ):
        readers.grow_to(1)
        arrivals(server, readers, "warm-up")
        empty_mb = server.memory_mb()
        for audience in audiences:
            seconds = readers.grow_to(audience)
            readers.idle(2)
            kilobytes = 1000 * (server.memory_mb() - empty_mb) / audience
            times = sorted(
                1000 * moment
                for number in range(CHANGES)
                for moment in arrivals(server, readers, f"{audience}-{number}")
            )
            found[str(audience)] = {
                "open_seconds": significant(seconds),
                "memory_kb": significant(kilobytes),
                "p50_ms": significant(times[len(times) // 2]),
                "p99_ms": significant(times[int(0.99 * len(times))]),
                "max_ms": significant(times[-1]),
            }
            tell(f"{framework} {database}: {audience} readers {found[str(audience)]}")
    return found


def arrivals(server: Server, readers: Readers, name: str) -> list[float]:
    """Seconds from a POST's sending until each of the readers has its message."""
    with posted(server.url, name) as sent:
        times: list[float] = []
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while len(times) < len(readers):
            if time.monotonic() > deadline:
                raise Refused(f"a change has reached {len(times)} of {len(readers)} readers")
            for moment, message in readers.read(1):
                if json.loads(message)["item"]["name"] == name:
                    times.append(moment)
    return [moment - sent[0] for moment in times]


@contextlib.contextmanager
def posted(url: str, name: str) -> Iterator[list[float]]:
    """Create an item in a thread; the list holds the moment at which that began."""
    sent: list[float] = [time.perf_counter()]
    statuses: list[int] = []

    def post() -> None:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        with closing(connection):
            body = json.dumps({"name": name})
            sent[0] = time.perf_counter()
            connection.request("POST", "/v1/items", body, {"Content-Type": "application/json"})
            statuses.append(connection.getresponse().status)

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield sent
    finally:
        thread.join()
    if statuses != [201]:
        raise Refused(f"a change was answered with {statuses}")


def need_files(connections: int) -> None:
    """Let this process, and what it starts, hold so many connections."""
    wanted = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Refused(f"{connections} connections need `ulimit -n {wanted}`; {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
