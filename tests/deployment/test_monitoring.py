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

RULES = "deploy/kubernetes/components/monitoring/rules.yaml"
DASHBOARD = "deploy/grafana/dashboard.json"
COUNT = "http_server_request_duration_seconds_count"
BUCKET = "http_server_request_duration_seconds_bucket"
ACTIVE = "http_server_active_requests"
# How a target is labelled by annotation scraping, and by a PodMonitor with a job label.
SCRAPED = {
    "annotations": 'job="kubernetes-pods", instance="10.0.0.1:8000", namespace="shop"',
    "pod monitor": f'job="{NAME}", instance="10.0.0.1:8000", namespace="shop", pod="a"',
    "a name": 'job="static", instance="service.internal:8000"',
}
REPLICA = SCRAPED["annotations"]
SECOND = REPLICA.replace("10.0.0.1", "10.0.0.2")
BUILD = f'service="{NAME}", version="1.2.3"'
POD = f'namespace="shop", pod="{NAME}-7d9f8b6c5-x2k4q", container="service"'
DEPLOYMENT = f'namespace="shop", deployment="{NAME}"'
BACKUP = f'namespace="shop", cronjob="{NAME}-backup"'
SCALER = f'namespace="shop", horizontalpodautoscaler="{NAME}"'
OF_POSTGRESQL = {"ServiceAtMaximum", "ServiceMigrationFailed"}
OF_A_BROKER = r" +- alert: ServiceKeepsEvents\n(?: +\S.*\n)+\n?"

State = dict[str, str]
"""Series, and their values minute by minute."""
Cases = dict[str, tuple[str, int, State]]
"""By what happens: the alert, the minute at which it is looked at, and the series."""


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run([program("promtool", "prometheus"), *arguments])


@pytest.fixture(scope="session")
def rules(
    renderings: dict[tuple[str, str, str], Rendering], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The rules, which are the same in all nine but for a broker's, as Prometheus reads them."""
    found = [one for key, one in renderings.items() if "postgresql" in key]
    if not found:
        pytest.skip("no service on PostgreSQL was asked for")
    texts = {one.read(RULES) for one in found}
    assert len({re.sub(OF_A_BROKER, "", text) for text in texts}) == 1
    with_most = max(found, key=lambda one: len(one.read(RULES)))
    return plain(with_most, tmp_path_factory.mktemp("rules"))


def plain(rendering: Rendering, folder: Path) -> Path:
    """What `yq .spec` makes of the PrometheusRule."""
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump(rendering.load(RULES)["spec"]))
    return path


def alerts(rules: Path) -> dict[str, Any]:
    groups = yaml.safe_load(rules.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def test_promtool_accepts_the_rules(rules: Path) -> None:
    result = expect_exit(promtool("check", "rules", rules))
    assert "SUCCESS" in result.stdout


def test_a_service_on_sqlite_has_all_rules_but_those_of_what_it_has_not(
    rules: Path, rendering: Rendering
) -> None:
    (objectives, service, cluster) = yaml.safe_load(rules.read_text())["groups"]
    if rendering.database == "sqlite":
        left = [rule for rule in cluster["rules"] if rule["alert"] not in OF_POSTGRESQL]
        cluster = cluster | {"rules": left}
    if "outbox" not in rendering.read(RULES):
        left = [rule for rule in service["rules"] if rule["alert"] != "ServiceKeepsEvents"]
        service = service | {"rules": left}
    assert rendering.load(RULES)["spec"]["groups"] == [objectives, service, cluster]


def test_every_alert_says_what_to_look_at(rendering: Rendering, tmp_path: Path) -> None:
    explained = set(re.findall(r"^\| `(Service\w+)` \|", rendering.read("deploy/README.md"), re.M))
    found = alerts(plain(rendering, tmp_path))
    assert explained == set(found)
    for rule in found.values():
        assert NAME in rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"critical", "warning"}


def requests(replica: str = REPLICA, **rates: str) -> State:
    """Counts and durations of requests to a route, by status; ``slow`` are 200s of 2 s each."""
    route = f'{replica}, http_request_method="GET", http_route="/v1/items"'
    state = {}
    for status, values in rates.items():
        code = "200" if status == "slow" else status.removeprefix("s")
        fast = "0x600" if status == "slow" else values
        series = f'{route}, http_response_status_code="{code}"'
        if status == "slow":
            series += ', of="slow"'  # a second route would do as well
        state[f"{COUNT}{{{series}}}"] = values
        state[f'{BUCKET}{{{series}, le="0.5"}}'] = fast
        state[f'{BUCKET}{{{series}, le="2.5"}}'] = values
    return state


