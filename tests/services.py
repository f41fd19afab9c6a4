"""A rendered service: made once for each framework, installed once, run as a process.

    project = Projects(folder).get("flask")
    with project.service({"DATABASE_URL": "sqlite:////tmp/items.db"}) as service:
        httpx.get(service.url + "/v1/items")

Nothing here knows a framework: its name only chooses the folder of templates.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import pytest
import yaml

from tests.servers import (
    free_port,
    is_alive,
    process_tree,
    signal_tree,
    wait_for_death,
    wait_until,
)

REPOSITORY = Path(__file__).parent.parent
TEMPLATES = REPOSITORY / "templates"
EVERYTHING = ("auth", "tracing", "calls")  # what a service may have `with`
NAME = "stock-keeper"
PACKAGE = "stock_keeper"
START_SECONDS = 30.0

LogEntry = dict[str, Any]


def frameworks() -> list[str]:
    """Every framework that has a template, in alphabetical order."""
    return list(_frameworks())


@cache
def _frameworks() -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in TEMPLATES.glob("*/project")))


@cache
def limits(framework: str) -> dict[tuple[str, str], str]:
    """The lines (and cases of them) that the template says it cannot hold, with the evidence."""
    description = TEMPLATES / framework / "framework.toml"
    if not description.exists():
        return {}
    entries = tomllib.loads(description.read_text()).get("limits", [])
    return {(entry["line"], entry.get("case", "")): entry["evidence"] for entry in entries}


@cache
def features(framework: str) -> frozenset[str]:
    """What its template has beyond the others, such as ``stream``; its tests ask by this name."""
    description = TEMPLATES / framework / "framework.toml"
    if not description.exists():
        return frozenset()
    return frozenset(tomllib.loads(description.read_text()).get("features", []))


def environment_of(framework: str) -> dict[str, str]:
    """What its services need to know beside the database; ``{rabbitmq}`` is a broker's address."""
    description = TEMPLATES / framework / "framework.toml"
    if not description.exists():
        return {}
    found: dict[str, str] = tomllib.loads(description.read_text()).get("environment", {})
    return found


def surroundings_of(framework: str, broker: Callable[[], str]) -> dict[str, str]:
    """The same with its values filled in; ``broker`` gives the address if one is needed."""
    return {
        name: broker() if value == "{rabbitmq}" else value
        for name, value in environment_of(framework).items()
    }


def neighbours(framework: str) -> set[str]:
    """What its services need beside the database, such as ``rabbitmq``."""
    return {value[1:-1] for value in environment_of(framework).values() if value.startswith("{")}


@dataclass
class Projects:
    """Rendered and installed projects in one folder, shared by the processes of a test run.

    ``given`` names folders that are rendered and installed already. ``surroundings`` gives the
    variables that every service of a framework needs.
    """

    folder: Path
    given: Mapping[str, Path] = field(default_factory=dict)
    surroundings: Callable[[str], Mapping[str, str]] = lambda _: {}

    def fresh(self, framework: str, target: Path) -> None:
        """Make a project of a test's own in ``target``, not yet installed."""
        if framework in self.given:
            copy_of(self.given[framework], target)
        else:
            render(framework, target)

    def get(self, framework: str) -> Project:
        """The project with the example resource, or the one that was given."""
        if framework in self.given:
            folder = self.given[framework]
            around = {**self.surroundings(framework), **lent_environment(folder)}
            return Project(framework, folder, around)
        return self.made(framework, framework)

    def made(self, framework: str, name: str, **answers: object) -> Project:
        """The project of other answers, which is called ``name`` among those of this run."""

        def equip(project: Path) -> None:
            install(project)
            lend_bytecode(self.folder, project)

        target = self._once(framework, name, answers, equip)
        return Project(framework, target, self.surroundings(framework))

    def of_resources(self, framework: str, name: str, resources: object) -> Project:
        """The project of other resources, run by the environment of the one with the example."""
        lender = self.get(framework).folder
        equip = partial(lend_environment, lender)
        target = self._once(framework, name, {"resources": resources}, equip)
        if framework not in self.given:
            needs = [(folder / "pyproject.toml").read_text() for folder in (lender, target)]
            assert needs[0] == needs[1], "no package depends on the resources"
        around = {**self.surroundings(framework), **lent_environment(target)}
        return Project(framework, target, around)

    def _once(
        self,
        framework: str,
        name: str,
        answers: Mapping[str, object],
        equip: Callable[[Path], None],
    ) -> Path:
        """Render and equip a project, unless a process of this run has done it already."""
        target = self.folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not target.exists():
                with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
                    # The final path is part of an environment: render aside, install in place.
                    render(framework, Path(scratch) / "project", **answers)
                    break_as_asked(Path(scratch) / "project")
                    (Path(scratch) / "project").rename(target)
                try:
                    equip(target)
                except BaseException:
                    shutil.rmtree(target)
                    raise
        return target


