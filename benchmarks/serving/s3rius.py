"""Measures FastAPI as it is generated here beside the service that FastAPI-template makes.

    python -m benchmarks.serving.s3rius [--rounds 5] [--seconds 3] [--write]

Both are FastAPI on SQLAlchemy, as shipped, with one worker: FastAPI-template's (by s3rius, from the
package index) with PostgreSQL, its migrations and its example, the dummy model, served by its own
`__main__`. They take turns on the core of the service, on databases of the same PostgreSQL with
1,000 rows each, under the load of `benchmarks.serving`. Prints the table; `--write` puts it into
docs/data/s3rius.json and docs/speed.md. Takes about three minutes, most of it for the installing.

FastAPI-template's example has one read, the list, and no way to ask for one row by its key. What
comes nearest to `GET /v1/items/{id}` is its list with `limit=1`: one row in the answer, one SELECT,
no offset to walk. The list with `limit=50` is held against ours. Its rows are a number and a name;
ours have six columns.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from benchmarks import peers
from benchmarks.serving import machine
from benchmarks.serving.__main__ import positive
from benchmarks.serving.bench import ITEMS, WARM_UP_SECONDS, Bench, bench, measure, tell
from benchmarks.serving.figures import Round, medians, significant
from benchmarks.serving.items import some_ids
from benchmarks.serving.load import CONNECTIONS, Refused, check
from benchmarks.serving.processes import Server, serving
from docs import s3rius as page
from docs import tables
from tests.servers import create_database
from tests.services import plain_environment, uv_environment

NAME = "my_svc"
DATABASE = "peer"
# Ours, and what comes nearest to it there, with how many rows are in its answer.
PAIRS = {"read": ("/api/dummy/?limit=1", 1), "list": ("/api/dummy/?limit=50", 50)}
PACKAGES = ("uvicorn", "granian", "starlette", "sqlalchemy", "asyncpg", "psycopg", "pydantic")
# Its settings have a prefix. From any other folder than its own it does not see its .env, which
# turns reloading on, and which its image does not have either.
SERVE = 'MY_SVC_HOST=$HOST MY_SVC_PORT=$PORT exec "$0" -m my_svc'


@dataclass(frozen=True)
class Generated:
    """The project that FastAPI-template has made and installed."""

    folder: Path
    version: str

    @property
    def python(self) -> str:
        return str(self.folder / ".venv" / "bin" / "python")

    def environment(self, url: str) -> dict[str, str]:
        parts = urlsplit(url)
        return {
            "PYTHONPATH": str(self.folder),
            "MY_SVC_DB_HOST": parts.hostname or "",
            "MY_SVC_DB_PORT": str(parts.port),
            "MY_SVC_DB_USER": parts.username or "",
            "MY_SVC_DB_PASS": parts.password or "",
            "MY_SVC_DB_BASE": parts.path.lstrip("/"),
        }

    def migrate(self, url: str) -> None:
        """As its README says it, but for the .env of the folder."""
        alembic = [self.python, "-m", "alembic", "-c", str(self.folder / "alembic.ini")]
        ran = subprocess.run(
            [*alembic, "upgrade", "head"],
            cwd=self.folder,
            env=plain_environment() | self.environment(url),
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            raise Refused(f"alembic upgrade head: exit {ran.returncode}\n{ran.stderr[-2000:]}")


def main(words: Sequence[str] | None = None) -> int:
    given = arguments(words)
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="s3rius-")))
            peer = generate(folder)
            stand = stack.enter_context(bench(["fastapi"], with_postgresql=True))
            found = run(stand, peer, given)
    except (Refused, pytest.fail.Exception, pytest.skip.Exception) as error:
        raise SystemExit(str(error)) from None
    print("\n".join(page.told(found)))
    if given.write:
        page.RECORD.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        tables.main()
    return 0


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.s3rius", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--seconds", type=positive, default=3, help="of each measurement")
    parser.add_argument("--write", action="store_true", help="into docs/data and the page")
    return parser.parse_args(words)


def generate(folder: Path) -> Generated:
    """FastAPI-template's newest release, and its project, which it installs itself."""
    tell("FastAPI-template: install and generate")
    tool = peers.FASTAPI_TEMPLATE
    at = folder / "tool"
    tool.install(at)
    ran = subprocess.run(
        tool.generate(at, folder),
        cwd=folder,
        env=uv_environment() | peers.WHO | {"PATH": f"{at / 'bin'}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    project = folder / NAME
    if ran.returncode or not (project / ".venv").is_dir():
        said = (ran.stdout + ran.stderr)[-2000:]
        raise Refused(f"FastAPI-template: exit {ran.returncode}\n{said}")
    return Generated(project, tool.version(at))


def run(stand: Bench, peer: Generated, given: argparse.Namespace) -> dict[str, Any]:
    project = stand.project("fastapi")
    assert stand.admin_url is not None
    load = significant(os.getloadavg()[0], 2)
    own = stand.databases.make("postgresql", project, ITEMS)
    theirs = create_database(stand.admin_url, DATABASE, "svc", "secret")
    peer.migrate(theirs)
    fill(stand)
    with stand.generated(project, own) as ours, served(stand, peer, theirs) as other:
        rounds = in_turns(stand, ours, other, given.rounds, given.seconds)
        memory = {"own": ours.memory_mb(), "peer": other.memory_mb()}
    return {
        **machine.circumstances(project.python, stand.admin_url),
        "load": load,
        "version": peer.version,
        "versions": {
            "own": machine.package_versions(project.folder, "fastapi", PACKAGES),
            "peer": machine.package_versions(peer.folder, "fastapi", PACKAGES),
        },
        "seconds": given.seconds,
        "rounds": given.rounds,
        "connections": CONNECTIONS,
        "memory_mb": {name: significant(value) for name, value in memory.items()},
        "requests": {
            request: {
                "peer path": PAIRS[request][0],
                "own": medians([one for one, _ in found]),
                "peer": medians([one for _, one in found]),
                "times": times(found),
            }
            for request, found in rounds.items()
        },
    }


def times(rounds: Sequence[Round]) -> float:
    """How many times as often ours answers: the median of the rounds."""
    ratios = sorted(own.rps / other.rps for own, other in rounds)
    middle = len(ratios) // 2
    return significant((ratios[middle] + ratios[~middle]) / 2)


def fill(stand: Bench) -> None:
    with stand.databases.connect_as_admin(DATABASE) as connection:
        connection.execute(
            "INSERT INTO dummy_model (name) SELECT 'item ' || n FROM generate_series(1, %s) AS n",
            (ITEMS,),
        )
        connection.execute("VACUUM ANALYZE dummy_model")


@contextmanager
def served(stand: Bench, peer: Generated, url: str) -> Iterator[Server]:
    """On the core of the service, as `python -m my_svc` does it: uvicorn with one worker."""
    with serving(
        ["sh", "-c", SERVE, peer.python],
        peer.environment(url),
        folder=stand.folder,
        core=stand.cores.service,
        ready="/api/health",
    ) as server:
        yield server


def in_turns(
    stand: Bench, ours: Server, other: Server, rounds: int, seconds: int
) -> Mapping[str, list[Round]]:
    """Round by round, each request of both, one service after the other."""
    wrk = stand.wrk()
    for request, (path, rows) in PAIRS.items():
        check(ours.url, request, some_ids(ITEMS)[0])
        check_peer(other.url, path, rows)
        for server, asked in ((ours, request), (other, path)):
            wrk.run(server.url, asked, WARM_UP_SECONDS)
            server.settle()
    found: dict[str, list[Round]] = {request: [] for request in PAIRS}
    for number in range(rounds):
        for request, (path, _) in PAIRS.items():
            both = [(ours, request), (other, path)]
            taken = {}
            # Who goes first takes turns, too.
            for server, asked in both if number % 2 == 0 else reversed(both):
                taken[server] = measure(server, wrk, asked, seconds)
            found[request].append((taken[ours], taken[other]))
            own, peer = (one.rps for one in found[request][-1])
            tell(f"{request}, round {number + 1}: {own:,.0f}/s beside {peer:,.0f}/s")
    return found


def check_peer(url: str, path: str, rows: int) -> None:
    """One request by hand: the rows are there, and as many as were asked for."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        said = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Refused(f"{path}: {error!r}") from error
    finally:
        connection.close()
    if answer.status != 200 or len(said) != rows or not said[0]["name"].startswith("item "):
        raise Refused(f"{path}: {answer.status} {json.dumps(said)[:300]}")


if __name__ == "__main__":
    sys.exit(main())