def readiness(status: str, values: str, replica: str = REPLICA) -> State:
    series = f'{replica}, http_route="/readyz", http_response_status_code="{status}"'
    return {f"{COUNT}{{{series}}}": values}


def writes(status: str, values: str, replica: str = REPLICA) -> State:
    series = (
        f'{replica}, http_request_method="POST", http_route="/v1/items",'
        f' http_response_status_code="{status}"'
    )
    return {f"{COUNT}{{{series}}}": values}


def errors(kind: str, values: str, replica: str = REPLICA) -> State:
    return {f'database_errors_total{{{replica}, kind="{kind}"}}': values}


def target(replica: str, up: str = "1x600", build: str = "1x600") -> State:
    return {f"up{{{replica}}}": up, f"build_info{{{replica}, {BUILD}}}": build}


def healthy(replica: str = REPLICA) -> State:
    """A service with two requests a second, of which one in four thousand fails."""
    return {
        **target(replica),
        **requests(replica, s200="0+120x600", s404="0+60x600", s503="0+0.03x600"),
        **readiness("200", "0+12x600", replica),
        f'{ACTIVE}{{{replica}, http_request_method="GET"}}': "20x600",
        f"database_requests_waiting{{{replica}}}": "0x600",
        f"log_lines_dropped_total{{{replica}}}": "0x600",
        f"outbox_events_waiting{{{replica}}}": "3x600",
        **errors("lock", "0+0.1x600", replica),
        f"kube_pod_container_status_restarts_total{{{POD}}}": "0x600",
        f"kube_deployment_spec_replicas{{{DEPLOYMENT}}}": "2x600",
        f"kube_deployment_status_replicas_available{{{DEPLOYMENT}}}": "2x600",
        f"kube_deployment_status_replicas_updated{{{DEPLOYMENT}}}": "2x600",
        f"kube_horizontalpodautoscaler_status_desired_replicas{{{SCALER}}}": "3x600",
        f"kube_horizontalpodautoscaler_spec_max_replicas{{{SCALER}}}": "4x600",
        f"kube_cronjob_created{{{BACKUP}}}": "-900000x600",
        f"kube_cronjob_status_last_successful_time{{{BACKUP}}}": "0x600",
        f'kube_job_status_failed{{namespace="shop", job_name="{NAME}-migrate-1a2b"}}': "0x600",
    }


