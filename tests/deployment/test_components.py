"""Components of the overlay: each builds, is hardened, and survives being applied again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment.conftest import Manifest, Rendering, only
from tests.deployment.test_manifests import NEWEST_VERSIONS
from tests.deployment.tools import accepts
from tests.services import NAME

pytestmark = pytest.mark.contract("D3")

OF_THE_CLUSTER = {"PodMonitor", "PrometheusRule", "HTTPRoute"}
ADDED = {
    "monitoring": {"PodMonitor", "PrometheusRule"},
    "gateway-api": {"HTTPRoute"},
    "backup": {"CronJob", "PersistentVolumeClaim"},
    "argo-cd": set(),
    "flux": set(),
}
# What an API server refuses to change, by kind.
IMMUTABLE = {
    "Job": ("spec", "template"),
    "Deployment": ("spec", "selector"),
    "Service": ("spec", "clusterIP"),
    "PersistentVolumeClaim": ("spec", "accessModes"),
}


def test_each_component_adds_what_it_is_for(rendering: Rendering) -> None:
    expected = set(ADDED) - (set() if rendering.database == "postgresql" else {"argo-cd", "flux"})
    assert set(rendering.components) == expected
    plain = {(m["kind"], m["metadata"]["name"]) for m in rendering.manifests}
    for name in rendering.components:
        built = rendering.with_components(name)
        found = {(m["kind"], m["metadata"]["name"]) for m in built}
        assert {kind for kind, _ in found - plain} == ADDED[name]
        assert plain <= found
        assert {m["metadata"]["namespace"] for m in built} == {NAME}


def test_everything_together_fits_the_strict_schemas(
    renderings: dict[tuple[str, str, str], Rendering], tmp_path: Path
) -> None:
    """Kinds that a cluster only has with an operator have no schema here."""
    for rendering in renderings.values():
        built = rendering.with_components(*rendering.components)
        known = [one for one in built if one["kind"] not in OF_THE_CLUSTER]
        name = f"{rendering.framework}-{rendering.database}.yaml"
        (tmp_path / name).write_text(yaml.safe_dump_all(known))
    for version in NEWEST_VERSIONS:
        accepts("kubernetes-validate", "--strict", "--quiet", "-k", version, *tmp_path.iterdir())


def test_pods_of_a_backup_are_as_hardened_as_the_server(rendering: Rendering) -> None:
    server = rendering.the("Deployment")["spec"]["template"]["spec"]
    built = rendering.with_components("backup")
    jobs = [one for one in built if one["kind"] == "CronJob"]
    assert len(jobs) == 2
    for job in jobs:
        spec = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        for key in ("securityContext", "automountServiceAccountToken", "serviceAccountName"):
            assert spec[key] == server[key]
        assert (
            spec["containers"][0]["securityContext"] == server["containers"][0]["securityContext"]
        )
        labels = job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
        policy = rendering.the("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
        assert policy.items() <= labels.items(), "it may call the database"
        selector = rendering.the("Service")["spec"]["selector"]
        assert not selector.items() <= labels.items(), "and gets no requests"


def test_nothing_is_restored_unless_somebody_asks(rendering: Rendering) -> None:
    built = rendering.with_components("backup")
    suspended = {
        one["metadata"]["name"]: one["spec"].get("suspend", False)
        for one in built
        if one["kind"] == "CronJob"
    }
    assert suspended == {f"{NAME}-backup": False, f"{NAME}-restore": True}


def test_monitor_and_route_find_the_pods(rendering: Rendering) -> None:
    built = rendering.with_components("monitoring", "gateway-api")
    by_kind = {one["kind"]: one for one in built}
    pod = by_kind["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    monitor = by_kind["PodMonitor"]["spec"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert labels[monitor["jobLabel"]] == NAME
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    assert {one["port"] for one in monitor["podMetricsEndpoints"]} <= ports
    (rule,) = by_kind["HTTPRoute"]["spec"]["rules"]
    service = by_kind["Service"]
    assert rule["backendRefs"] == [
        {"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]}
    ]
    paths = by_kind["Ingress"]["spec"]["rules"][0]["http"]["paths"]
    assert [one["path"]["value"] for one in rule["matches"]] == [one["path"] for one in paths]
    hosts = by_kind["HTTPRoute"]["spec"]["hostnames"]
    allowed = next(one for one in built if one["kind"] == "ConfigMap")["data"]["ALLOWED_HOSTS"]
    assert set(hosts) <= set(allowed.split(","))


def refused(before: list[Manifest], after: list[Manifest]) -> list[Manifest]:
    """The objects of which an API server would refuse the change."""

    def frozen(one: Manifest) -> Any:
        value: Any = one
        for key in IMMUTABLE.get(one["kind"], ("kind",)):
            value = value.get(key, {})
        return value

    known = {(one["kind"], one["metadata"]["name"]): frozen(one) for one in before}
    return [
        one
        for one in after
        if (key := (one["kind"], one["metadata"]["name"])) in known and frozen(one) != known[key]
    ]


def changed(rendering: Rendering, component: str) -> list[Manifest]:
    """What a second apply is refused, after a variable has changed."""
    path = rendering.overlay / "kustomization.yaml"
    other = path.read_text().replace("LOG_LEVEL=info", "LOG_LEVEL=debug")
    names = [component] if component else []
    return refused(rendering.with_components(*names), rendering.with_components(*names, text=other))


def test_a_second_apply_is_refused_nothing_but_the_job_that_is_deleted_first(
    rendering: Rendering,
) -> None:
    found = [f"{one['kind'].lower()} {one['metadata']['name']}" for one in changed(rendering, "")]
    page = rendering.read("deploy/README.md")
    assert found == ([f"job {NAME}-migrate"] if rendering.database == "postgresql" else [])
    for one in found:
        assert f"kubectl delete {one} --ignore-not-found\nkubectl apply --kustomize" in page


@only("postgresql")
@pytest.mark.parametrize(
    ("component", "annotations"),
    [
        (
            "argo-cd",
            {
                "argocd.argoproj.io/hook": "Sync",
                "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
            },
        ),
        ("flux", {"kustomize.toolkit.fluxcd.io/force": "enabled"}),
    ],
)
def test_a_second_apply_makes_the_job_anew_by_the_platforms_own_means(
    rendering: Rendering, component: str, annotations: dict[str, str]
) -> None:
    (job,) = changed(rendering, component)
    assert (job["kind"], job["metadata"]["annotations"]) == ("Job", annotations)
    assert "ttlSecondsAfterFinished" not in job["spec"]


def test_the_namespace_asks_for_the_restricted_standard(rendering: Rendering) -> None:
    namespace = rendering.load("deploy/kubernetes/overlays/production/namespace.yaml")
    levels = {
        key.rpartition("/")[2]: value for key, value in namespace["metadata"]["labels"].items()
    }
    assert levels == dict.fromkeys(("enforce", "audit", "warn"), "restricted")
    assert "Namespace" not in {one["kind"] for one in rendering.manifests}, "deleted by itself only"


def test_the_commented_callers_of_the_network_policy_are_valid(
    rendering: Rendering, tmp_path: Path
) -> None:
    path = "deploy/kubernetes/overlays/production/network-policy.yaml"
    text = rendering.read(path).replace("        # - ", "        - ")
    rules = yaml.safe_load(text)["spec"]["ingress"][0]["from"]
    assert [next(iter(rule)) for rule in rules] == [
        "namespaceSelector", "namespaceSelector", "ipBlock",
    ]  # fmt: skip
    (tmp_path / "policy.yaml").write_text(text)
    accepts("kubernetes-validate", "--strict", "--quiet", tmp_path / "policy.yaml")
    assert json.dumps(rules) != json.dumps(rendering.load(path)["spec"]["ingress"][0]["from"])
