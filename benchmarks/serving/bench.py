"""The bench on which a service stands beside its baseline."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.serving.figures import REQUESTS, Round, Sample, ServiceSamples
from benchmarks.serving.items import Databases, some_ids
from benchmarks.serving.load import CONNECTIONS, Refused, Wrk, check
from benchmarks.serving.processes import Cores, Server, serving
from tests.servers import Postgres, postgres, process_tree, rabbitmq
from tests.services import REPOSITORY, Project, Projects, surroundings_of

ITEMS = 1000
DRIVERS = "drivers"  # what the raw twins need and the services do not have
WARM_UP_SECONDS = 1
STARTS = 3


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass
class Bench:
    """Installed projects, and where their databases and the load come from."""

    folder: Path
    cores: Cores
    databases: Databases
    postgresql: Postgres | None
    statements_once: bool = False
    _broker: str = ""
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def admin_url(self) -> str | None:
        return self.postgresql.url() if self.postgresql else None

    @contextlib.contextmanager
    def unpinned(self) -> Iterator[None]:
        """Within the block, this process and PostgreSQL run on every core."""
        self._allow(set(range(os.cpu_count() or 1)))
        try:
            yield
        finally:
            self._allow({self.cores.load})

    def _allow(self, cores: set[int]) -> None:
        os.sched_setaffinity(0, cores)
        if self.postgresql and self.postgresql.process:
            for process in process_tree(self.postgresql.process.pid):
                os.sched_setaffinity(process.pid, cores)

    def project(self, framework: str) -> Project:
        """The service of a framework, rendered from the working tree and installed once."""
        surroundings = surroundings_of(framework, self._broker_url)
        return Projects(self.folder / "projects", surroundings=lambda _: surroundings).get(
            framework
        )

    def wrk(self, items: int = ITEMS, headers: Mapping[str, str] | None = None) -> Wrk:
        return Wrk(self.folder, some_ids(items), headers)

    def generated(
        self,
        project: Project,
        database_url: str,
        *,
        everywhere: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> contextlib.AbstractContextManager[Server]:
        """The service as it is shipped: its own server, its defaults but for `settings`."""
        return serving(
            [project.executable],
            {**project.surroundings, "DATABASE_URL": database_url, **(settings or {})},
            folder=self.folder,
            core=None if everywhere else self.cores.service,
            ready="/readyz",
        )

    def bare(
        self, project: Project, database_url: str
    ) -> contextlib.AbstractContextManager[Server]:
        """The baseline, by the service's own interpreter."""
        once = "once" if self.statements_once else "each"
        return self._twin(project, f"bare.{project.framework}", database_url, STATEMENTS=once)

    def raw(self, project: Project, database_url: str) -> contextlib.AbstractContextManager[Server]:
        """The raw twin: a module of its own, or the baseline's routes on the driver's queries."""
        own = REPOSITORY / "benchmarks" / "raw" / f"{project.framework}.py"
        module = f"{'raw' if own.exists() else 'bare'}.{project.framework}"
        return self._twin(project, module, database_url, QUERIES="raw")

    def _twin(
        self, project: Project, module: str, database_url: str, **environment: str
    ) -> contextlib.AbstractContextManager[Server]:
        given = {
            "DATABASE_URL": database_url,
            "PYTHONPATH": f"{REPOSITORY}:{self.folder / DRIVERS}",
            "PYTHONPYCACHEPREFIX": str(self.folder / "pycache"),
        }
        return serving(
            [project.python, "-m", f"benchmarks.{module}"],
            given | environment,
            folder=self.folder,
            core=self.cores.service,
            ready="/livez",
        )

    def _broker_url(self) -> str:
        if not self._broker:
            self._broker = self._stack.enter_context(rabbitmq()).url
        return self._broker


