"""README and AGENTS.md: every command in them is run, in their order, in a service as generated."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pexpect
import pytest
import yaml

from tests.deployment.conftest import Rendering, only
from tests.deployment.tools import build_manifests, environment, expect_exit, judge, program, run
from tests.servers import any_amqp_url, free_port, postgres, wait_until
from tests.services import NAME, Projects

pytestmark = pytest.mark.contract("D5")

SERVE = f"uv run {NAME}"
GUEST = "amqp://guest:guest@127.0.0.1:5672/"


def commands(page: str) -> list[str]:
    """The lines of all blocks of shell, as one would type them."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@dataclass
class Shell:
    """A terminal in the service's folder: one line after another, the server left running."""

    folder: Path
    variables: dict[str, str]
    port: int = field(default_factory=free_port)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    typed: set[str] = field(default_factory=set)

    @property
    def environment(self) -> dict[str, str]:
        return dict(environment(PORT=str(self.port), **self.variables))

    def type(self, line: str) -> None:
        self.typed.add(line)
        command = line.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")
        command = command.replace("PORT=8000 ", f"PORT={self.port} ")
        command = command.replace("uvx ", "uv tool run ")
        if command.endswith((SERVE, f"{SERVE} dev", "fastapi dev")):
            self.serve(command)
        elif command.startswith("export "):
            self.export(command)
        elif command.endswith("createsuperuser"):
            self.answer_questions(command)
        elif "nameko shell" in command:
            with any_amqp_url() as url:
                self.run(f"{command.replace(GUEST, url)} </dev/null")
        else:
            said = self.run(command)
            if command.startswith("curl"):
                assert '"first"' in said

    def run(self, command: str) -> str:
        result = run(["bash", "-ec", command], cwd=self.folder, env=self.environment)
        assert result.returncode == 0, f"$ {command}\n{(result.stdout + result.stderr)[-4000:]}"
        return result.stdout

    def export(self, command: str) -> None:
        """What a line exports is there for the lines after it."""
        name = command.removeprefix("export ").partition("=")[0]
        self.variables[name] = self.run(f'{command}\nprintf %s "${name}"')
        assert self.variables[name]

    def answer_questions(self, command: str) -> None:
        """An account for Django's admin, as a person makes one."""
        with pexpect.spawn(
            "bash", ["-c", command], cwd=self.folder, env=self.environment, timeout=30
        ) as person:  # type: ignore[no-untyped-call, unused-ignore]
            for question, reply in (
                ("Username.*:", "keeper"),
                ("Email.*:", "keeper@example.com"),
                ("Password:", "three blind bolts"),
                (r"Password \(again\):", "three blind bolts"),
            ):
                person.expect(question)
                person.sendline(reply)
            person.expect("created successfully")
            person.expect(pexpect.EOF)

    def serve(self, command: str) -> None:
        self.stop()
        log = self.folder / ".venv" / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", f"exec env {command}"],
                cwd=self.folder, env=self.environment, stdout=output, stderr=output,
            )  # fmt: skip
        self.running.append(process)
        said = f"$ {command}"
        wait_until(lambda: answers(self.port) or process.poll() is not None, 30, said)
        assert process.poll() is None, f"{said}\n{log.read_text()[-4000:]}"

    def stop(self) -> None:
        while self.running:
            process = self.running.pop()
            process.terminate()
            assert process.wait(20) in {0, -15}
        wait_until(lambda: not answers(self.port), 10, "the port is free again")


def answers(port: int) -> bool:
    return run(["curl", "--silent", f"http://127.0.0.1:{port}/livez"]).returncode == 0


@contextlib.contextmanager
def terminal_in(rendering: Rendering, lock: Path, folder: Path) -> Iterator[Shell]:
    """A terminal in a copy of a rendering that has just become a repository, with a lock file."""
    shutil.copytree(rendering.folder, folder)
    shutil.copy(lock, folder)
    expect_exit(run(["git", "init", "--quiet"], cwd=folder))
    expect_exit(run(["git", "add", "."], cwd=folder))
    with contextlib.ExitStack() as stack:
        if rendering.database == "sqlite":
            database_url = f"sqlite:///{folder.parent}/items.db"
        else:
            server = stack.enter_context(postgres())
            database_url = server.create_database("stock", "svc", "secret")
        terminal = Shell(folder, {"DATABASE_URL": database_url})
        try:
            yield terminal
        finally:
            terminal.stop()


