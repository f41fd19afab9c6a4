"""P1 to P4: commands, configuration, first run and migrations."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.contract.conftest import Launch, NewDatabase
from tests.contract.databases import Database
from tests.contract.items import ITEMS, assert_problem, create, fresh_name, walk
from tests.contract.wire import exchange
from tests.servers import free_port, missing, wait_until
from tests.services import (
    NAME,
    PACKAGE,
    Project,
    Projects,
    Service,
    install,
    neighbours,
    plain_environment,
    uv,
    uv_environment,
)

LOOPBACK_ONLY = Path(__file__).parent / "loopback_only.py"
FIRST_RUN = Path(__file__).parent / "first_run.py"
PRESSURE = Path("/proc/pressure/cpu")
ONE_COMMAND_LINE = "fastapi"  # all services have the same runtime/cli.py


def without_network(command: list[str]) -> list[str]:
    """The command in a network of its own, where only 127.0.0.1 is reached."""
    prefix = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    probe = [*prefix, "true"]
    if not shutil.which("unshare") or subprocess.run(probe, capture_output=True).returncode:
        missing("unshare cannot take the network away here")
    return [*prefix, sys.executable, str(LOOPBACK_ONLY), *command]


def stopwatch() -> Callable[[], float]:
    """Seconds since now, without those in which processes waited for others to leave a processor.

    The children's own work on the processors counts in any case.
    """
    clock, worked, waited = time.monotonic(), children_seconds(), waiting_seconds()

    def spent() -> float:
        undisturbed = time.monotonic() - clock - (waiting_seconds() - waited)
        return max(undisturbed, children_seconds() - worked)

    return spent


def waiting_seconds() -> float:
    """How long processes of this machine have waited for a processor, any of them at a time.

    A kernel without pressure stall information knows of none, and then the clock is what counts.
    """
    with contextlib.suppress(OSError):
        some = PRESSURE.read_text(encoding="ascii").partition("total=")[2]
        return int(some.split()[0]) / 1_000_000
    return 0.0


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.slow
@pytest.mark.contract("P1")
def test_a_fresh_project_passes_its_own_tests_without_network(
    framework: str, projects: Projects, tmp_path: Path
) -> None:
    """How long they take is measured by benchmarks/first_tests.py."""
    project = tmp_path / NAME
    projects.fresh(framework, project)
    install(project)
    result = subprocess.run(
        without_network(["uv", "run", "--offline", "pytest", "-q"]),
        cwd=project,
        env=uv_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    assert re.search(r"\d+ passed", result.stdout), result.stdout[-500:]
    assert not re.search(r"[1-9]\d* (failed|error|warning)", result.stdout), result.stdout[-2000:]


@pytest.mark.contract("P2")
@pytest.mark.parametrize(
    "command",
    [
        pytest.param((NAME,), id="command"),
        pytest.param(("python", "-m", PACKAGE), id="module", marks=pytest.mark.slow),
    ],
)
def test_the_first_run_just_works(
    framework_project: Project, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Nothing is set: 127.0.0.1:8000, an SQLite file that is made, an empty list, a stored item.

    In a network namespace of its own, so that port 8000 is free and nobody else can be reached.
    """
    program = [str(framework_project.folder / ".venv" / "bin" / command[0]), *command[1:]]
    result = subprocess.run(
        without_network([sys.executable, str(FIRST_RUN), *program]),
        cwd=tmp_path,
        env=plain_environment() | framework_project.first_run,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout)
    assert seen["listening"] == ["127.0.0.1:8000"]
    assert seen["live"] == [200, {"status": "pass"}]
    # Whatever else the service needs is not there; with the database alone it serves all the same.
    assert seen["ready"][0] == (503 if neighbours(framework_project.framework) else 200)
    assert seen["ready"][1]["checks"]["database"] == {"status": "pass"}
    assert seen["empty"] == [200, {"items": [], "next_cursor": None}]
    assert seen["created"][0] == 201
    assert [item["name"] for item in seen["listed"][1]["items"]] == ["first"]
    assert seen["exit"] == 0
    assert not re.search(r"development|debug|werkzeug|wsgiref", seen["output"], re.IGNORECASE)
    assert not re.search(r"werkzeug|wsgiref|WSGIServer|BaseHTTP", seen["server"])


