"""Tells where the CPU of the services goes, part by part, beside their baselines or raw twins.

    python -m benchmarks.serving.profile [--framework flask,falcon] [--database sqlite] [--write]
    python -m benchmarks.serving.profile --against raw [--framework flask] [--write]

While wrk loads a service, py-spy looks some times a second which thread holds Python's interpreter,
and at its stack. A look belongs to one part: that of the innermost frame which is known to be part
of something. So a part has the time in which Python runs for it; what a request costs beyond, by
the kernel's count, is the server's and the kernel's, and that of drivers which let go of the
interpreter meanwhile. Nothing is stopped for a look. On a busy machine the service waits for its
core too, where it is looked at in the same way. So the share of Python is that of the looks in
which a thread held the interpreter, of those in which the service had something to do. `--write`
puts a whole run into docs/data/profile.json and the documentation; with `--against raw`, the
frameworks that were asked for into docs/data/profile_raw.json. Needs py-spy (the extra `bench`)
beside what `benchmarks.serving` needs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import Any

import pytest

from benchmarks.serving import figures, machine
from benchmarks.serving.__main__ import listed, positive, write
from benchmarks.serving.bench import ITEMS, WARM_UP_SECONDS, Bench, bench, saying, tell
from benchmarks.serving.items import some_ids
from benchmarks.serving.load import CONNECTIONS, Refused, Wrk, check, counted
from benchmarks.serving.processes import Server
from benchmarks.serving.raw import REQUESTS as RAW_REQUESTS
from benchmarks.serving.raw import install_drivers
from docs import raw, speed, tables
from tests.services import frameworks, uv_environment

REQUESTS = {"bare": speed.PROFILE_REQUESTS, "raw": RAW_REQUESTS}  # by what they are beside
RATE = 100  # looks a second
FRAMEWORK, SERVER = "framework", "server"
# A frame, as py-spy writes it without its line, belongs to the first of these that it fits:
# `ItemStore.get (stock_keeper/items/store.py)`. What fits none belongs to whoever has called it.
PARTS = {
    "log": r"\(structlog/|/runtime/logs\.py\)",
    "ids, metrics": r"\(prometheus_client/|/runtime/telemetry\.py\)",
    "deadline, bound": (
        r"/runtime/(deadlines|sqlite/base|postgresql/base)\.py\)|^PooledWrapper\.|^Pool\.|^bounded "
        r"|(^Database\.(_guard|reading|querying|writing)|\bwait_no_longer) \("
    ),
    "threads": (
        r"/runtime/threads\.py\)|\(concurrent/futures/|\(eventlet/tpool|\(anyio/"
        r"|\(starlette/concurrency"
    ),
    "events": r"/runtime/(outbox|messaging|stream)\.py\)|/items/stream\.py\)|\((kombu|amqp)/"
    r"|^(Messaging|Line|Publisher)\.",
    "outer layer": (
        r"/runtime/(wsgi|asgi|web|document|pages|routing|server|service|bodies|endpoints)\.py\)"
        r"|\(whitenoise/"
        r"|\(django/(contrib|middleware|utils/deprecation)"
    ),
    "database": (
        r"\((sqlalchemy|psycopg|psycopg_binary|psycopg_pool|asyncpg|sqlite3|django/db)/"
        r"|/runtime/(database|green|statements|tables)\.py\)|^_writing \("
        r"|^(_rows|_opened|_pool) \((\S+/)?driver\.py\)|[(/]asynchronous\.py\)"
    ),
    "items": (
        r"/items/\w+\.py\)|/runtime/(http|rest|resource|store|content|idempotency|constraints)\.py\)"
        r"|/runtime/(serializers|views|parsers|pagination|filters)\.py\)"
        r"|^(answer|answer_page|answered|read_\w+) \(\S+/runtime/service\.py\)"
        r"|\(pydantic/|[(/](item|driver)\.py\)"  # of the twins
        r"|\(rest_framework/(serializers|fields|relations|renderers|parsers|validators)"
    ),
    FRAMEWORK: (
        r"\((flask|flask_restful|werkzeug|django|asgiref|rest_framework|fastapi|starlette|tornado"
        r"|falcon|sanic|sanic_routing|pyramid|webob|zope|nameko|eventlet|greenlet|granian)/"
        r"|/(app|api|health|security|urls)\.py\)|/(bare|raw)/\w+\.py\)"
        r"|^(?P<name>\w+) \((?P=name)\)$"  # what Sanic has rewritten is in no file
    ),
}
_FITS = {part: re.compile(pattern) for part, pattern in PARTS.items()}
_LINE_NUMBER = re.compile(r":\d+\)$")
ATTEMPTS = 3
POLL_SECONDS = 0.02
_BEHIND = re.compile(r"[\d.]+s behind in sampling")
_CHANGING = re.compile(r"Errors: (\d+)")


def main(words: Sequence[str] | None = None) -> int:
    given = arguments(words)
    known = frameworks()
    chosen, databases = given.framework or known, given.database or list(figures.DATABASES)
    whole = set(chosen) == set(known) and set(databases) == set(figures.DATABASES)
    if given.write and given.against == "bare" and not whole:
        raise SystemExit("--write takes a whole run: every framework, on both databases")
    try:
        with bench(chosen, with_postgresql="postgresql" in databases) as stand:
            found = run(stand, chosen, databases, given)
    except (Refused, pytest.fail.Exception, pytest.skip.Exception) as error:
        raise SystemExit(str(error)) from None
    if given.against == "raw":
        print("\n".join(raw.profile_tables(found)))
    else:
        print("\n".join(speed.profile_tables(found)))
    if given.write and given.against == "bare":
        write(speed.PROFILED, found)
        tables.main()
    return 0


def run(
    stand: Bench, chosen: Sequence[str], databases: Sequence[str], given: argparse.Namespace
) -> dict[str, Any]:
    """The record of a run."""
    found = circumstances(stand, given.seconds)
    if given.against == "raw":
        install_drivers(stand.folder)
    for framework in chosen:
        of = found["frameworks"][framework] = {}
        if given.against == "raw":
            load = figures.significant(os.getloadavg()[0], 2)
            of |= {"date": found["date"], "load": load, "seconds": given.seconds}
        for database in databases:
            of[database] = profiled(stand, framework, database, given)
        if given.write and given.against == "raw":
            keep(found)
    return found


def keep(found: Mapping[str, Any]) -> None:
    """Write the record beside raw twins, with what earlier runs have found of other frameworks."""
    earlier = {}
    if raw.PROFILED.exists():
        earlier = json.loads(raw.PROFILED.read_text(encoding="utf-8"))["frameworks"]
    write(raw.PROFILED, {**found, "frameworks": earlier | found["frameworks"]})
    tables.main()


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.profile", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--against", choices=list(REQUESTS), default="bare")
    parser.add_argument("--framework", type=listed(frameworks()), help="a,b; all where not given")
    parser.add_argument("--database", type=listed(figures.DATABASES), help="both where not given")
    parser.add_argument("--seconds", type=positive, default=5, help="of each profile")
    parser.add_argument("--rounds", type=positive, default=1, help="the cheapest one counts")
    parser.add_argument("--write", action="store_true", help="into docs/data and the page")
    return parser.parse_args(words)


def circumstances(stand: Bench, seconds: int) -> dict[str, Any]:
    """All that a record says beside its figures, and room for these."""
    found = machine.circumstances(uv_environment()["UV_PYTHON"], stand.admin_url)
    found["tools"]["py-spy"] = pyspy_version()
    return {
        **found,
        "seconds": seconds,
        "rate": RATE,
        "connections": CONNECTIONS,
        "frameworks": {},
    }


def pyspy_version() -> str:
    try:
        return subprocess.check_output(["py-spy", "--version"], text=True).split()[1]
    except FileNotFoundError:
        raise Refused("py-spy is not installed (pip install py-spy)") from None


def profiled(
    stand: Bench, framework: str, database: str, given: argparse.Namespace
) -> dict[str, dict[str, dict[str, float]]]:
    """Microseconds of CPU a request by part, for each request of the service and of its twin."""
    project, wrk = stand.project(framework), stand.wrk()
    own, twins = stand.databases.make(database, project, ITEMS), stand.databases.copy(database)
    start = stand.raw if given.against == "raw" else stand.bare
    found: dict[str, dict[str, dict[str, float]]] = {}
    with stand.generated(project, own) as generated, start(project, twins) as twin:
        servers = {"generated": generated, given.against: twin}
        for request in REQUESTS[given.against]:
            rounds: list[dict[str, dict[str, float]]] = []
            for _ in range(given.rounds):
                rounds.append({})
                for name, server in servers.items():
                    with saying(f"{framework}, {database}, {name}"):
                        parts = warm_profile(stand, server, wrk, request, given.seconds)
                    rounds[-1][name] = parts
                    tell(f"{framework} {database} {request} {name}: {cost(parts):.0f} µs")
            found[request] = {name: min((of[name] for of in rounds), key=cost) for name in servers}
    return found


def cost(parts: dict[str, float]) -> float:
    return sum(parts.values())


def warm_profile(
    stand: Bench, server: Server, wrk: Wrk, request: str, seconds: int
) -> dict[str, float]:
    """The profile of a request that was sent for a while before."""
    check(server.url, request, some_ids(ITEMS)[0])
    wrk.run(server.url, request, WARM_UP_SECONDS)
    server.settle()
    return profile(server, wrk, request, seconds, stand.folder / "stacks")


def profile(server: Server, wrk: Wrk, request: str, seconds: int, stacks: Path) -> dict[str, float]:
    """What a request costs, by part."""
    for _ in range(ATTEMPTS):
        before = server.cpu_seconds()
        with wrk.start(server.url, request, seconds + 2) as load:
            looks, busy = looked_at(server, seconds, stacks)
            said, _ = load.communicate(timeout=seconds + 60)
        server.settle()
        if stacks.exists() and stacks.stat().st_size and not _BEHIND.search(looks):
            break
    else:
        raise Refused(f"py-spy: {looks[-500:] or 'it saw nothing'}")
    cpu_us = 1e6 * (server.cpu_seconds() - before) / counted(said).requests
    return divided(cpu_us, stacks.read_text().splitlines(), cpu_us / (RATE * seconds * busy), looks)


def looked_at(server: Server, seconds: int, stacks: Path) -> tuple[str, float]:
    """What py-spy says, and the share of the time in which the server had something to do.

    It stops no process, so the one that it begins with may be in between.
    """
    stacks.unlink(missing_ok=True)
    looks = f"--gil --nonblocking --subprocesses --rate {RATE} --duration {seconds}".split()
    output = ["--format", "raw", "--output", str(stacks), "--pid", str(server.pid)]
    command = ["py-spy", "record", *looks, *output]
    with subprocess.Popen(command, stdout=PIPE, stderr=STDOUT, text=True) as recording:
        polls = [server.is_busy()]
        while recording.poll() is None:
            time.sleep(POLL_SECONDS)
            polls.append(server.is_busy())
        said = recording.stdout.read() if recording.stdout else ""
    return said, max(sum(polls), 1) / len(polls)


def divided(
    cpu_us: float, stacks: Iterable[str], us_a_look: float, said: str = ""
) -> dict[str, float]:
    """What a request costs, by part, where a look at a stack stands for so many microseconds.

    By what py-spy has `said`, some looks found a stack that was just changing: like the others. A
    thread that holds the interpreter may yet have to wait for its core: no more is divided than
    there is.
    """
    looks: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        looks[part_of(stack.split(";"))] += int(count)
    changing = int(found[1]) if (found := _CHANGING.search(said)) else 0
    python_us = min(cpu_us, us_a_look * (looks.total() + changing))
    parts = {part: python_us * looks[part] / looks.total() for part in PARTS if looks[part]}
    parts[SERVER] = cpu_us - python_us if parts else cpu_us
    return {part: figures.significant(us) for part, us in parts.items()}


def part_of(stack: Sequence[str]) -> str:
    """The part that the innermost known frame belongs to; the outermost frame comes first."""
    for frame in reversed(stack):
        where = _LINE_NUMBER.sub(")", frame)
        for part, pattern in _FITS.items():
            if pattern.search(where):
                return part
    return FRAMEWORK


if __name__ == "__main__":
    sys.exit(main())