@pytest.mark.slow
def test_every_command_of_the_pages_works(
    rendering: Rendering, projects: Projects, tmp_path: Path
) -> None:
    """The page for agents in a fresh service, then of the README what was not typed yet."""
    lock = projects.get(rendering.framework).folder / "uv.lock"
    with terminal_in(rendering, lock, tmp_path / NAME) as terminal:
        for line in commands(rendering.read("README.md")):
            if line.startswith("export "):  # whoever works on the service has set up its shell
                terminal.type(line)
        for_agents(terminal, commands(rendering.read("AGENTS.md")))
        for_people(terminal, rendering.read("README.md"))


def for_agents(terminal: Shell, lines: list[str]) -> None:
    assert {"uv sync", "uv run mypy", "uv run pytest"} <= set(lines)
    before = {p: p.read_bytes() for p in (terminal.folder / "src").rglob("*.py")}
    for line in lines:
        terminal.type(line)
    after = {p: p.read_bytes() for p in (terminal.folder / "src").rglob("*.py")}
    assert after == before, "a fresh service is formatted and has nothing to fix"


def for_people(terminal: Shell, page: str) -> None:
    lines = commands(page)
    assert {"uv sync", SERVE, "uv run pytest", "uv run mypy"} <= set(lines)
    before = migrations(terminal)
    for line in lines:
        if line not in terminal.typed or "curl" in line:
            terminal.type(line)
    written = sum("alembic revision" in line for line in lines)
    assert len(migrations(terminal) - before) == written, "as many as the page has written"
    for line in re.findall(r"`(uv run (?:alembic downgrade|python manage.py migrate) .+?)`", page):
        terminal.type(line)


def migrations(terminal: Shell) -> set[Path]:
    return set((terminal.folder / "src").rglob("migrations/versions/*.py"))


@pytest.mark.slow
@only("github")
def test_a_fresh_service_passes_its_own_commit_hooks(
    rendering: Rendering, projects: Projects, tmp_path: Path
) -> None:
    assert "`uvx pre-commit install`" in rendering.read("README.md")
    lock = projects.get(rendering.framework).folder / "uv.lock"
    with terminal_in(rendering, lock, tmp_path / NAME) as terminal:
        result = judge("pre-commit", "run", "--all-files", folder=terminal.folder)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Skipped" not in result.stdout, "each hook has files to look at"


@only("github")
def test_a_commit_hook_stops_what_an_update_left_unresolved(
    rendering: Rendering, projects: Projects, tmp_path: Path
) -> None:
    lock = projects.get(rendering.framework).folder / "uv.lock"
    with terminal_in(rendering, lock, tmp_path / NAME) as terminal:
        with (terminal.folder / "README.md").open("a") as page:
            page.write("<<<<<<< before updating\n")
        (terminal.folder / "key.pem").write_text("-----BEGIN " + "RSA PRIVATE KEY-----\n")
        expect_exit(run(["git", "add", "."], cwd=terminal.folder))
        for hook in ("conflict", "private-key"):
            refused = judge("pre-commit", "run", hook, "--all-files", folder=terminal.folder)
            assert refused.returncode


def offline_kubeconfig(folder: Path) -> Path:
    """A cluster that nobody can reach, so that no command of the page finds a real one."""
    cluster = {"name": "none", "cluster": {"server": "https://127.0.0.1:1"}}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "users": [{"name": "nobody", "user": {"token": "none"}}],
        "contexts": [{"name": "none", "context": {"cluster": "none", "user": "nobody"}}],
        "current-context": "none",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    return folder / "kubeconfig"


