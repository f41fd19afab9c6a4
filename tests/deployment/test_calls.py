"""A service that calls others: the image, compose and manifests know what it calls."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.deployment.conftest import Rendering
from tests.deployment.tools import accepts
from tests.services import render

pytestmark = pytest.mark.contract("D7")

PORTS = {8000, 443}
FRAMEWORK = "flask"  # the files are shared by all nine


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def calling(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rendering:
    folder = tmp_path_factory.mktemp("calling") / request.param
    render(FRAMEWORK, folder, database=request.param, **{"with": ["calls"]})
    return Rendering(FRAMEWORK, request.param, "github", folder)


def test_the_overlay_says_what_is_called_and_lets_it_out(calling: Rendering) -> None:
    address = calling.the("ConfigMap")["data"]["PEER_URL"]
    assert re.fullmatch(r"http://[a-z]+\.[a-z]+", address), "a service and its namespace"
    egress = calling.the("NetworkPolicy")["spec"]["egress"]
    assert {port["port"] for rule in egress for port in rule["ports"]} >= PORTS
    for pod in calling.pods:
        sources = [one["configMapRef"]["name"] for one in pod["spec"]["containers"][0]["envFrom"]]
        assert calling.the("ConfigMap")["metadata"]["name"] in sources


def test_compose_reaches_a_service_on_the_same_machine(calling: Rendering) -> None:
    accepts("check-jsonschema", "--builtin-schema", "vendor.compose-spec",
            calling.folder / "compose.yaml")  # fmt: skip
    service = calling.load("compose.yaml")["services"]["service"]
    assert service["environment"]["PEER_URL"] == "${PEER_URL:-http://host.docker.internal:8001}"
    assert service["extra_hosts"] == ["host.docker.internal:host-gateway"]


def test_its_pages_name_each_variable_and_each_other(calling: Rendering) -> None:
    for name in ("README.md", ".env.example"):
        assert {"PEER_URL", "PEER_TIMEOUT_SECONDS"} <= {*re.findall(r"\w+", calling.read(name))}
    assert "(deploy/peers.md)" in calling.read("README.md")
    metric = re.search(r"rate\((\w+)_count\[", calling.read("deploy/peers.md"))
    assert metric
    (source,) = calling.folder.glob("src/*/runtime/calls/dependency.py")
    assert f'"{metric[1]}"' in source.read_text()


def test_without_calls_nothing_of_it_is_there(tmp_path: Path) -> None:
    render(FRAMEWORK, tmp_path / "plain")
    plain = Rendering(FRAMEWORK, "sqlite", "github", tmp_path / "plain")
    assert "PEER_URL" not in plain.the("ConfigMap")["data"]
    egress = plain.the("NetworkPolicy")["spec"]["egress"]
    assert {port["port"] for rule in egress for port in rule["ports"]} == {53}
    for path in plain.folder.rglob("*"):
        if path.is_file():
            assert not re.search(r"peer_url|PEER_URL|tenacity", path.read_text()), path