@pytest.mark.any_framework(ONE_COMMAND_LINE)
@pytest.mark.contract("P2")
def test_the_second_run_finds_what_the_first_stored(
    framework_project: Project, tmp_path: Path
) -> None:
    for expected in ([], ["kept"]):
        with framework_project.service(framework_project.first_run, folder=tmp_path) as service:
            assert [item["name"] for item in walk(service.http)] == expected
            if not expected:
                create(service.http, name="kept")


@pytest.mark.any_framework(ONE_COMMAND_LINE)
@pytest.mark.contract("P2")
def test_uv_run_serves(framework_project: Project, tmp_path: Path) -> None:
    command = ("uv", "run", "--offline", "--project", str(framework_project.folder), NAME)
    environment = uv_environment() | {"DATABASE_URL": f"sqlite:///{tmp_path}/items.db"}
    with framework_project.service(environment, command=command) as service:
        assert create(service.http).status_code == 201
        service.terminate()
        assert service.wait_for_exit(10) == 0


@pytest.mark.any_framework(ONE_COMMAND_LINE)
@pytest.mark.any_database
@pytest.mark.contract("P2", "P4")
def test_host_and_port_come_from_the_environment(launch: Launch) -> None:
    service = launch(HOST="127.0.0.2")
    assert service.url == f"http://127.0.0.2:{service.port}"
    assert create(service.http).status_code == 201
    with pytest.raises(OSError, match=r"refused"):
        exchange(("127.0.0.1", service.port), "GET", "/livez")


@pytest.mark.any_framework("flask", "django")
@pytest.mark.contract("P3")
def test_migrating_twice_changes_nothing(project: Project, new_migrated: NewDatabase) -> None:
    database = new_migrated()
    schema = database.schema()
    assert schema
    project.migrate({"DATABASE_URL": database.url})
    assert database.schema() == schema


@pytest.mark.any_framework("flask", "django")
@pytest.mark.contract("P3")
def test_migrating_keeps_what_is_stored(service: Service) -> None:
    made = create(service.http)
    service.project.migrate({"DATABASE_URL": service.environment["DATABASE_URL"]})
    assert service.http.get(made.headers["location"]).json() == made.json()


@pytest.mark.any_framework("flask", "django")
@pytest.mark.contract("P3")
def test_a_release_that_was_rolled_back_leaves_the_newer_schema_alone(
    project: Project, new_migrated: NewDatabase, launch: Launch
) -> None:
    """Rolling back starts the older migrate job as well: it has to succeed and change nothing."""
    database = new_migrated()
    database.migrate_further()
    schema = database.schema()
    project.migrate({"DATABASE_URL": database.url})
    assert database.schema() == schema
    service = launch(database)
    assert service.http.get("/readyz").status_code == 200
    assert create(service.http).status_code == 201


@pytest.mark.slow
@pytest.mark.contract("P3")
def test_migrating_at_once_is_safe(project: Project, new_database: NewDatabase) -> None:
    alone, together = new_database(), new_database()
    project.migrate({"DATABASE_URL": alone.url})
    environment = {"DATABASE_URL": together.url, "DATABASE_TIMEOUT_SECONDS": "30"}
    with ThreadPoolExecutor(4) as pool, contextlib.ExitStack() as start:
        start.enter_context(together.hold_schema())
        runs = [pool.submit(project.run, "migrate", environment=environment) for _ in range(4)]

        def all_want_to_begin() -> bool:
            return together.waiting() == 4 or any(run.done() for run in runs)

        wait_until(all_want_to_begin, 30, "all four want to begin")
        start.close()
    for run in runs:
        result = run.result()
        assert result.returncode == 0, result.stdout + result.stderr
    assert together.schema() == alone.schema()


DOWN = re.compile(r"^.*\b(?:downgrade|migrate \w+ zero|rollback)\b.*$", re.MULTILINE)


