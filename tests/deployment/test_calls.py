"""A service that calls others: the image, compose and manifests know what it calls."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.deployment.conftest import Rendering
from tests.deployment.test_monitoring import (
    REPLICA,
    State,
    firing,
    healthy,
    panels,
    plain,
    promtool,
    target,
)
from tests.deployment.test_monitoring import (
    test_every_alert_says_what_to_look_at as check_that_alerts_are_explained,
)
from tests.deployment.test_monitoring import (
    test_no_panel_of_the_dashboard_covers_another as check_that_panels_have_room,
)
from tests.deployment.tools import accepts, expect_exit
from tests.services import NAME, render

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


def calls(outcome: str, values: str, dependency: str = "peer") -> State:
    series = f'{REPLICA}, dependency="{dependency}", outcome="{outcome}"'
    return {f"http_client_request_duration_seconds_count{{{series}}}": values}


WELL = healthy() | calls("answered", "0+60x600") | calls("timeout", "0+0.6x600")


def test_an_alert_names_a_service_whose_calls_fail(calling: Rendering, tmp_path: Path) -> None:
    check_that_alerts_are_explained(calling, tmp_path)
    rules = plain(calling, tmp_path)
    expect_exit(promtool("check", "rules", rules))
    loud = {
        kind: (40, WELL | calls(kind, "0+20x600"))
        for kind in ("timeout", "unreachable", "failed", "limited", "refused")
    }
    loud["another one"] = (40, WELL | calls("timeout", "0+1x600", "another"))
    found = firing(rules, tmp_path, loud)
    assert found == {name: {"ServiceDependencyFails"} for name in loud}


def test_calls_that_are_answered_or_soon_well_wake_nobody(
    calling: Rendering, tmp_path: Path
) -> None:
    silent = {
        "one in a hundred": (450, WELL),
        "a restart": (40, WELL | calls("unreachable", "0x20 60 120 180x600")),
        "clients that go": (40, WELL | calls("cancelled", "0+600x600")),
        "what it asks for is not there": (40, WELL | calls("rejected", "0+600x600")),
        "nobody calls": (40, healthy() | calls("answered", "5x600")),
        "another's calls": (40, WELL | another(calls("timeout", "0+60x600"))),
    }
    assert firing(plain(calling, tmp_path), tmp_path, silent) == {name: set() for name in silent}


def another(state: State) -> State:
    """The same of a service under the same job."""
    elsewhere = target(REPLICA) | state
    return {
        series.replace(NAME, f"{NAME}-admin").replace("10.0.0.", "10.0.9."): values
        for series, values in elsewhere.items()
    }


def test_the_dashboard_shows_the_calls(calling: Rendering) -> None:
    check_that_panels_have_room(calling)
    (source,) = calling.folder.glob("src/*/runtime/calls/dependency.py")
    shown = [target["expr"] for one in panels(calling) for target in one["targets"]]
    names = {name for one in shown for name in re.findall(r"http_client_\w+?seconds", one)}
    assert [name for name in names if f'"{name}"' in source.read_text()]


def test_the_dashboard_has_room_for_the_calls_of_each_framework(
    framework: str, tmp_path: Path
) -> None:
    render(framework, tmp_path / "calling", **{"with": ["calls"]})
    check_that_panels_have_room(Rendering(framework, "sqlite", "github", tmp_path / "calling"))


def test_without_calls_nothing_of_it_is_there(tmp_path: Path) -> None:
    render(FRAMEWORK, tmp_path / "plain")
    plain = Rendering(FRAMEWORK, "sqlite", "github", tmp_path / "plain")
    assert "PEER_URL" not in plain.the("ConfigMap")["data"]
    egress = plain.the("NetworkPolicy")["spec"]["egress"]
    assert {port["port"] for rule in egress for port in rule["ports"]} == {53}
    for path in plain.folder.rglob("*"):
        if path.is_file():
            assert not re.search(
                r"peer_url|PEER_URL|tenacity|http_client|DependencyFails", path.read_text()
            ), path
