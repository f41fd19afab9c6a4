"""Tells where the CPU of the services goes, part by part, beside their baselines.

    python -m benchmarks.serving.profile [--framework flask,falcon] [--database sqlite] [--write]

While wrk loads a service, py-spy looks some times a second which thread holds Python's interpreter,
and at its stack. A look belongs to one part: that of the innermost frame which is known to be part
of something. So a part has the time in which Python runs for it; what a request costs beyond, by
the kernel's count, is the server's and the kernel's, and that of drivers which let go of the
interpreter meanwhile. Nothing is stopped for a look. `--write` puts a whole run into
docs/data/profile.json and the documentation: ten minutes of a machine that does nothing else. Needs
py-spy (the extra `bench`) beside what `benchmarks.serving` needs.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving import figures, machine
from benchmarks.serving.__main__ import listed, positive, write
from benchmarks.serving.bench import ITEMS, WARM_UP_SECONDS, Bench, bench, saying, tell
from benchmarks.serving.items import some_ids
from benchmarks.serving.load import CONNECTIONS, Refused, Wrk, check, counted
from benchmarks.serving.processes import Server
from docs import speed, tables
from tests.services import frameworks, uv_environment

REQUESTS = ("read", "create")
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
        r"/runtime/(wsgi|asgi|web|document|pages|routing|server|service)\.py\)|\(whitenoise/"
        r"|\(django/(contrib|middleware|utils/deprecation)"
    ),
    "database": (
        r"\((sqlalchemy|psycopg|psycopg_binary|sqlite3|django/db)/|/runtime/(database|green|statements)\.py\)"
        r"|^_writing \("
    ),
    "items": (
        r"/items/\w+\.py\)|/runtime/(http|rest|serializers|views)\.py\)|\(pydantic/|/bare/item\.py\)"
        r"|\(rest_framework/(serializers|fields|relations|renderers|parsers|validators)"
    ),
    FRAMEWORK: (
        r"\((flask|flask_restful|werkzeug|django|asgiref|rest_framework|fastapi|starlette|tornado"
        r"|falcon|sanic|sanic_routing|pyramid|webob|zope|nameko|eventlet|greenlet|granian)/"
        r"|/(app|api|health|security|urls)\.py\)|/bare/\w+\.py\)"
        r"|^(?P<name>\w+) \((?P=name)\)$"  # what Sanic has rewritten is in no file
    ),
}
_FITS = {part: re.compile(pattern) for part, pattern in PARTS.items()}
_LINE_NUMBER = re.compile(r":\d+\)$")
ATTEMPTS = 3
_BEHIND = re.compile(r"[\d.]+s behind in sampling")


def main(words: Sequence[str] | None = None) -> int:
    given = arguments(words)
    known = frameworks()
    chosen, databases = given.framework or known, given.database or list(figures.DATABASES)
    if given.write and (set(chosen) != set(known) or set(databases) != set(figures.DATABASES)):
        raise SystemExit("--write takes a whole run: every framework, on both databases")
    try:
        with bench(chosen, with_postgresql="postgresql" in databases) as stand:
            found = circumstances(stand, given.seconds)
            for framework in chosen:
                found["frameworks"][framework] = {
                    database: profiled(stand, framework, database, given.seconds)
                    for database in databases
                }
    except (Refused, pytest.fail.Exception, pytest.skip.Exception) as error:
        raise SystemExit(str(error)) from None
    print("\n".join(speed.profile_tables(found)))
    if given.write:
        write(speed.PROFILED, found)
        tables.main()
    return 0


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.profile", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--framework", type=listed(frameworks()), help="a,b; all where not given")
    parser.add_argument("--database", type=listed(figures.DATABASES), help="both where not given")
    parser.add_argument("--seconds", type=positive, default=5, help="of each profile")
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
    stand: Bench, framework: str, database: str, seconds: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Microseconds of CPU a request by part, for each request of the service and of its twin."""
    project, wrk = stand.project(framework), stand.wrk()
    own, twins = stand.databases.make(database, project, ITEMS), stand.databases.copy(database)
    found: dict[str, dict[str, dict[str, float]]] = {request: {} for request in REQUESTS}
    with stand.generated(project, own) as generated, stand.bare(project, twins) as bare:
        for name, server in {"generated": generated, "bare": bare}.items():
            for request in REQUESTS:
                with saying(f"{framework}, {database}, {name}"):
                    check(server.url, request, some_ids(ITEMS)[0])
                    wrk.run(server.url, request, WARM_UP_SECONDS)
                    server.settle()
                    parts = profile(server, wrk, request, seconds, stand.folder / "stacks")
                found[request][name] = parts
                tell(f"{framework} {database} {request} {name}: {sum(parts.values()):.0f} µs")
    return found


def profile(server: Server, wrk: Wrk, request: str, seconds: int, stacks: Path) -> dict[str, float]:
    """What a request costs, by part."""
    for _ in range(ATTEMPTS):
        before = server.cpu_seconds()
        with wrk.start(server.url, request, seconds + 2) as load:
            recorded = looked_at(server.pid, seconds, stacks)
            said, _ = load.communicate(timeout=seconds + 60)
        server.settle()
        if not recorded.returncode and stacks.stat().st_size:
            break
    else:
        raise Refused(f"py-spy: {recorded.stderr[-500:] or 'it saw nothing'}")
    if late := _BEHIND.findall(recorded.stdout + recorded.stderr):
        tell(f"py-spy was {late[-1]}: the parts are told too small")
    seen = counted(said)
    cpu_us = 1e6 * (server.cpu_seconds() - before) / seen.requests
    # A look stands for the time until the next, and that for so many requests.
    us_a_look = 1e6 / RATE / (seconds * seen.rps)
    return divided(cpu_us, stacks.read_text().splitlines(), us_a_look)


def looked_at(pid: int, seconds: int, stacks: Path) -> subprocess.CompletedProcess[str]:
    """py-spy's run. It stops no process, so the one that it begins with may be in between."""
    looks = f"--gil --nonblocking --subprocesses --rate {RATE} --duration {seconds}".split()
    output = ["--format", "raw", "--output", str(stacks), "--pid", str(pid)]
    return subprocess.run(
        ["py-spy", "record", *looks, *output], capture_output=True, text=True, check=False
    )


def divided(cpu_us: float, stacks: Iterable[str], us_a_look: float) -> dict[str, float]:
    """What a request costs, by part, where a look at a stack stands for so many microseconds.

    A thread that holds the interpreter may yet have to wait for its core: no more is divided than
    there is.
    """
    looks: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        looks[part_of(stack.split(";"))] += int(count)
    python_us = min(cpu_us, us_a_look * looks.total())
    found = {part: python_us * looks[part] / looks.total() for part in PARTS if looks[part]}
    found[SERVER] = cpu_us - python_us
    return {part: figures.significant(us) for part, us in found.items()}


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
