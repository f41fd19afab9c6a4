"""A service with all answers of `with`: the commands of its pages, followed as they stand there."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.deployment.conftest import Rendering
from tests.deployment.test_pages import Shell, commands, for_people
from tests.deployment.tools import environment, expect_exit, run
from tests.services import NAME, render

pytestmark = pytest.mark.contract("D7")

ALL = ["auth", "tracing", "calls"]
ISSUER = "uv run python tests/issuer.py"
COMPOSE = "docker compose"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Rendering:
    folder = tmp_path_factory.mktemp("besides") / NAME
    render("flask", folder, **{"with": ALL})
    return Rendering("flask", "sqlite", "github", folder)


def test_the_variables_of_the_pages_are_ones_that_something_reads(whole: Rendering) -> None:
    """Of OpenTelemetry's, whose SDK reads them, and of compose, which passes them on."""
    page = whole.read("README.md")
    named = set(re.findall(r"\bOTEL_[\w-]+", page))
    assert "OTEL_SERVICE_NAME" in named
    assert {name for name in named if not re.fullmatch("[A-Z_]+", name)} == set()
    passed_on = whole.load("compose.yaml")["services"]["service"]["environment"]
    for line in compose_lines(whole):
        for name in re.findall(r"\b([A-Z_]+)=", line):
            assert f"${{{name}:" in str(passed_on.get(name)), line
    required = {name for name, value in passed_on.items() if ":?" in str(value)}
    exported = set(re.findall(r"^export (\w+)=", whole.read("deploy/tokens.md"), re.M))
    assert required == exported, "the page exports all that compose insists on"


def compose_lines(whole: Rendering) -> list[str]:
    pages = ("README.md", "deploy/README.md", "deploy/tokens.md")
    lines = [line for page in pages for line in commands(whole.read(page))]
    return [line for line in lines if COMPOSE in line and "logs" not in line]


def test_the_collector_of_the_pages_is_one_of_compose(whole: Rendering) -> None:
    (line,) = (one for one in compose_lines(whole) if "--profile" in one)
    words = shlex.split(line)
    profile = words[words.index("--profile") + 1]
    services = whole.load("compose.yaml")["services"]
    (name,) = (name for name, one in services.items() if profile in one.get("profiles", ()))
    assert words[0] == f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{name}:4318"
    page = re.search(r"http://127\.0\.0\.1:(\d+)", whole.read("README.md").split(line)[0][-200:])
    assert page
    assert f"127.0.0.1:{page[1]}:{page[1]}" in services[name]["ports"]


@contextlib.contextmanager
def standing_in(terminal: Shell) -> Iterator[None]:
    """The issuer of the README, whose settings and token the terminal has from then on."""
    process = subprocess.Popen(
        shlex.split(ISSUER),
        cwd=terminal.folder,
        env=environment(**terminal.variables),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        while "TOKEN" not in terminal.variables:
            (assignment,) = shlex.split(process.stdout.readline().removeprefix("export "))
            name, _, value = assignment.partition("=")
            terminal.variables[name] = value
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.slow
def test_every_command_of_the_readme_works(whole: Rendering, tmp_path: Path) -> None:
    page = whole.read("README.md")
    assert f"`{ISSUER}`" in page
    terminal = Shell(whole.folder, {"DATABASE_URL": f"sqlite:///{tmp_path}/items.db"})
    expect_exit(run(["git", "init", "--quiet"], cwd=terminal.folder))
    terminal.type("uv sync")
    with standing_in(terminal):
        # What the page exports, and no machine has, is what its own issuer has said.
        exported = set(re.findall(r"(\w+)=", " ".join(re.findall(r"^export (.*)$", page, re.M))))
        assert exported <= terminal.variables.keys()
        try:
            for_people(terminal, without_compose(page))
        finally:
            terminal.stop()


def without_compose(page: str) -> str:
    """The page without what needs a container, and without what its issuer stands in for."""
    return re.sub(rf"^(export .*|.*{COMPOSE}.*)\n", "", page, flags=re.M)


def test_its_manifests_pass_each_variable_to_both_pods(whole: Rendering) -> None:
    settings = yaml.safe_dump(whole.the("ConfigMap")["data"])
    for name in ("OIDC_ISSUER", "OIDC_AUDIENCE", "PEER_URL"):
        assert name in settings
    for pod in whole.pods:
        assert pod["spec"]["containers"][0]["envFrom"]


@pytest.mark.parametrize(
    ("answers", "ports"),
    [
        ([], set()),
        (["auth"], {443}),
        (["tracing"], {4318}),
        (["calls"], {443, 8000}),
        (ALL, {443, 4318, 8000}),
    ],
    ids=["none", "auth", "tracing", "calls", "all"],
)
def test_the_network_policy_lets_out_what_each_answer_needs(
    answers: list[str], ports: set[int], tmp_path: Path
) -> None:
    render("flask", tmp_path / NAME, **{"with": answers})
    rules = Rendering("flask", "sqlite", "github", tmp_path / NAME).the("NetworkPolicy")["spec"]
    let_out = {port["port"] for rule in rules["egress"] for port in rule["ports"]}
    assert let_out == ports | {53}, "beside names, which everybody looks up"


def test_compose_has_each_variable_of_the_answers(whole: Rendering) -> None:
    passed_on = whole.load("compose.yaml")["services"]["service"]["environment"]
    needed = {"OIDC_ISSUER", "OIDC_AUDIENCE", "PEER_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"}
    assert needed <= passed_on.keys()