def way_down(readme: str) -> list[str]:
    """The command in a code block of the README that takes the schema down again."""
    blocks = re.findall(r"^```.*?\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    commands = [match.strip() for block in blocks for match in DOWN.findall(block)]
    inline = [code for code in re.findall(r"`([^`\n]+)`", readme) if DOWN.fullmatch(code)]
    found: list[list[str]] = [c.partition(" #")[0].split() for c in [*commands, *inline]]
    assert found, "the README names no command that takes the schema down"
    return found[0]


@pytest.mark.slow
@pytest.mark.contract("P3")
def test_the_way_down_and_up_again_gives_the_same_schema(
    project: Project, new_database: NewDatabase
) -> None:
    database = new_database()
    environment = {"DATABASE_URL": database.url, **project.surroundings}
    project.migrate(environment)
    schema = database.schema()
    command = way_down((project.folder / "README.md").read_text())
    if command[:2] == ["uv", "run"]:
        command = command[2:]
    uv(project.folder, "run", "--offline", *command, **environment)
    lower = database.schema()
    assert not [row for row in lower if "quantity" in str(row)]
    project.migrate(environment)
    assert database.schema() == schema


@pytest.mark.any_framework("flask", "django")
@pytest.mark.contract("P3")
def test_serving_never_migrates_postgresql(launch: Launch, new_database: NewDatabase) -> None:
    database = new_database()
    service = launch(database)
    if database.kind == "postgresql":
        assert service.http.get("/readyz").status_code == 503
        assert database.schema() == []
    else:
        assert service.http.get("/readyz").status_code in {200, 503}


BAD_VALUES = [
    ("PORT", "70000"),
    ("HOST", "not an address"),
    ("LOG_LEVEL", "loud"),
    ("DATABASE_URL", "postgresql://keeper:s3cret@localhost:port/x"),
    ("DATABASE_TIMEOUT_SECONDS", "nan"),
    ("MAX_BODY_BYTES", "-1"),
    ("DRAIN_SECONDS", "-1"),
]
OTHER_BAD_VALUES = [
    ("PORT", "abc"),
    ("DATABASE_URL", "mysql://root@localhost/x"),
    ("DATABASE_TIMEOUT_SECONDS", "soon"),
    ("MAX_BODY_BYTES", "1MB"),
    ("DRAIN_SECONDS", "never"),
]


def assert_refused(project: Project, command: str, variable: str, value: str) -> None:
    environment = {"PORT": str(free_port()), "DATABASE_URL": "sqlite:///items.db"}
    environment[variable] = value
    spent = stopwatch()
    arguments = [command] if command else []
    try:
        result = project.run(*arguments, environment=environment, timeout=15)
    except subprocess.TimeoutExpired:
        pytest.fail(f"{variable}={value}: the process did not end", pytrace=False)
    seconds = spent()
    shown = result.stdout + result.stderr
    assert result.returncode > 0, f"{variable}={value}: exit {result.returncode}\n{shown}"
    assert seconds < 5, f"{variable}={value}: {seconds:.1f} s"
    assert len(shown.strip().splitlines()) == 1, f"{variable}={value}: one line, not\n{shown}"
    assert variable in shown, f"{variable}={value}: not named in {shown}"
    assert "s3cret" not in shown
    assert isinstance(json.loads(shown), dict), "every line is JSON"


@pytest.mark.any_framework
@pytest.mark.contract("P4")
@pytest.mark.parametrize(
    "values",
    [
        pytest.param(BAD_VALUES, id="one of each"),
        pytest.param(OTHER_BAD_VALUES, id="another", marks=pytest.mark.slow),
    ],
)
def test_a_bad_value_ends_the_process_naming_the_variable(
    framework_project: Project, values: list[tuple[str, str]]
) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(assert_refused, framework_project, "", variable, value)
            for variable, value in values
        ]
    for run in runs:
        run.result()


@pytest.mark.any_framework(ONE_COMMAND_LINE)
@pytest.mark.contract("P4")
def test_migrate_refuses_a_bad_value_too(framework_project: Project) -> None:
    assert_refused(framework_project, "migrate", "DATABASE_URL", "mysql://root:s3cret@localhost/x")
    assert_refused(framework_project, "migrate", "LOG_LEVEL", "loud")


