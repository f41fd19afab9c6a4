"""P11: `dev` serves the code as it is being written."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.contract.items import ITEMS, assert_problem, create
from tests.contract.test_process import stopwatch
from tests.servers import signal_tree, wait_for_death, wait_until
from tests.services import (
    NAME,
    PACKAGE,
    Project,
    Projects,
    Service,
    copy_of,
    features,
    lend_environment,
    lent_environment,
)

pytestmark = [pytest.mark.contract("P11")]

SEEN_SECONDS = 3
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
COLOUR = "\x1b["
MORE_CHECKS = "\n\ndef {name}() -> bool:\n    return True\n\n\nCHECKS = ({name},)\n"


class Terminal:
    """A terminal that a process prints to, and all that it has printed."""

    def __init__(self) -> None:
        self._master, self.slave = os.openpty()
        self._printed = bytearray()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while printed := os.read(self._master, 65536):
                self._printed += printed

    @property
    def text(self) -> str:
        return self._printed.decode(errors="replace").replace("\r\n", "\n")

    @property
    def plain(self) -> str:
        """Without colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.text)

    def close(self) -> None:
        os.close(self.slave)


class Work:
    """A project that somebody works on, while `dev` serves it on a terminal."""

    def __init__(self, project: Project, terminal: Terminal | None = None, **settings: str) -> None:
        self.folder = project.folder
        self.database = self.folder / "work.db"
        (self.folder / ".env").write_text(
            f"MAX_BODY_BYTES=200\nLOG_LEVEL=error\nDATABASE_URL=sqlite:///{self.database.name}\n"
        )
        self.terminal = terminal
        command = (project.executable, "dev")
        self.service = Service(
            project, {"TERM": "xterm", "LOG_LEVEL": "info", **settings}, command, self.folder
        )
        self.service.start(stdout_fd=terminal.slave if terminal else None)

    @property
    def get(self) -> Callable[..., httpx.Response]:
        return self.service.http.get

    def change(self, name: str, edit: Callable[[str], str]) -> None:
        path = self.folder / "src" / PACKAGE / name
        path.write_text(edit(path.read_text()))

    def is_seen(self, check: str) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return check in self.get("/readyz").json()["checks"]
        return False

    def end(self) -> None:
        self.service.end()
        if self.terminal:
            self.terminal.close()


def worked_on(project: Project, folder: Path) -> Project:
    """A copy of a project, to be changed."""
    copy_of(project.folder, folder)
    lend_environment(project.folder, folder)
    return Project(project.framework, folder, {**project.surroundings, **lent_environment(folder)})


@pytest.fixture(scope="module")
def work(
    framework: str, projects: Projects, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Work]:
    """One for the tests below, which go from the start of `dev` to its end."""
    folder = tmp_path_factory.mktemp(framework) / "work"
    running = Work(worked_on(projects.get(framework), folder), Terminal())
    yield running
    running.end()


@pytest.mark.any_framework("flask")
def test_dev_brings_up_the_schema_and_says_where_it_is(work: Work) -> None:
    assert create(work.service.http).status_code == 201
    assert work.terminal is not None
    first = work.terminal.plain.splitlines()[0]
    assert "not for production" in first
    assert f"http://127.0.0.1:{work.service.port}/docs" in first
    assert "sqlite:///work.db" in first, "the address of .env"


@pytest.mark.any_framework("flask")
def test_dev_reads_a_file_of_variables_unless_they_are_set(work: Work) -> None:
    """LOG_LEVEL is set, or the terminal would show errors alone; MAX_BODY_BYTES is not."""
    refused = work.service.http.post(ITEMS, json={"name": "x" * 300})
    assert_problem(refused, 413, ITEMS)


@pytest.mark.any_framework("flask")
def test_a_terminal_shows_lines_in_colour(work: Work) -> None:
    """And nothing that a client sends can forge a line or command the terminal."""
    assert work.get("/v1/%1b[7m%0aforged").status_code == 404
    assert work.terminal is not None
    printed = work.terminal
    wait_until(lambda: "status=404" in printed.plain, 5, "the line of the request")
    assert COLOUR in printed.text
    assert "\x1b[7m" not in printed.text
    line = next(line for line in printed.plain.splitlines() if "forged" in line)
    assert re.match(r"\d\d:\d\d:\d\d \[info *\] request +.*method=GET", line)
    assert not any(line.startswith("{") for line in printed.plain.splitlines())
    assert "listening" in printed.plain
    assert re.findall("granian|PRODUCTION", printed.plain) == [], "messages about servers"


@pytest.mark.any_framework("flask")
def test_a_change_is_served_in_time(work: Work) -> None:
    assert not work.is_seen("changed")
    work.change("health.py", lambda text: text + MORE_CHECKS.format(name="changed"))
    spent = stopwatch()
    wait_until(lambda: work.is_seen("changed"), 30, "the change")
    assert spent() < SEEN_SECONDS


@pytest.mark.any_framework("flask")
def test_a_mistake_ends_nothing_and_its_repair_is_served(work: Work) -> None:
    assert work.terminal is not None
    printed = work.terminal
    work.change("app.py", lambda text: text + "\n(\n")
    wait_until(lambda: "starts again when a file changes" in printed.plain, 30, "the mistake")
    said = printed.plain + work.service.output  # the tests keep stderr apart
    assert re.search(r"app\.py.*SyntaxError", said, re.DOTALL)
    assert work.service.is_running()
    work.change("app.py", lambda text: text.removesuffix("\n(\n"))
    wait_until(work.service.is_live, 30, "the repaired service")
    work.service.remember_family()