UNMATCHED = f'{COUNT}{{{REPLICA}, http_route="", http_response_status_code="404"}}'
NOBODY = requests(s200="0x600", s404="0x600", s503="0x600")
# By alert: what happened, and after how many minutes it is looked at.
FIRES: Cases = {
    "4 % fail": ("ServiceBurnsBudgetFast", 130, requests(s503="0+7.5x600")),
    "all of it fails for ten minutes": (
        "ServiceBurnsBudgetFast",
        140,
        requests(s200="0+120x130 15600x600", s404="0+60x130 7800x600", s503="0x130 0+180x600"),
    ),
    "each request fails beneath many 404s of no route": (
        "ServiceBurnsBudgetFast",
        130,
        NOBODY | requests(s503="0+1x600") | {UNMATCHED: "0+6000x600"},
    ),
    "four requests of ten are slow": (
        "ServiceBurnsBudgetFast", 130, requests(s200="0+70x600", slow="0+80x600"),
    ),
    "one in two hundred fails for days": (
        "ServiceBurnsBudgetSlowly", 450, requests(s503="0+0.9x600"),
    ),
    "two in a hundred are slow for days": (
        "ServiceBurnsBudgetSlowly", 450, requests(slow="0+4x600"),
    ),
    "no replica can be scraped": ("ServiceDown", 30, target(REPLICA, "0x600", "_x600")),
    "one of two replicas is dead for nine hours": (
        "ServiceReplicaDown", 570, target(SECOND, "1x30 0x600", "1x30 stale"),
    ),
    "a replica is never ready": (
        "ServiceNotReady", 30, readiness("200", "0x600") | readiness("503", "0+12x600"),
    ),
    "no write succeeds while it is ready": (
        "ServiceCannotWrite", 30, writes("503", "0+1x600") | writes("201", "0x600"),
    ),
    "requests pile up": (
        "ServiceSaturated", 30, {f'{ACTIVE}{{{REPLICA}, http_request_method="GET"}}': "101x600"},
    ),
    "requests wait for a connection": (
        "ServiceWaitsForDatabase", 30, {f"database_requests_waiting{{{REPLICA}}}": "21x600"},
    ),
    "transactions time out waiting for a lock": (
        "ServiceDatabaseErrors", 40, errors("lock", "0+1.5x600"),
    ),
    "the disk of the log is full": (
        "ServiceLosesLog", 30, {f"log_lines_dropped_total{{{REPLICA}}}": "0x20 1+1x600"},
    ),
    "the broker takes no events": (
        "ServiceKeepsEvents", 30, {f"outbox_events_waiting{{{REPLICA}}}": "0+20x600"},
    ),
    "a pod ends each time it starts": (
        "ServiceCrashLooping",
        30,
        {
            "kube_pod_container_status_waiting_reason"
            f'{{{POD}, reason="CrashLoopBackOff"}}': "0x10 1 1 _ _ 1x600",
        },
    ),
    "a pod was killed at its memory limit": (
        "ServiceOutOfMemory",
        30,
        {
            f"kube_pod_container_status_restarts_total{{{POD}}}": "0x20 1x600",
            f'kube_pod_container_status_last_terminated_reason{{{POD}, reason="OOMKilled"}}':
                "_x20 1x600",
        },
    ),
    "a rollout stopped": (
        "ServiceRolloutStuck",
        30,
        {f'kube_deployment_status_condition{{{DEPLOYMENT}, condition="Progressing", '
         'status="false"}': "1x600"},
    ),
    "a replica is missing": (
        "ServiceRolloutStuck",
        30,
        {f"kube_deployment_status_replicas_available{{{DEPLOYMENT}}}": "1x600"},
    ),
    "the new pods do not come": (
        "ServiceRolloutStuck",
        30,
        {f"kube_deployment_status_replicas_updated{{{DEPLOYMENT}}}": "1x600"},
    ),
    "the last backup is two days old": (
        "ServiceBackupMissing",
        30,
        {f"kube_cronjob_status_last_successful_time{{{BACKUP}}}": "-172800x600"},
    ),
    "no backup has ever succeeded": (
        "ServiceBackupMissing",
        30,
        {f"kube_cronjob_status_last_successful_time{{{BACKUP}}}": "_x600"},
    ),
    "the autoscaler has no more to give": (
        "ServiceAtMaximum",
        30,
        {f"kube_horizontalpodautoscaler_status_desired_replicas{{{SCALER}}}": "4x600"},
    ),
    "the migration failed": (
        "ServiceMigrationFailed",
        30,
        {f'kube_job_status_failed{{namespace="shop", job_name="{NAME}-migrate-1a2b"}}': "1x600"},
    ),
}  # fmt: skip
# What must not wake anybody, by the alert that is tempted.
SILENT: Cases = {
    "one of six requests fails": (
        "ServiceBurnsBudgetFast",
        130,
        NOBODY | requests(s200="0x120 1 2 3 4 5x600", s503="0x122 1x600"),
    ),
    "a fault of two minutes that is over": (
        "ServiceBurnsBudgetFast", 450, requests(s503="0x400 11 22x600"),
    ),
    "a day within the objective": (
        "ServiceBurnsBudgetSlowly", 450, requests(s503="0+0.15x600", slow="0+1x600"),
    ),
    "callers' own mistakes": ("ServiceBurnsBudgetFast", 130, requests(s404="0+900x600")),
    "probes that fail": ("ServiceBurnsBudgetFast", 30, readiness("503", "0+1x600")),
    "one replica of two is gone, as it was told": ("ServiceDown", 30, target(SECOND, "1x10 stale")),
    "a pod that was replaced": (
        "ServiceReplicaDown", 60, target(SECOND, "1x30 stale", "1x30 stale"),
    ),
    "another target is dead": (
        "ServiceReplicaDown", 60, {f"up{{{SECOND}}}": "0x600"},
    ),
    "a replica that drains": (
        "ServiceNotReady", 30, readiness("503", "0x24 0+12x3 36x600", SECOND) | target(SECOND),
    ),
    "some writes fail and others do not": (
        "ServiceCannotWrite", 30, writes("503", "0+0.02x600") | writes("201", "0+0.5x600"),
    ),
    "one write fails": (
        "ServiceCannotWrite", 24, writes("503", "0x20 1x600") | writes("201", "0x600"),
    ),
    "a busy replica": (
        "ServiceSaturated", 30, {f'{ACTIVE}{{{REPLICA}, http_request_method="GET"}}': "99x600"},
    ),
    "a peak that fills the pool": (
        "ServiceWaitsForDatabase",
        30,
        {f"database_requests_waiting{{{REPLICA}}}": "0x20 200x3 0x600"},
    ),
    "a restart of the database": (
        "ServiceDatabaseErrors", 35, errors("connection", "0x20 40 80x600"),
    ),
    "a log that lost lines an hour ago": (
        "ServiceLosesLog", 90, {f"log_lines_dropped_total{{{REPLICA}}}": "0x20 500x600"},
    ),
    "a peak of events": (
        "ServiceKeepsEvents", 30, {f"outbox_events_waiting{{{REPLICA}}}": "0x20 900x5 3x600"},
    ),
    "one restart": (
        "ServiceCrashLooping",
        30,
        {
            f"kube_pod_container_status_restarts_total{{{POD}}}": "0x20 1x600",
            "kube_pod_container_status_waiting_reason"
            f'{{{POD}, reason="CrashLoopBackOff"}}': "0x20 1 0x600",
        },
    ),
    "a pod killed yesterday": (
        "ServiceOutOfMemory",
        500,
        {
            f"kube_pod_container_status_restarts_total{{{POD}}}": "0x20 1x600",
            f'kube_pod_container_status_last_terminated_reason{{{POD}, reason="OOMKilled"}}':
                "_x20 1x600",
        },
    ),
    "a rollout of five minutes": (
        "ServiceRolloutStuck",
        30,
        {f"kube_deployment_status_replicas_available{{{DEPLOYMENT}}}": "2x15 1x5 2x600"},
    ),
    "a backup that failed once": (
        "ServiceBackupMissing",
        30,
        {f"kube_cronjob_status_last_successful_time{{{BACKUP}}}": "-93600x600"},
    ),
    "another's backup is missing": (
        "ServiceBackupMissing",
        30,
        {'kube_cronjob_created{namespace="shop", cronjob="other-backup"}': "-900000x600"},
    ),
    "a peak of ten minutes": (
        "ServiceAtMaximum",
        40,
        {f"kube_horizontalpodautoscaler_status_desired_replicas{{{SCALER}}}": "2x20 4x10 2x600"},
    ),
    "another's job failed": (
        "ServiceMigrationFailed",
        30,
        {'kube_job_status_failed{namespace="shop", job_name="other-migrate-1a2b"}': "1x600"},
    ),
}  # fmt: skip


