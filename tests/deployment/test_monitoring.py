"""Dashboard and alerts: about metrics that are there, loud when they should be and only then."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deployment.conftest import Rendering
from tests.deployment.tools import expect_exit, program, run
from tests.servers import free_port, wait_until
from tests.services import NAME, Background, Projects, Service

pytestmark = pytest.mark.contract("D5")

RULES = "deploy/prometheus/rules.yaml"
DASHBOARD = "deploy/grafana/dashboard.json"
COUNT = "http_server_request_duration_seconds_count"
BUCKET = "http_server_request_duration_seconds_bucket"
ACTIVE = "http_server_active_requests"
REPLICA = f'job="{NAME}", instance="10.0.0.1:8000"'
ITEMS = f'{REPLICA}, http_request_method="GET", http_route="/v1/items"'


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run([program("promtool", "prometheus"), *arguments])


def test_promtool_accepts_the_rules(rendering: Rendering) -> None:
    result = expect_exit(promtool("check", "rules", rendering.folder / RULES))
    assert "SUCCESS" in result.stdout


def alerts(rendering: Rendering) -> dict[str, Any]:
    groups = rendering.load(RULES)["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_every_alert_says_what_to_look_at(rendering: Rendering) -> None:
    explained = set(re.findall(r"^\| `(Service\w+)` \|", rendering.read("deploy/README.md"), re.M))
    assert explained == set(alerts(rendering))
    for rule in alerts(rendering).values():
        assert NAME in rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"critical", "warning"}


HEALTHY = {
    f"up{{{REPLICA}}}": "1x30",
    f'{COUNT}{{{ITEMS}, http_response_status_code="200"}}': "0+600x30",
    f'{COUNT}{{{ITEMS}, http_response_status_code="503"}}': "0+6x30",
    f'{COUNT}{{{REPLICA}, http_route="/readyz", http_response_status_code="200"}}': "0+12x30",
    f'{BUCKET}{{{ITEMS}, http_response_status_code="200", le="0.1"}}': "0+600x30",
    f'{BUCKET}{{{ITEMS}, http_response_status_code="200", le="+Inf"}}': "0+600x30",
    f'{ACTIVE}{{{REPLICA}, http_request_method="GET"}}': "20x30",
}
ALARMING = {
    "ServiceDown": {f"up{{{REPLICA}}}": "0x30"},
    "ServiceNotReady": {
        f'{COUNT}{{{REPLICA}, http_route="/readyz", http_response_status_code="200"}}': "0x30",
        f'{COUNT}{{{REPLICA}, http_route="/readyz", http_response_status_code="503"}}': "0+12x30",
    },
    "ServiceFailing": {f'{COUNT}{{{ITEMS}, http_response_status_code="503"}}': "0+60x30"},
    "ServiceSlow": {
        f'{BUCKET}{{{ITEMS}, http_response_status_code="200", le="0.1"}}': "0+580x30",
        f'{BUCKET}{{{ITEMS}, http_response_status_code="200", le="2.5"}}': "0+600x30",
    },
    "ServiceSaturated": {f'{ACTIVE}{{{REPLICA}, http_request_method="GET"}}': "101x30"},
}


def firing(rendering: Rendering, folder: Path, state: dict[str, str]) -> set[str]:
    """The alerts that fire after half an hour of such series.

    promtool only compares with what it was told to expect, so it is told to expect nothing, and
    its protest names what fires.
    """
    names = list(alerts(rendering))
    expectation = [{"eval_time": "30m", "alertname": name, "exp_alerts": []} for name in names]
    inputs = [{"series": name, "values": values} for name, values in state.items()]
    document = {
        "rule_files": [str(rendering.folder / RULES)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": inputs, "alert_rule_test": expectation}],
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(document))
    result = promtool("test", "rules", folder / "test.yaml")
    said = result.stdout + result.stderr
    found = set(re.findall(r"alertname:\s*(\w+)", said)) & set(names)
    assert found or result.returncode == 0, said
    return found


@pytest.mark.parametrize("alert", ALARMING)
def test_an_alert_fires_when_it_should(rendering: Rendering, alert: str, tmp_path: Path) -> None:
    assert alert in firing(rendering, tmp_path, HEALTHY | ALARMING[alert])


def test_a_healthy_service_is_left_alone(rendering: Rendering, tmp_path: Path) -> None:
    assert firing(rendering, tmp_path, HEALTHY) == set()
    assert set(ALARMING) == set(alerts(rendering)), "each alert is shown to fire"


def test_what_another_service_does_wakes_nobody(rendering: Rendering, tmp_path: Path) -> None:
    others = {
        name.replace(f'job="{NAME}"', 'job="another"'): values
        for state in ALARMING.values()
        for name, values in state.items()
    }
    assert firing(rendering, tmp_path, HEALTHY | others) == set()


def panels(rendering: Rendering) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(rendering.read(DASHBOARD))["panels"]
    return found


def test_no_panel_of_the_dashboard_covers_another(rendering: Rendering) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(rendering):
        grid = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert grid["x"] + grid["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    identifiers = [panel["id"] for panel in panels(rendering)]
    assert len(set(identifiers)) == len(identifiers)


@contextmanager
def prometheus(folder: Path, rules: Path, service: Service) -> Iterator[httpx.Client]:
    """A Prometheus that scrapes the service every second, and a client for its questions."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {"job_name": NAME, "static_configs": [{"targets": [f"127.0.0.1:{service.port}"]}]}
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        program("prometheus", "prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until(lambda: listens(port), 20, f"Prometheus listens: {folder / 'log'}")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        process.wait(20)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(client: httpx.Client, expression: str) -> list[Any]:
    """What an expression gives now; Grafana's variables are filled in as Grafana would."""
    query = expression.replace("$job", NAME).replace("$__rate_interval", "10s")
    answer = client.get("/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", answer
    found: list[Any] = answer["data"]["result"]
    return found


def has_value(client: httpx.Client, expression: str) -> bool:
    return any(one["value"][1] != "NaN" for one in ask(client, expression))


def test_prometheus_scrapes_a_running_service_and_every_panel_shows_data(
    framework: str,
    projects: Projects,
    renderings: dict[tuple[str, str, str], Rendering],
    tmp_path: Path,
) -> None:
    rendering = renderings[framework, "sqlite", "github"]
    project = projects.get(framework)

    def visit() -> None:
        service.http.get("/v1/items")
        service.http.get("/v1/items/unknown")
        time.sleep(0.05)  # a pace, not a wait

    database = f"sqlite:///{tmp_path}/items.db"
    with (
        project.service({"DATABASE_URL": database}) as service,
        prometheus(tmp_path, rendering.folder / RULES, service) as client,
        Background(visit),
    ):
        for panel in panels(rendering):
            for target in panel["targets"]:
                wait_until(
                    lambda target=target: has_value(client, target["expr"]),  # type: ignore[misc]
                    30,
                    f"{panel['title']}: {target['expr']}",
                )
        by_route = 'sum by (http_route) (http_server_request_duration_seconds_count{job="$job"})'
        routes = {one["metric"].get("http_route", "") for one in ask(client, by_route)}
        assert {"/v1/items", "/v1/items/{item_id}"} <= routes
        rules = client.get("/api/v1/rules").json()["data"]["groups"][0]["rules"]
        assert {rule["name"] for rule in rules} == set(alerts(rendering))
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
        assert not [rule["name"] for rule in rules if rule["state"] == "firing"]


def test_every_metric_that_is_asked_for_is_one_that_the_service_has(
    framework: str,
    projects: Projects,
    renderings: dict[tuple[str, str, str], Rendering],
    tmp_path: Path,
) -> None:
    rendering = renderings[framework, "sqlite", "github"]
    asked = " ".join(rule["expr"] for rule in alerts(rendering).values())
    asked += " ".join(t["expr"] for panel in panels(rendering) for t in panel["targets"])
    names = set(re.findall(r"\b(?:http_server|process)_\w+", asked))
    with projects.get(framework).service({"DATABASE_URL": f"sqlite:///{tmp_path}/i.db"}) as service:
        service.http.get("/v1/items")
        text = service.http.get("/metrics").text
    there = set(re.findall(r"^([a-z_]+)[{ ]", text, re.M))
    assert names
    assert names <= there