def test_every_command_for_a_cluster_names_what_is_there(
    rendering: Rendering, tmp_path: Path
) -> None:
    """There is no cluster to ask; what can be run without one is run."""
    kubectl = program("kubectl", "kubernetes-client 1.27 or newer")
    variables = os.environ | {"KUBECONFIG": str(offline_kubeconfig(tmp_path))}
    manifests = rendering.with_components("backup")
    objects = {f"{m['kind'].lower()}/{m['metadata']['name']}" for m in manifests}
    jobs = {
        line.split()[-1] for line in commands(rendering.read("deploy/README.md")) if " job " in line
    }
    made: set[tuple[str, str]] = set()
    for line in commands(rendering.read("deploy/README.md")):
        words = shlex.split(line)
        match words[1:3]:
            case ["compose", "up"]:
                assert words[0] == "docker"
            case ["create", "job"]:
                assert words[3].removeprefix("--from=") in objects
            case ["create", "secret"]:
                dry = run([kubectl, *words[1:], "--dry-run=client", "--output=yaml"], env=variables)
                manifest = yaml.safe_load(expect_exit(dry).stdout)
                assert manifest["kind"] == "Secret"
                made |= {(manifest["metadata"]["name"], key) for key in manifest.get("data", {})}
            case ["patch", "secret"]:
                patch = json.loads(words[words.index("--patch") + 1])
                made |= {(words[3], key) for key in patch["stringData"]}
            case ["config", "set-context"]:
                expect_exit(run([kubectl, *words[1:]], env=variables))
                assert f"--namespace={namespace(rendering)}" in words
            case ["delete", kind]:
                assert f"{kind}/{words[3]}" in objects or words[3] in jobs
            case ["scale", name]:
                assert name in objects
            case ["wait", "--for=delete"]:
                selector = words[4].removeprefix("--selector=")
                wanted_labels = dict(one.split("=") for one in selector.split(","))
                assert rendering.the("Service")["spec"]["selector"] == wanted_labels
            case ["wait", _]:
                assert words[-1].removeprefix("job/") in jobs
            case ["apply", "--filename"]:
                (one,) = yaml.safe_load_all((rendering.folder / words[3]).read_text())
                assert (one["kind"], one["metadata"]["name"]) == ("Namespace", namespace(rendering))
            case ["apply", "--kustomize"]:
                assert build_manifests(rendering.folder / words[3])
            case ["rollout", "status" | "undo" | "restart"]:
                assert words[3] in objects
            case _:
                pytest.fail(f"nothing runs this: {line}")
    references = [
        variable["valueFrom"]["secretKeyRef"]
        for pod in rendering.pods
        for variable in pod["spec"]["containers"][0].get("env", [])
    ]
    wanted = {(one["name"], one["key"]) for one in references if not one.get("optional")}
    assert made == wanted, "the page makes every secret that a pod asks for, and no other"


def namespace(rendering: Rendering) -> str:
    name: str = rendering.load("deploy/kubernetes/overlays/production/kustomization.yaml")[
        "namespace"
    ]
    return name


def test_the_readme_lists_every_setting_with_its_default(
    rendering: Rendering, projects: Projects
) -> None:
    """The table against the settings of the service itself."""
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \| (.*?) \|", rendering.read("README.md"), re.M)
    listed: dict[str, str] = {}
    for names, cell in rows:
        found, values = (re.findall(r"`([^`]*)`", text) for text in (names, cell))
        # A default that is told in words stands for itself.
        listed |= dict(zip(found, values or [""] * len(found), strict=True))
    project = projects.get(rendering.framework)
    # Some defaults depend on another setting, and are only known once all are read.
    script = (
        "from stock_keeper.runtime.settings import Settings\n"
        "read = Settings()\n"
        "for name, field in Settings.model_fields.items():\n"
        "    default = getattr(read, name) if field.default == '' else field.default\n"
        "    print(name.upper(), default, sep='\\t')"
    )
    said = expect_exit(run([project.python, "-c", script])).stdout.splitlines()
    defaults = dict(line.split("\t") for line in said)
    assert set(listed) == set(defaults)
    for name, default in defaults.items():
        if name == "DATABASE_URL":
            assert listed[name].split(":")[0] == rendering.database
        else:
            assert listed[name] in {default, ""}, name
    assert [name for name, value in listed.items() if value], "most are told as values"


def test_the_readme_names_files_that_are_there(rendering: Rendering) -> None:
    page = rendering.read("README.md")
    for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", page):
        assert (rendering.folder / target).exists(), target
    headings = re.findall(r"^#+ (.+)$", page, re.M)
    anchors = {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors
    package = rendering.folder / "src" / NAME.replace("-", "_")
    for name in re.findall(r"^\| `([a-z_]+(?:/|\.py))` \|", page, re.M):
        assert (package / name).exists(), name


def test_the_agents_page_names_files_that_are_there(rendering: Rendering) -> None:
    package = rendering.folder / "src" / NAME.replace("-", "_")
    named = set(re.findall(r"`([a-z_]+(?:/|\.py))`", rendering.read("AGENTS.md")))
    assert named
    there = {n for n in named if (rendering.folder / n).exists() or any(package.rglob(n))}
    assert named - there == set()