def break_as_asked(project: Path) -> None:
    """Break a project as `tests.mutations` breaks the services that it hands to a run."""
    asked = os.environ.get("MUTATION")
    if asked is None:
        return
    patch = json.loads(asked)
    path = project / patch["file"]
    if path.exists() and (text := path.read_text()).count(patch["old"]) == 1:
        path.write_text(text.replace(patch["old"], patch["new"]))


# What the answers of `with` need beyond the packages of every service.
PACKAGES_OF = {
    "auth": ("joserfc>=1.8",),
    "tracing": ("opentelemetry-exporter-otlp-proto-http>=1.38", "opentelemetry-sdk>=1.38"),
    "calls": ("httpx>=0.28,<1", "tenacity>=9.1"),
}


def project_having(projects: Projects, framework: str, *answers: str) -> Project:
    """The example with answers of `with`, which runs by the environment of the one without.

    Rendered once for all processes of a test run; their packages are installed beside it.
    """
    name = "-".join([framework, *answers])
    if name in projects.given:
        return Project(framework, projects.given[name], projects.surroundings(framework))
    without = projects.get(framework)
    folder, packages = projects.folder / name, projects.folder / f"{'-'.join(answers)}-packages"
    wanted = [package for answer in answers for package in PACKAGES_OF[answer]]
    with (projects.folder / "having.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not packages.exists():
            command = ["uv", "pip", "install", "--quiet", "--target", packages, *wanted]
            subprocess.run(command, env=uv_environment(), check=True)
        if not folder.exists():
            render(framework, folder, **{"with": list(answers)})
            lend_environment(without.folder, folder)
    path = f"{folder / 'src'}:{packages}"
    return Project(framework, folder, {**without.surroundings, "PYTHONPATH": path})


def lend_environment(lender: Path, project: Path) -> None:
    """Run a project by what is installed for another one, which needs at least as much."""
    (project / ".venv").symlink_to(lender / ".venv")


def lent_environment(project: Path) -> dict[str, str]:
    """What a project has to be told that runs by the environment of another one."""
    lent = (project / ".venv").is_symlink()
    return {"PYTHONPATH": str(project / "src")} if lent else {}


def copy_of(project: Path, target: Path) -> None:
    """A project as it was before anything was installed or run in it."""
    made = shutil.ignore_patterns(
        ".venv", "uv.lock", "__pycache__", ".*_cache", "*.db*", ".coverage*"
    )
    shutil.copytree(project, target, ignore=made)


def render(framework: str, target: Path, **answers: object) -> None:
    """Render the templates of the working tree, as they are now, with fixed answers."""
    import copier  # takes as long to import as all the rest; who is given a project needs none

    from scaffold.making.formatting import format_code

    with tempfile.TemporaryDirectory() as source:
        shutil.copy(REPOSITORY / "copier.yml", source)
        shutil.copytree(TEMPLATES, Path(source) / "templates")
        copier.run_copy(
            source,
            target,
            data={"name": NAME, "framework": framework, **answers},
            defaults=True,
            quiet=True,
        )
    format_code(target)


def lint(folder: Path) -> str:
    """What ruff says by the settings of the service, nothing if it is content."""
    said = [
        subprocess.run(["ruff", *command], cwd=folder, capture_output=True, text=True, check=False)
        for command in (["check", "--no-cache", "-q"], ["format", "--check", "--no-cache", "-q"])
    ]
    return "".join(done.stdout + done.stderr for done in said)


def install(project: Path) -> None:
    """Make the project's environment with this interpreter and uv's cache."""
    uv(project, "sync")


def lend_bytecode(projects: Path, project: Path) -> None:
    """What the others have compiled already; Python looks itself whether the source is the same."""
    for compiled in projects.glob("*/.venv/lib/python*/site-packages/**/__pycache__/*.pyc"):
        own = project / Path(*compiled.relative_to(projects).parts[1:])
        if own.parent.parent.is_dir():
            own.parent.mkdir(exist_ok=True)
            with contextlib.suppress(OSError):  # one of its own is there, or it went away
                own.hardlink_to(compiled)


def uv(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run uv in a project; a failure fails the test with uv's words."""
    result = subprocess.run(
        ["uv", *arguments],
        cwd=project,
        env=uv_environment() | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        said = (result.stdout + result.stderr)[-6000:]
        pytest.fail(f"uv {' '.join(arguments)}: exit {result.returncode}\n{said}", pytrace=False)
    return result


def uv_environment() -> dict[str, str]:
    """One interpreter, no download of another, and no environment of the tests' own.

    The interpreter is this one, or that of TEST_PYTHON: services run on more than the tests do.
    """
    foreign = {"VIRTUAL_ENV", "PYTHONPATH", "CI"}
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in foreign and not name.startswith(("PYTEST_", "TEST_"))
    }
    python = os.environ.get("TEST_PYTHON", sys.executable)
    return environment | {"UV_PYTHON": python, "UV_PYTHON_DOWNLOADS": "never"}


@dataclass(frozen=True)
class Project:
    """A rendered, installed project; ``surroundings`` is in the environment of all it runs."""

    framework: str
    folder: Path
    surroundings: Mapping[str, str] = field(default_factory=dict)

    @property
    def executable(self) -> str:
        return str(self.folder / ".venv" / "bin" / NAME)

    @property
    def python(self) -> str:
        return str(self.folder / ".venv" / "bin" / "python")

    @property
    def first_run(self) -> dict[str, str]:
        """What somebody sets who just wants to see it run: nothing, where its default is a file."""
        answers = yaml.safe_load((self.folder / ".copier-answers.yml").read_text())
        return {} if answers["database"] == "sqlite" else {"DATABASE_URL": "sqlite:///first.db"}

    def run(
        self, *arguments: str, environment: Mapping[str, str], timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run one command of the service, such as ``migrate``, to its end."""
        with tempfile.TemporaryDirectory() as folder:
            return subprocess.run(
                [self.executable, *arguments],
                cwd=folder,
                env={**plain_environment(), **self.surroundings, **environment},
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )

    def migrate(self, environment: Mapping[str, str]) -> None:
        result = self.run("migrate", environment=environment)
        if result.returncode:
            pytest.fail(f"migrate: exit {result.returncode}\n{result.stdout}{result.stderr}")

    @contextlib.contextmanager
    def service(
        self,
        environment: Mapping[str, str],
        *,
        command: tuple[str, ...] = (),
        folder: Path | None = None,
    ) -> Iterator[Service]:
        """Serve until the block ends; see ``Service`` for what can be done to it meanwhile."""
        service = Service(self, dict(environment), command or (self.executable,), folder)
        try:
            service.start()
            yield service
        finally:
            service.end()


def plain_environment() -> dict[str, str]:
    """What any shell gives; nothing that configures a service."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}


@dataclass
class Service:
    """A running service: its process, its address, and what it printed."""

    project: Project
    environment: dict[str, str]
    command: tuple[str, ...]
    folder: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    _scratch: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="service-")))
    _family: list[psutil.Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.environment.setdefault("PORT", str(free_port()))

    @property
    def host(self) -> str:
        return self.environment.get("HOST", "127.0.0.1")

    @property
    def port(self) -> int:
        return int(self.environment["PORT"])

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @cached_property
    def http(self) -> httpx.Client:
        """A client for one thread at a time: what tidies up idle connections is not safe."""
        return self.new_client()

    def new_client(self) -> httpx.Client:
        """A client with connections of its own, that follows nothing and fears no proxy."""
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, verify=False)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, *, wait: bool = True, stdout_fd: int | None = None) -> Self:
        """Start the process; it prints to a file, or to the descriptor that is given."""
        with (
            (self._scratch / "stdout").open("ab") as stdout,
            (self._scratch / "stderr").open("ab") as stderr,
        ):
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder or self._scratch,
                env=plain_environment() | dict(self.project.surroundings) | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout if stdout_fd is None else stdout_fd,
                stderr=stderr,
                start_new_session=True,
            )
        if wait:
            self.wait_until_live()
        return self

    def wait_until_live(self, seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not self.is_live():
            if not self.is_running() or time.monotonic() > deadline:
                pytest.fail(f"the service did not start:\n{self.output[-4000:]}", pytrace=False)
            time.sleep(0.02)
        self.remember_family()

    def is_live(self, timeout: float = 2) -> bool:
        """A connection of its own finds ``/livez`` with 200, under a host that is allowed."""
        allowed = self.environment.get("ALLOWED_HOSTS", self.host).split(",")[0]
        connection = http.client.HTTPConnection(*self.address, timeout=timeout)
        try:
            connection.request("GET", "/livez", headers={"Host": allowed})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def remember_family(self) -> list[psutil.Process]:
        """All processes of the service; they are found again even if their parent dies."""
        for process in process_tree(self.pid):
            if process not in self._family:
                self._family.append(process)
        return self._family

    def living_family(self) -> list[psutil.Process]:
        return [process for process in self._family if is_alive(process)]

    def terminate(self) -> None:
        self.remember_family()
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL for every process of the service at once, as a machine that goes away."""
        self.remember_family()
        signal_tree(self.pid, signal.SIGKILL)
        assert self.process is not None
        self.process.wait(10)
        wait_for_death(self._family)

    def wait_for_exit(self, seconds: float) -> int:
        """The exit code, or a failure if the process is still there after ``seconds``."""
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {seconds:g} s:\n{self.output[-2000:]}", pytrace=False)

    def end(self) -> None:
        """Leave no process and no folder behind, whatever happened before."""
        if "http" in self.__dict__:
            self.http.close()
        if self.process is not None:
            if self.is_running():
                self.kill()
            for process in self.living_family():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def output(self) -> str:
        """All that was printed to stdout and then to stderr."""
        return "".join(
            (self._scratch / name).read_bytes().decode(errors="replace")
            for name in ("stdout", "stderr")
        )

    @property
    def lines(self) -> list[str]:
        """The complete lines of the output; only a line feed ends a line."""
        return [line for line in self.output.split("\n") if line]

    @property
    def log(self) -> list[LogEntry]:
        """The lines that are JSON objects."""
        entries = []
        for line in self.lines:
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    entries.append(entry)
        return entries

    def entries_of(self, request_id: str) -> list[LogEntry]:
        return [entry for entry in self.log if entry.get("request_id") == request_id]

    def wait_for_request_line(self, request_id: str) -> LogEntry:
        """The one line with a status that belongs to a request."""
        found: list[LogEntry] = []

        def logged() -> bool:
            found[:] = [e for e in self.entries_of(request_id) if "status" in e]
            return bool(found)

        wait_until(logged, 5, f"a log line with request_id {request_id}")
        assert len(found) == 1, f"one line for one request: {found}"
        return found[0]

    def memory(self) -> int:
        """Resident bytes of all processes now."""
        return sum(p.memory_info().rss for p in process_tree(self.pid))

    @contextlib.contextmanager
    def peak_growth(self) -> Iterator[list[int]]:
        """Within the block, watch all processes; the list then holds the peak's growth in bytes.

        The kernel keeps the peak of each process (VmHWM) and forgets it on request, so that no
        short peak is missed; Linux only.
        """
        growth: list[int] = []
        for process in process_tree(self.pid):
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        before = self.memory()
        yield growth
        growth.append(sum(_peak(p.pid) for p in process_tree(self.pid)) - before)


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


class Background:
    """Repeat something in a thread until the block ends; an error ends the thread and the test."""

    def __init__(self, step: Any) -> None:
        self._step = step
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self._step()
        except BaseException as error:
            self._error = error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)
        if self._error is not None:
            raise self._error