@pytest.mark.any_framework("flask")
def test_an_error_is_shown_to_a_person_and_to_no_program(work: Work, framework: str) -> None:
    with sqlite3.connect(work.database) as connection:
        connection.execute("ALTER TABLE items RENAME TO hidden")
    try:
        assert_problem(work.get(ITEMS), 500, ITEMS)
        shown = work.get(ITEMS, headers=HTML)
    finally:
        with sqlite3.connect(work.database) as connection:
            connection.execute("ALTER TABLE hidden RENAME TO items")
    assert shown.status_code == 500
    if "error_page" in features(framework):
        assert shown.headers["content-type"].startswith(("text/html", "text/plain"))
        assert "no such table: items" in shown.text
    else:
        assert_problem(shown, 500, ITEMS)
    assert work.terminal is not None
    assert "\nTraceback (most recent call last):\n  File " in work.terminal.plain
    assert "\nsqlite3.OperationalError: no such table: items\n" in work.terminal.plain


@pytest.mark.any_framework("flask")
@pytest.mark.last
def test_dev_ends_on_a_signal_and_leaves_nobody(work: Work) -> None:
    """With a connection that is kept open."""
    assert work.get("/livez").status_code == 200
    family = work.service.remember_family()
    assert len(family) > 1
    work.service.terminate()
    assert work.service.wait_for_exit(5) == 0
    wait_for_death(family)


@pytest.mark.slow
@pytest.mark.parametrize("interrupted", [True, False])
def test_elsewhere_dev_logs_json_and_ends_with_who_started_it(
    framework: str, projects: Projects, tmp_path: Path, interrupted: bool
) -> None:
    work = Work(worked_on(projects.get(framework), tmp_path / "work"))
    try:
        for line in work.service.lines:
            assert "event" in json.loads(line)
        family = work.service.remember_family()
        if interrupted:  # by Ctrl-C, which a terminal sends to all processes
            signal_tree(work.service.pid, signal.SIGINT)
            assert work.service.wait_for_exit(5) == 0
            wait_for_death(family)
            return
        os.kill(work.service.pid, signal.SIGKILL)
        assert work.service.process is not None
        work.service.process.wait(5)
        wait_for_death(family)
    finally:
        work.end()


@pytest.mark.slow
def test_source_code_is_shown_to_no_other_machine(
    framework: str, projects: Projects, tmp_path: Path
) -> None:
    work = Work(worked_on(projects.get(framework), tmp_path / "work"), HOST="0.0.0.0")
    try:
        with sqlite3.connect(work.database) as connection:
            connection.execute("ALTER TABLE items RENAME TO hidden")
        assert_problem(work.get(ITEMS, headers=HTML), 500, ITEMS)
    finally:
        work.end()


@pytest.mark.slow
def test_a_mistake_before_the_start_is_waited_for(
    framework: str, projects: Projects, tmp_path: Path
) -> None:
    project = worked_on(projects.get(framework), tmp_path / "work")
    settings = project.folder / "src" / PACKAGE / "settings.py"
    right = settings.read_text()
    settings.write_text(right + "\n(\n")
    service = Service(project, {}, (project.executable, "dev"), project.folder)
    try:
        service.start(wait=False)
        wait_until(lambda: "starts again when a file" in service.output, 30, "the mistake")
        settings.write_text(right)
        wait_until(service.is_live, 30, "the repaired service")
        assert create(service.http).status_code == 201
        service.terminate()
        assert service.wait_for_exit(5) == 0
        wait_for_death(service.remember_family())
    finally:
        service.end()


@pytest.mark.any_framework("flask")
def test_a_bad_setting_ends_dev_with_one_line(
    framework: str, projects: Projects, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=loud\n")
    service = Service(projects.get(framework), {}, (NAME,), tmp_path)
    service.command = (service.project.executable, "dev")
    try:
        service.start(wait=False)
        assert service.wait_for_exit(15) == 2
        assert len(service.lines) == 1
        assert "LOG_LEVEL" in service.lines[0]
        assert "loud" not in service.lines[0]
    finally:
        service.end()


@pytest.mark.slow
def test_a_program_that_is_deployed_does_without_what_dev_needs(
    framework: str, projects: Projects, tmp_path: Path
) -> None:
    """The image has no development dependencies; a stand-in for them that cannot be imported."""
    (tmp_path / "watchfiles.py").write_text("raise ModuleNotFoundError(name='watchfiles')\n")
    project = projects.get(framework)
    environment = {"PYTHONPATH": str(tmp_path)}
    ran = project.run("dev", environment=environment)
    assert ran.returncode == 1
    assert ran.stderr == "dev needs watchfiles, which is installed for development: uv sync\n"
    assert shutil.which("uv")
    with project.service({**environment, **project.first_run}) as service:
        assert service.is_live()


DEFAULTS = """\
import json
from PACKAGE.settings import Settings
names = {name: field.default for name, field in Settings.model_fields.items()}
print(json.dumps({name.upper(): "" if not d and d != 0 else str(d) for name, d in names.items()}))
"""


@pytest.mark.any_framework("flask", "django", "nameko")
def test_the_example_of_variables_is_complete(framework: str, projects: Projects) -> None:
    """Each with its default, so that a copy of the file changes nothing."""
    project = projects.get(framework)
    command = [project.python, "-c", DEFAULTS.replace("PACKAGE", PACKAGE)]
    ran = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=True)
    example = (project.folder / ".env.example").read_text()
    assert dict(re.findall(r"^#([A-Z_]+)=(.*)$", example, re.M)) == json.loads(ran.stdout)