def firing(rules: Path, folder: Path, cases: dict[str, tuple[int, State]]) -> dict[str, set[str]]:
    """The alerts that fire in each case, by its name, so many minutes after its start.

    promtool only compares with what it was told to expect, so it is told to expect nothing, and
    its protest names what fires.
    """
    names = list(alerts(rules))
    document = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "name": name,
                "interval": "1m",
                "input_series": [{"series": one, "values": v} for one, v in state.items()],
                "alert_rule_test": [
                    {"eval_time": f"{minutes}m", "alertname": alert, "exp_alerts": []}
                    for alert in names
                ],
            }
            for name, (minutes, state) in cases.items()
        ],
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(document))
    result = promtool("test", "rules", folder / "test.yaml")
    said = result.stdout + result.stderr
    found: dict[str, set[str]] = {name: set() for name in cases}
    # promtool 2.42 names the test of each protest.
    for name, alert in re.findall(r"name: (.+?),\n\s+alertname:\s*(\w+)", said):
        found[name].add(alert)
    assert result.returncode == 0 or any(found.values()), said
    return found


def in_words(cases: Cases) -> dict[str, tuple[int, State]]:
    return {name: (minutes, healthy() | state) for name, (_, minutes, state) in cases.items()}


def of_these_rules(cases: Cases, rules: Path) -> Cases:
    """The cases whose alert there is: a service without a broker has one less."""
    there = alerts(rules)
    return {name: case for name, case in cases.items() if case[0] in there}