@pytest.mark.any_framework(ONE_COMMAND_LINE)
@pytest.mark.contract("P4")
def test_an_unknown_command_is_refused(framework_project: Project) -> None:
    result = framework_project.run("explode", environment={}, timeout=30)
    assert result.returncode > 0
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.any_database
@pytest.mark.contract("P4")
def test_a_port_in_use_ends_the_process(service: Service) -> None:
    """Two services that share a port would each get a part of the other's requests."""
    assert_refused(service.project, "", "PORT", str(service.port))
    assert service.is_live()


@pytest.mark.any_framework(ONE_COMMAND_LINE)
@pytest.mark.contract("P4")
def test_a_relative_sqlite_file_lies_in_the_working_folder(
    framework_project: Project, tmp_path: Path
) -> None:
    environment = {"DATABASE_URL": "sqlite:///here.db"}
    subprocess.run(
        [framework_project.executable, "migrate"],
        cwd=tmp_path,
        env=plain_environment() | environment,
        check=True,
        capture_output=True,
    )
    with framework_project.service(environment, folder=tmp_path) as service:
        name = create(service.http).json()["name"]
        with sqlite3.connect(tmp_path / "here.db") as connection:
            assert name in "\n".join(connection.iterdump())


@pytest.mark.contract("P4", "H3")
def test_a_password_with_every_special_character_works_and_is_never_shown(
    service: Service, database: Database
) -> None:
    """The shared service has connected with it, if its database knows passwords at all."""
    assert service.http.get("/readyz").status_code == 200
    for secret in database.secrets:
        assert secret not in service.output
        for path in ("/readyz", "/metrics", "/openapi.json", "/docs"):
            assert secret not in service.http.get(path).text


@pytest.mark.any_database
@pytest.mark.contract("P4")
def test_settings_of_one_process_are_not_those_of_another(
    service: Service, configured: Service
) -> None:
    """Only the environment tells them apart: the same installation, the same database."""
    body = b'{"name": "%s"}' % fresh_name().encode()
    padded = body.ljust(2000)
    json_headers = {"Content-Type": "application/json"}
    assert_problem(configured.http.post(ITEMS, content=padded, headers=json_headers), 413, ITEMS)
    assert service.http.post(ITEMS, content=padded, headers=json_headers).status_code == 201


@pytest.mark.any_server
@pytest.mark.any_database
@pytest.mark.contract("P5")
def test_an_idle_service_is_gone_within_5_seconds(launch: Launch) -> None:
    """With a keep-alive connection open, as every load balancer has."""
    service = launch()
    assert service.http.get("/livez").status_code == 200
    before = time.monotonic()
    service.terminate()
    assert service.wait_for_exit(5) == 0
    assert time.monotonic() - before < 5
    wait_until(lambda: not service.living_family(), 1, "all processes are gone")


@pytest.mark.any_server
@pytest.mark.any_database
@pytest.mark.contract("P5")
@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_a_service_that_has_just_begun_to_answer_ends_as_well(
    project: Project, new_migrated: NewDatabase, times: int
) -> None:
    """Whatever probes it may see it live before its signals are set up."""
    service = Service(project, {"DATABASE_URL": new_migrated().url}, (project.executable,))
    try:
        for _ in range(times):
            service.start(wait=False)
            deadline = time.monotonic() + 30
            while not service.is_live():
                assert time.monotonic() < deadline
                time.sleep(0.001)
            os.kill(service.pid, signal.SIGTERM)  # with nothing before it that takes its time
            assert service.wait_for_exit(5) == 0
    finally:
        service.end()


@pytest.mark.any_framework
@pytest.mark.any_database
@pytest.mark.contract("P5")
def test_as_pid_1_an_idle_service_ends_with_0(project: Project, new_migrated: NewDatabase) -> None:
    """The kernel ignores signals without a handler for PID 1, and gives it every orphan."""
    environment = {"DATABASE_URL": new_migrated().url}
    prefix = ["unshare", "--pid", "--fork", "--kill-child"]
    prefix += [] if os.geteuid() == 0 else ["--map-root-user"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*prefix, "true"], capture_output=True).returncode
    ):
        missing("unshare cannot make a PID namespace here")
    command = (*prefix, project.executable)
    with project.service(environment, command=command) as service:
        family = service.remember_family()
        assert create(service.http).status_code == 201
        family[1].send_signal(signal.SIGTERM)
        assert service.wait_for_exit(5) == 0
