"""The services under test: every framework with a template, on every database."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from scaffold.resources.model import Resource
from tests.contract.databases import Database, PostgresDatabase, SqliteDatabase
from tests.contract.declarations import (
    EXAMPLE,
    GIVEN,
    RICH,
    as_data,
    declarations_of,
)
from tests.contract.grid import WRONG_LINES
from tests.contract.lines import TITLES
from tests.contract.rows import Rows
from tests.servers import any_amqp_url, any_postgres_url
from tests.services import (
    Project,
    Projects,
    Service,
    environment_of,
    features,
    frameworks,
    limits,
    neighbours,
)

SEVERAL_AT_ONCE = 6
ON_BOTH_DATABASES = ("flask", "django")

# Django, and of those with one store: threads, an event loop and a runner of its own.
RICH_EVERY_DAY = ("flask", "django", "fastapi", "nameko")
# WSGI and Django's own, ASGI, and three that bring their server.
ONE_OF_EACH_SERVER = ("flask", "django", "fastapi", "tornado", "sanic", "nameko")

T = TypeVar("T")


@dataclass(frozen=True)
class Target:
    """One column of the grid."""

    framework: str
    database: str

    def __str__(self) -> str:
        return f"{self.framework}-{self.database}"


def selected_frameworks(config: pytest.Config) -> list[str]:
    given = [name for name in config.getoption("framework").split(",") if name]
    known = frameworks()
    if unknown := set(given) - set(known):
        raise pytest.UsageError(f"no template for {', '.join(sorted(unknown))}; there are {known}")
    return given or known


def selected_targets(config: pytest.Config) -> list[Target]:
    databases = [name for name in config.getoption("database").split(",") if name]
    if unknown := set(databases) - {"sqlite", "postgresql"}:
        raise pytest.UsageError(f"unknown database {', '.join(sorted(unknown))}")
    return [Target(f, d) for f in selected_frameworks(config) for d in databases]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "declaration" in metafunc.fixturenames:
        parametrize_by_declaration(metafunc)
    elif "draw" in metafunc.fixturenames:
        parametrize_by_draw(metafunc)
    elif "target" in metafunc.fixturenames:
        targets = selected_targets(metafunc.config)
        metafunc.parametrize("target", targets, ids=str, indirect=True, scope="session")
    elif "framework" in metafunc.fixturenames:
        names = selected_frameworks(metafunc.config)
        metafunc.parametrize("framework", names, indirect=True, scope="session")


def parametrize_by_declaration(metafunc: pytest.Metafunc) -> None:
    """Each target with each declaration, and with each resource of it where a test is of one.

    Every day that is the rich one, since the other tests of the contract are about the example, of
    four frameworks and on one of the two databases for each in turn. At night it is all of them.
    """
    of_one = "resource" in metafunc.fixturenames

    every_day = standing_for_all(metafunc.config, RICH_EVERY_DAY)

    def marks(target: Target, name: str) -> list[pytest.MarkDecorator]:
        turn = frameworks().index(target.framework) + (target.database == "postgresql")
        left_out = turn % 2 or target.framework not in every_day
        return [pytest.mark.slow] if name == EXAMPLE or (name == RICH and left_out) else []

    sets = [
        pytest.param(t, name, *part, id="-".join([str(t), name, *part]), marks=marks(t, name))
        for t in selected_targets(metafunc.config)
        for name, resources in declarations_of(metafunc.config).items()
        for part in ([[resource.name] for resource in resources] if of_one else [[]])
    ]
    names = ["target", "declaration", *(["resource"] if of_one else [])]
    metafunc.parametrize(names, sets, indirect=True, scope="session")


def parametrize_by_draw(metafunc: pytest.Metafunc) -> None:
    """Each drawn declaration with one of the frameworks, which take turns."""
    names = selected_frameworks(metafunc.config)
    draws = range(metafunc.config.getoption("draws")) if names else ()
    turns = [(names[draw % len(names)], draw) for draw in draws]
    sets = [pytest.param(*turn, id=f"{turn[0]}-{turn[1]}") for turn in turns]
    metafunc.parametrize(["framework", "draw"], sets, indirect=["framework"], scope="session")


def pytest_itemcollected(item: pytest.Item) -> None:
    """What does not depend on the database is asked on SQLite every day, on PostgreSQL at night.

    So is what all services share, of three of them every day and of all at night; ``any_server``
    is of what the code between a server and a framework does, which six of them stand for.
    """
    framework, _, database = column_of(item).partition("-")
    both = "sqlite" in item.config.getoption("database")
    if both and database == "postgresql" and not asked_on_both(item, framework):
        item.add_marker(pytest.mark.slow)
    shared = item.get_closest_marker("any_framework")
    if shared and framework not in standing_for_all(item.config, shared.args):
        item.add_marker(pytest.mark.slow)
    if item.get_closest_marker("any_server") and framework not in standing_for_all(
        item.config, ONE_OF_EACH_SERVER
    ):
        item.add_marker(pytest.mark.slow)


def asked_on_both(item: pytest.Item, framework: str) -> bool:
    """Whether a test is asked on PostgreSQL every day, as it is on SQLite.

    Services of the example are, of two frameworks: eight have the same store, and Django its own.
    Those of the rich declaration take turns.
    """
    if item.get_closest_marker("any_database"):
        return False
    of_a_declaration = "declaration" in getattr(item, "fixturenames", ())
    return of_a_declaration or framework in standing_for_all(item.config, ON_BOTH_DATABASES)


def standing_for_all(config: pytest.Config, names: tuple[str, ...]) -> set[str]:
    """The named, else threads, an event loop and a runner of its own; or the first asked for."""
    asked = selected_frameworks(config)
    return set(asked) & set(names or ("flask", "fastapi", "nameko")) or set(asked[:1])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    arrange(config, items, Path(__file__).parent)


def arrange(config: pytest.Config, items: list[pytest.Item], folder: Path) -> None:
    """Choose, mark and sort the tests below a folder; the others stay where they are."""
    here = f"{folder}{os.sep}"
    own = [item for item in items if str(item.path).startswith(here)]
    others = [item for item in items if not str(item.path).startswith(here)]
    wanted = {line for line in config.getoption("line").split(",") if line}
    kept, dropped = [], []
    for item in own:
        asked = not wanted or bool(wanted & set(lines_of(item)))
        fits = asked and features_of(item) <= had_by(item) and has_neighbours(item)
        (kept if fits else dropped).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    for item in kept:
        prepare(config, item)
    columns = {column: at for at, column in enumerate(dict.fromkeys(map(column_of, kept)))}
    kept.sort(
        key=lambda item: (
            columns[column_of(item)],
            service_of(item),
            bool(item.get_closest_marker("last")),
        )
    )
    items[:] = others + kept


def prepare(config: pytest.Config, item: pytest.Item) -> None:
    """Tell the grid what the test proves, and turn a declared limit into a strict xfail."""
    lines = lines_of(item)
    unknown = set(lines) - set(TITLES)
    if unknown or not lines:
        item.stash[WRONG_LINES] = f"{item.nodeid}: contract lines {unknown or 'missing'}"
        return
    framework, _, database = column_of(item).partition("-")
    databases = [database] if database else config.getoption("database").split(",")
    item.user_properties.append(("contract", " ".join(lines)))
    item.user_properties.append(("columns", " ".join(f"{framework}-{d}" for d in databases)))
    if limitable := item.get_closest_marker("limitable"):
        for (line, case), evidence in limits(framework).items():
            if line in lines and case == "".join(limitable.args):
                item.add_marker(pytest.mark.xfail(reason=evidence, strict=True))


def has_neighbours(item: pytest.Item) -> bool:
    """Whether the services of the test's framework have all that the test is about."""
    needed = {name for marker in item.iter_markers("beside") for name in marker.args}
    return not needed or needed <= neighbours(column_of(item).partition("-")[0])