def test_an_alert_fires_when_it_should(rules: Path, tmp_path: Path) -> None:
    cases = of_these_rules(FIRES, rules)
    found = firing(rules, tmp_path, in_words(cases))
    missed = {name for name, (alert, *_) in cases.items() if alert not in found[name]}
    assert missed == set()
    assert {alert for alert, *_ in cases.values()} == set(alerts(rules)), "each is shown to fire"


def test_an_alert_is_silent_when_it_should_be(rules: Path, tmp_path: Path) -> None:
    tempting = of_these_rules(SILENT, rules)
    cases = in_words(tempting) | {"all is well": (450, healthy())}
    assert {name: what for name, what in firing(rules, tmp_path, cases).items() if what} == {}
    assert {alert for alert, *_ in tempting.values()} == set(alerts(rules)), "each is tempted"


def test_alerts_do_not_depend_on_how_a_service_is_scraped(rules: Path, tmp_path: Path) -> None:
    cases = {
        name: (130, healthy(labels) | requests(labels, s200="0x600", s503="0+120x600"))
        for name, labels in SCRAPED.items()
    }
    found = firing(rules, tmp_path, cases)
    assert found == {
        name: {"ServiceBurnsBudgetFast", "ServiceBurnsBudgetSlowly"} for name in SCRAPED
    }


def test_what_another_service_does_wakes_nobody(rules: Path, tmp_path: Path) -> None:
    """Another service under the same job, in the same namespace, with a name that begins alike."""
    others = {}
    for _, _, state in FIRES.values():
        for series, values in (target(REPLICA) | state).items():
            other = series.replace(NAME, f"{NAME}-admin").replace("10.0.0.", "10.0.9.")
            others[other] = values
    cases = {"another": (130, healthy() | others)}
    assert firing(rules, tmp_path, cases) == {"another": set()}


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
    """A Prometheus that scrapes the service, as one of many, and a client for its questions."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {"job_name": "pods", "static_configs": [{"targets": [f"127.0.0.1:{service.port}"]}]}
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
    query = expression.replace("$service", NAME).replace("$__rate_interval", "10s")
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
        prometheus(tmp_path, plain(rendering, tmp_path), service) as client,
        Background(visit),
    ):
        for panel in panels(rendering):
            for target in panel["targets"]:
                wait_until(
                    lambda target=target: has_value(client, target["expr"]),  # type: ignore[misc]
                    30,
                    f"{panel['title']}: {target['expr']}",
                )
        by_route = "sum by (http_route) (http_server_request_duration_seconds_count)"
        routes = {one["metric"].get("http_route", "") for one in ask(client, by_route)}
        assert {"/v1/items", "/v1/items/{item_id}"} <= routes
        groups = client.get("/api/v1/rules").json()["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        loud = {rule["name"] for rule in rules if rule["type"] == "alerting"}
        assert loud == set(alerts(tmp_path / "rules.yaml"))
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
        assert not [rule["name"] for rule in rules if rule.get("state") == "firing"]


def test_every_metric_that_is_asked_for_is_one_that_the_service_has(
    framework: str,
    projects: Projects,
    renderings: dict[tuple[str, str, str], Rendering],
    tmp_path: Path,
) -> None:
    rendering = renderings[framework, "sqlite", "github"]
    groups = rendering.load(RULES)["spec"]["groups"]
    asked = " ".join(rule["expr"] for group in groups for rule in group["rules"])
    asked += " ".join(t["expr"] for panel in panels(rendering) for t in panel["targets"])
    known = "http_server|process|build|database|log_lines|outbox|stream"
    names = set(re.findall(rf"\b(?:{known})_\w+", asked))
    with projects.get(framework).service({"DATABASE_URL": f"sqlite:///{tmp_path}/i.db"}) as service:
        service.http.get("/v1/items")
        text = service.http.get("/metrics").text
    there = set(re.findall(r"^(?:# TYPE )?([a-z_]+)[{ ]", text, re.M))
    assert names
    assert names <= there
