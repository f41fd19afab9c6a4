"""README and AGENTS.md: every command in them is run, in their order, in a service as generated."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.deployment.conftest import Rendering
from tests.deployment.tools import build_manifests, environment, expect_exit, judge, program, run
from tests.servers import free_port, postgres, wait_until
from tests.services import NAME, Projects

pytestmark = pytest.mark.contract("D5")

SERVE = f"uv run {NAME}"


def commands(page: str) -> list[str]:
    """The lines of all blocks of shell, as one would type them."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@dataclass
class Shell:
    """A terminal in the service's folder: one line after another, the server left running."""

    folder: Path
    database_url: str
    port: int = field(default_factory=free_port)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return dict(environment(PORT=str(self.port), DATABASE_URL=self.database_url))

    def type(self, line: str) -> None:
        command = line.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")
        command = command.replace("PORT=8000 ", f"PORT={self.port} ")
        command = command.replace("uvx ", "uv tool run ")
        if command.endswith(SERVE):
            self.serve(command)
            return
        result = run(["bash", "-ec", command], cwd=self.folder, env=self.environment)
        assert result.returncode == 0, f"$ {line}\n{(result.stdout + result.stderr)[-4000:]}"
        if command.startswith("curl"):
            assert '"bolt"' in result.stdout

    def serve(self, command: str) -> None:
        self.stop()
        log = (self.folder / ".venv" / "log").open("wb")
        process = subprocess.Popen(
            ["bash", "-c", f"exec env {command}"],
            cwd=self.folder, env=self.environment, stdout=log, stderr=log,
        )  # fmt: skip
        self.running.append(process)
        wait_until(lambda: answers(self.port), 30, f"$ {command}")

    def stop(self) -> None:
        while self.running:
            process = self.running.pop()
            process.terminate()
            assert process.wait(20) in {0, -15}
        wait_until(lambda: not answers(self.port), 10, "the port is free again")


def answers(port: int) -> bool:
    return run(["curl", "--silent", f"http://127.0.0.1:{port}/livez"]).returncode == 0


@pytest.fixture(params=["sqlite", "postgresql"])
def shell(
    request: pytest.FixtureRequest,
    framework: str,
    projects: Projects,
    renderings: dict[tuple[str, str, str], Rendering],
    tmp_path: Path,
) -> Iterator[tuple[Shell, Rendering]]:
    """A terminal in a copy of the installed service, and the pages that its answers gave."""
    ci = {"sqlite": "github", "postgresql": "gitlab"}[request.param]
    rendering = renderings[framework, request.param, ci]
    folder = tmp_path / NAME
    shutil.copytree(rendering.folder, folder)
    shutil.copy(projects.get(framework).folder / "uv.lock", folder)
    expect_exit(run(["git", "init", "--quiet"], cwd=folder))
    expect_exit(run(["git", "add", "."], cwd=folder))
    if request.param == "sqlite":
        terminal = Shell(folder, f"sqlite:///{tmp_path}/items.db")
        yield terminal, rendering
    else:
        with postgres() as server:
            terminal = Shell(folder, server.create_database("stock", "svc", "secret"))
            yield terminal, rendering
            terminal.stop()
    terminal.stop()


def test_every_command_of_the_readme_works(shell: tuple[Shell, Rendering]) -> None:
    terminal, rendering = shell
    typed = commands(rendering.read("README.md"))
    assert {"uv sync", SERVE, "uv run pytest", "uv run mypy"} <= set(typed)
    migration = next((line for line in typed if "alembic revision" in line), "")
    for line in typed:
        terminal.type(line)
    if migration:
        made = set((terminal.folder / "src").rglob("migrations/versions/*.py"))
        assert len(made) == 2, "the example's migration, and the one that was just written"
    for line in re.findall(r"`(uv run alembic downgrade \S+)`", rendering.read("README.md")):
        terminal.type(line)