def lines_of(item: pytest.Item) -> list[str]:
    return [line for marker in item.iter_markers("contract") for line in marker.args]


def features_of(item: pytest.Item) -> set[str]:
    """The features that a service needs to have for the test to be about it."""
    return {name for marker in item.iter_markers("feature") for name in marker.args}


def had_by(item: pytest.Item) -> frozenset[str]:
    return features(column_of(item).partition("-")[0])


def column_of(item: pytest.Item) -> str:
    parameters = getattr(item, "callspec", None)
    values = parameters.params if parameters else {}
    return str(values.get("target") or values.get("framework") or "")


def service_of(item: pytest.Item) -> str:
    """Which service of its column a test asks: nothing for that of the example."""
    parameters = getattr(item, "callspec", None)
    declaration = str(parameters.params.get("declaration", EXAMPLE)) if parameters else EXAMPLE
    return "" if declaration == EXAMPLE else declaration


@pytest.fixture(autouse=True)
def machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A test that is ``alone`` has the machine for itself: the run's other processes wait.

    Who wants to be alone closes the gate, so that no new test comes in between, and then waits
    until the one that is in has left.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    alone = request.node.get_closest_marker("alone") is not None
    mode = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    with (shared / "gate").open("w") as gate, (shared / "room").open("w") as room:
        fcntl.flock(gate, mode)
        fcntl.flock(room, mode)
        if not alone:
            fcntl.flock(gate, fcntl.LOCK_UN)
        yield


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Target:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def framework(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def projects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Projects:
    """All processes of a run (pytest-xdist) share the folder."""
    given = dict(entry.split("=", 1) for entry in request.config.getoption("project"))
    kept = request.config.getoption("projects")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    folder = Path(kept) if kept else shared / "projects"

    def surroundings(framework: str) -> dict[str, str]:
        environment = environment_of(framework)
        for name, value in environment.items():
            if value == "{rabbitmq}":
                environment[name] = request.getfixturevalue("amqp_url")
        return environment

    folders = {name: Path(path).resolve() for name, path in given.items()}
    return Projects(folder, folders, surroundings)


@pytest.fixture(scope="session")
def project(target: Target, projects: Projects) -> Project:
    return projects.get(target.framework)


@pytest.fixture(scope="session")
def framework_project(framework: str, projects: Projects) -> Project:
    """The project of a test that is about the framework alone, on no database in particular."""
    return projects.get(framework)


@pytest.fixture(scope="session")
def postgres_admin_url() -> Iterator[str]:
    """Started when the first test needs it."""
    with any_postgres_url() as url:
        yield url


@pytest.fixture(scope="session")
def amqp_url() -> Iterator[str]:
    """A broker for every service that needs one, started when the first of them does."""
    with any_amqp_url() as url:
        yield url


NewDatabase = Callable[[], Database]


@pytest.fixture(scope="session")
def new_database(
    request: pytest.FixtureRequest, target: Target, tmp_path_factory: pytest.TempPathFactory
) -> NewDatabase:
    """Makes empty databases of the target's kind."""

    def make() -> Database:
        if target.database == "sqlite":
            return SqliteDatabase(tmp_path_factory.mktemp(target.framework) / "items.db")
        admin_url = request.getfixturevalue("postgres_admin_url")
        name = f"{target.framework}_{uuid.uuid4().hex[:8]}"
        return PostgresDatabase.create(admin_url, name)

    return make


@pytest.fixture(scope="session")
def new_migrated(project: Project, new_database: NewDatabase) -> NewDatabase:
    """Makes databases with the schema: the first by `migrate`, the others as its copies."""
    migrated: list[Database] = []

    def make() -> Database:
        if not migrated:
            first = new_database()
            project.migrate({"DATABASE_URL": first.url})
            migrated.append(first)
        return migrated[0].copy()

    return make


@pytest.fixture(scope="session")
def database(new_migrated: NewDatabase) -> Database:
    """The database of the shared service."""
    return new_migrated()


@pytest.fixture(scope="session")
def service(project: Project, database: Database) -> Iterator[Service]:
    """One service for all tests that break nothing, with its defaults."""
    with project.service({"DATABASE_URL": database.url}) as running:
        yield running


CONFIGURED = {
    "LOG_LEVEL": "debug",
    "MAX_BODY_BYTES": "1000",
    "ALLOWED_HOSTS": "api.example.com,*.example.org",
}


@pytest.fixture(scope="session")
def configured(service: Service) -> Iterator[Service]:
    """A second process on the shared service's database, with settings of its own."""
    database_url = service.environment["DATABASE_URL"]
    with service.project.service({"DATABASE_URL": database_url, **CONFIGURED}) as running:
        running.http.headers["Host"] = "api.example.com"
        yield running


@pytest.fixture(scope="session")
def declaration(request: pytest.FixtureRequest) -> str:
    """The name of what the service is made of."""
    return str(request.param)


@pytest.fixture(scope="session")
def resources(request: pytest.FixtureRequest, declaration: str) -> tuple[Resource, ...]:
    return declarations_of(request.config)[declaration]


@pytest.fixture(scope="session")
def resource(request: pytest.FixtureRequest, resources: tuple[Resource, ...]) -> Resource:
    """The one that the test is about."""
    return next(one for one in resources if one.name == request.param)


@pytest.fixture(scope="session")
def declared_project(
    target: Target, declaration: str, resources: tuple[Resource, ...], projects: Projects
) -> Project:
    """The project that is made of the declaration; one that was given is made of what is given."""
    given = declaration == GIVEN and target.framework in projects.given
    if declaration == EXAMPLE or given:
        return projects.get(target.framework)
    name = f"{target.framework}-{declaration}"
    return projects.of_resources(target.framework, name, as_data(resources))


@pytest.fixture(scope="session")
def declared_database(
    request: pytest.FixtureRequest, declaration: str, declared_project: Project
) -> Database:
    """The database of the service that is made of the declaration."""
    if declaration == EXAMPLE:
        return request.getfixturevalue("database")  # type: ignore[no-any-return]
    new_database: NewDatabase = request.getfixturevalue("new_database")
    database = new_database()
    declared_project.migrate({"DATABASE_URL": database.url})
    return database


@pytest.fixture(scope="session")
def declared_service(
    request: pytest.FixtureRequest,
    declaration: str,
    declared_project: Project,
    declared_database: Database,
) -> Iterator[Service]:
    """One service for all tests of a declaration; that of the example is the one of all others."""
    if declaration == EXAMPLE:
        yield request.getfixturevalue("service")
        return
    with declared_project.service({"DATABASE_URL": declared_database.url}) as running:
        yield running


@pytest.fixture
def rows(
    declaration: str, declared_service: Service, resources: tuple[Resource, ...]
) -> Iterator[Rows]:
    """Makes rows of the resources, and leaves none behind; those of the example are many."""
    made = Rows(declared_service.http, resources)
    yield made
    if declaration != EXAMPLE:
        made.clear()


Launch = Callable[..., Service]


@pytest.fixture
def launch(project: Project, new_migrated: NewDatabase) -> Iterator[Launch]:
    """Start services that end with the test; ``database`` is new and migrated unless given."""
    with contextlib.ExitStack() as stack:

        def start(database: Database | None = None, **environment: str) -> Service:
            if database is None:
                database = new_migrated()
            settings = {"DATABASE_URL": database.url, **environment}
            return stack.enter_context(project.service(settings))

        yield start


@dataclass
class Case:
    """One service's part of a scenario that runs for several services at the same time."""

    target: Target
    project: Project
    _pace: Pace
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def enter(self, context: contextlib.AbstractContextManager[T]) -> T:
        """Enter a context that lasts as long as the case."""
        return self._stack.enter_context(context)

    def folder(self) -> Path:
        return Path(self.enter(tempfile.TemporaryDirectory()))

    def start(self, database: Database, **environment: str) -> Service:
        """Migrate the database and serve on it."""
        settings = {"DATABASE_URL": database.url, **environment}
        self.project.migrate(settings)
        return self.enter(self.project.service(settings))

    def ready(self) -> None:
        """Go on when every other case is ready or over: nobody measures while others start."""
        self._pace.wait_for_all(self.target)

    def close(self) -> None:
        self._stack.close()


class Pace:
    """Lets cases wait for one another, without waiting for one that has ended."""

    def __init__(self, targets: list[Target]) -> None:
        self._missing = set(targets)
        self._changed = threading.Condition()

    def arrive(self, target: Target) -> None:
        with self._changed:
            self._missing.discard(target)
            self._changed.notify_all()

    def wait_for_all(self, target: Target) -> None:
        self.arrive(target)
        with self._changed:
            self._changed.wait_for(lambda: not self._missing, timeout=300)


Scenario = Callable[[Case], None]
Outcomes = Mapping[Target, BaseException | None]


class Scenarios:
    """Runs a scenario once for all services that the session tests it on; keeps the outcomes."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects
        self._outcomes: dict[str, Outcomes] = {}

    def outcomes(
        self, name: str, scenario: Scenario, targets: list[Target], several: int
    ) -> Outcomes:
        if name not in self._outcomes:
            outcomes: dict[Target, BaseException | None] = {}
            for start in range(0, len(targets), several):
                outcomes |= self._run(scenario, targets[start : start + several])
            self._outcomes[name] = outcomes
        return self._outcomes[name]

    def _run(self, scenario: Scenario, targets: list[Target]) -> Outcomes:
        pace = Pace(targets)
        projects = {target: self._projects.get(target.framework) for target in targets}

        def outcome(target: Target) -> BaseException | None:
            case = Case(target, projects[target], pace)
            try:
                with contextlib.closing(case):
                    scenario(case)
            except BaseException as error:  # an outcome of pytest is one too
                return error
            finally:
                pace.arrive(target)
            return None

        with ThreadPoolExecutor(len(targets)) as pool:
            return dict(zip(targets, pool.map(outcome, targets), strict=True))


@pytest.fixture(scope="session")
def scenarios(projects: Projects) -> Scenarios:
    return Scenarios(projects)


SideBySide = Callable[..., None]


@pytest.fixture
def side_by_side(
    request: pytest.FixtureRequest, target: Target, scenarios: Scenarios
) -> SideBySide:
    """Run a scenario for every service of this test at the same time; fail for this one's part."""

    def run(scenario: Scenario, *, several: int = SEVERAL_AT_ONCE) -> None:
        name = request.node.nodeid.partition("[")[0]
        same: list[Any] = [
            item for item in request.session.items if item.nodeid.partition("[")[0] == name
        ]
        targets = list(dict.fromkeys(item.callspec.params["target"] for item in same))
        error = scenarios.outcomes(name, scenario, targets, several)[target]
        if error is not None:
            raise error

    return run
