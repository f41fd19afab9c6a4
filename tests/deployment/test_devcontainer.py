"""The development container: known to the official tool, and with what the service needs."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest

from tests.deployment.conftest import Rendering
from tests.deployment.tools import accepts, expect_exit, node_modules, program, run
from tests.services import neighbours

pytestmark = pytest.mark.contract("D2")

CLI = "@devcontainers/cli@0.89.0"
FILE = ".devcontainer/devcontainer.json"
COMPOSE = ".devcontainer/compose.yaml"
# What the tool calls the lists of properties that each kind of container may have.
OWN = {"image", "dockerComposeFile", "service", "workspaceFolder", "name", "customizations"}


def settings(rendering: Rendering) -> Any:
    return json.loads(rendering.read(FILE))


@cache
def known_properties() -> frozenset[str]:
    """The properties that the official tool takes over from an image or a configuration.

    Its package has the list, and no schema.
    """
    source = node_modules(CLI) / "node_modules/@devcontainers/cli/dist/spec-node"
    text = (source / "devContainersSpecCLI.js").read_text()
    (found,) = re.findall(r'\[((?:"\w+",?)*"waitFor","customizations"(?:,"\w+")*)\]', text)
    return frozenset(re.findall(r'"(\w+)"', found)) | OWN


def test_the_official_tool_reads_it(rendering: Rendering) -> None:
    """And knows each property; a name that is wrong would be ignored in silence."""
    read = [program("node", "nodejs"), node_modules(CLI) / "node_modules/@devcontainers/cli"]
    read[1] = read[1] / "devcontainer.js"
    command = [*read, "read-configuration", "--docker-path", "true"]
    result = run([*command, "--workspace-folder", rendering.folder])
    said = json.loads(expect_exit(result).stdout.splitlines()[-1])["configuration"]
    assert said["name"] == settings(rendering)["name"]
    assert settings(rendering).keys() - known_properties() == set()


def test_a_property_that_is_not_one_would_be_found() -> None:
    assert "postCreateCommand" in known_properties()
    assert "postCreateComand" not in known_properties()


def test_it_has_the_neighbours_of_the_service_and_no_others(rendering: Rendering) -> None:
    wanted = {"database"} if rendering.database == "postgresql" else set()
    wanted |= {"broker"} if neighbours(rendering.framework) else set()
    found = settings(rendering)
    if not wanted:
        assert "dockerComposeFile" not in found
        assert not (rendering.folder / COMPOSE).exists()
        return
    accepts(
        "check-jsonschema",
        *("--builtin-schema", "vendor.compose-spec"),
        rendering.folder / COMPOSE,
    )
    compose = rendering.load(COMPOSE)
    services = compose["services"]
    assert found["dockerComposeFile"] == "compose.yaml"
    assert services.keys() == wanted | {found["service"]}
    development = services[found["service"]]
    assert development["volumes"] == [f"..:{found['workspaceFolder']}:cached"]
    assert development["depends_on"] == {name: {"condition": "service_healthy"} for name in wanted}
    assert not any("ports" in service for service in services.values())
    deployed = rendering.load("compose.yaml")["services"]
    for name in wanted:
        assert services[name]["image"] == deployed[name]["image"], "the same version"
        assert services[name]["healthcheck"] == deployed[name]["healthcheck"]


def test_what_the_tests_need_is_set(rendering: Rendering) -> None:
    """The service and its own tests find the database and the broker without a question."""
    if "dockerComposeFile" not in settings(rendering):
        return
    variables = rendering.load(COMPOSE)["services"]["development"]["environment"]
    if rendering.database == "postgresql":
        assert variables["DATABASE_URL"] == variables["TEST_POSTGRES_URL"]
    if neighbours(rendering.framework):
        assert variables["AMQP_URL"] == variables["TEST_AMQP_URL"]
    needed = rendering.load("compose.yaml")["services"]["service"]["environment"].keys()
    # No pooler is in between, so DATABASE_URL is the direct address already; one process is enough.
    assert needed - variables.keys() <= {"LOG_LEVEL", "DATABASE_DIRECT_URL", "WORKERS"}