def test_every_command_for_agents_works(shell: tuple[Shell, Rendering]) -> None:
    terminal, rendering = shell
    typed = commands(rendering.read("AGENTS.md"))
    assert {"uv sync", "uv run mypy", "uv run pytest"} <= set(typed)
    before = {p: p.read_bytes() for p in (terminal.folder / "src").rglob("*.py")}
    for line in typed:
        terminal.type(line)
    after = {p: p.read_bytes() for p in (terminal.folder / "src").rglob("*.py")}
    assert after == before, "a fresh service is formatted and has nothing to fix"


def test_a_fresh_service_passes_its_own_commit_hooks(shell: tuple[Shell, Rendering]) -> None:
    terminal, rendering = shell
    assert "`uvx pre-commit install`" in rendering.read("README.md")
    terminal.type("uv sync")
    result = judge("pre-commit", "run", "--all-files", folder=terminal.folder)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Skipped" not in result.stdout, "each hook has files to look at"


def test_a_commit_hook_stops_what_an_update_left_unresolved(
    shell: tuple[Shell, Rendering],
) -> None:
    terminal, _ = shell
    with (terminal.folder / "README.md").open("a") as page:
        page.write("<<<<<<< before updating\n")
    (terminal.folder / "key.pem").write_text("-----BEGIN " + "RSA PRIVATE KEY-----\n")
    expect_exit(run(["git", "add", "."], cwd=terminal.folder))
    for hook in ("conflict", "private-key"):
        assert judge("pre-commit", "run", hook, "--all-files", folder=terminal.folder).returncode


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
    objects = {f"{m['kind'].lower()}/{m['metadata']['name']}" for m in rendering.manifests}
    made: set[tuple[str, str]] = set()
    for line in commands(rendering.read("deploy/README.md")):
        words = shlex.split(line)
        match words[1:3]:
            case ["compose", "up"]:
                assert words[0] == "docker"
            case ["create", kind]:
                dry = run([kubectl, *words[1:], "--dry-run=client", "--output=yaml"], env=variables)
                manifest = yaml.safe_load(expect_exit(dry).stdout)
                assert manifest["kind"].lower() == kind
                made |= {(manifest["metadata"]["name"], key) for key in manifest.get("data", {})}
                if kind == "namespace":
                    assert manifest["metadata"]["name"] == namespace(rendering)
            case ["patch", "secret"]:
                patch = json.loads(words[words.index("--patch") + 1])
                made |= {(words[3], key) for key in patch["stringData"]}
            case ["config", "set-context"]:
                expect_exit(run([kubectl, *words[1:]], env=variables))
                assert f"--namespace={namespace(rendering)}" in words
            case ["delete", "job"]:
                assert f"job/{words[3]}" in objects
            case ["apply", "--kustomize"]:
                assert build_manifests(rendering.folder / words[3])
            case ["rollout", "status"]:
                assert words[3] in objects
            case _:
                pytest.fail(f"nothing runs this: {line}")
    references = [
        variable["valueFrom"]["secretKeyRef"]
        for pod in rendering.pods
        for variable in pod["spec"]["containers"][0].get("env", [])
    ]
    wanted = {(reference["name"], reference["key"]) for reference in references}
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
    script = (
        "from stock_keeper.runtime.settings import Settings\n"
        "for n, f in Settings.model_fields.items(): print(n.upper(), f.default, sep='\\t')"
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
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page):
        assert (rendering.folder / target).exists(), target
    package = rendering.folder / "src" / NAME.replace("-", "_")
    for name in re.findall(r"^\| `([a-z_]+(?:/|\.py))` \|", page, re.M):
        assert (package / name).exists(), name


def test_the_agents_page_names_files_that_are_there(rendering: Rendering) -> None:
    package = rendering.folder / "src" / NAME.replace("-", "_")
    named = set(re.findall(r"`([a-z_]+(?:/|\.py))`", rendering.read("AGENTS.md")))
    assert named
    there = {n for n in named if (package / n).exists() or (rendering.folder / n).exists()}
    assert named - there == set()