@contextlib.contextmanager
def bench(frameworks: Sequence[str], *, with_postgresql: bool) -> Iterator[Bench]:
    """A bench with the services of `frameworks` installed. What it starts ends with the block.

    From here on this process, and what it starts without saying where, stays on the load's core.
    """
    cores = Cores.of_this_machine()
    with (
        tempfile.TemporaryDirectory(prefix="serving-") as name,
        contextlib.ExitStack() as stack,
    ):
        folder = Path(name)
        for framework in frameworks:
            tell(f"{framework}: render and install")
            Projects(folder / "projects").get(framework)
        everywhere = os.sched_getaffinity(0)
        stack.callback(os.sched_setaffinity, 0, everywhere)
        os.sched_setaffinity(0, {cores.load})
        # As durable as PostgreSQL is by default.
        server = stack.enter_context(postgres(durable=True)) if with_postgresql else None
        databases = Databases(folder, server.url() if server else None)
        yield Bench(folder, cores, databases, server, _stack=stack)


def measure(
    server: Server, wrk: Wrk, request: str, seconds: int, connections: int = CONNECTIONS
) -> Sample:
    """One run of the load, and what it cost the server until that had nothing more to do."""
    before = server.cpu_seconds()
    seen = wrk.run(server.url, request, seconds, connections)
    server.settle()
    spent = server.cpu_seconds() - before
    return Sample(1e6 * spent / seen.requests, seen.rps, seen.p50_ms, seen.p99_ms)


def beside_bare(
    stand: Bench,
    framework: str,
    database: str,
    *,
    requests: Sequence[str] = REQUESTS,
    rounds: int,
    seconds: int,
    starts: int = STARTS,
) -> ServiceSamples:
    """A generated service and its baseline, in turns. `Refused` where an answer is not 2xx."""
    project = stand.project(framework)
    wrk = stand.wrk()
    own, twins = stand.databases.make(database, project, ITEMS), stand.databases.copy(database)
    start_seconds = _start_seconds(lambda: stand.generated(project, own), starts)
    found: dict[str, list[Round]] = {request: [] for request in requests}
    with stand.generated(project, own) as generated:
        with stand.bare(project, twins) as bare:
            for request in requests:
                for server in (generated, bare):
                    with saying(f"{framework}, {database}, {server_name(server, bare)}"):
                        check(server.url, request, some_ids(ITEMS)[0])
                        wrk.run(server.url, request, WARM_UP_SECONDS)
                        server.settle()
            for number in range(rounds):
                for request in requests:
                    # Who goes first takes turns, too.
                    order = (generated, bare) if number % 2 == 0 else (bare, generated)
                    samples = {}
                    for server in order:
                        with saying(f"{framework}, {database}, {server_name(server, bare)}"):
                            samples[server] = measure(server, wrk, request, seconds)
                    found[request].append((samples[generated], samples[bare]))
                    tell(progress(framework, database, request, number, found[request][-1]))
        memory_mb = generated.memory_mb()
    return ServiceSamples(found, memory_mb, start_seconds)


def server_name(server: Server, bare: Server) -> str:
    return "bare" if server is bare else "generated"


@contextlib.contextmanager
def saying(what: str) -> Iterator[None]:
    """A refusal inside names the request and the service."""
    try:
        yield
    except Refused as refusal:
        raise Refused(f"{what}: {refusal}") from refusal


def progress(framework: str, database: str, request: str, number: int, found: Round) -> str:
    generated, bare = found
    return (
        f"{framework} {database} {request}, round {number + 1}: {generated.rps:,.0f}/s beside "
        f"{bare.rps:,.0f}/s, {generated.rps / bare.rps:.0%} kept"
    )


def _start_seconds(
    start: Callable[[], contextlib.AbstractContextManager[Server]], starts: int
) -> float:
    """From the exec to the first 200 of /readyz, files and byte code being cached: the median."""
    seconds = []
    for _ in range(starts):
        with start() as server:
            seconds.append(server.start_seconds)
    return median(seconds)
