"""Components of the overlay: each builds, is hardened, and survives being applied again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment.conftest import Manifest, Rendering, only
from tests.deployment.test_manifests import ASKED, KEPT, NEWEST_VERSIONS
from tests.deployment.tools import accepts, expect_exit, run
from tests.services import NAME, render, uv_environment

pytestmark = pytest.mark.contract("D3")

OF_THE_CLUSTER = {"PodMonitor", "PrometheusRule", "HTTPRoute"}
OF_NO_NAMESPACE = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
ADDED = {
    "monitoring": {"PodMonitor", "PrometheusRule"},
    "gateway-api": {"HTTPRoute"},
    "backup": {"CronJob", "PersistentVolumeClaim"},
    "argo-cd": set(),
    "flux": set(),
    "pgbouncer": {"ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"},
    "admission": OF_NO_NAMESPACE,
}
OF_POSTGRESQL = {"argo-cd", "flux", "pgbouncer"}
CEL = "common-expression-language==0.10.0"
# What an API server refuses to change, by kind.
IMMUTABLE = {
    "Job": ("spec", "template"),
    "Deployment": ("spec", "selector"),
    "Service": ("spec", "clusterIP"),
    "PersistentVolumeClaim": ("spec", "accessModes"),
}


def test_each_component_adds_what_it_is_for(rendering: Rendering) -> None:
    expected = set(ADDED) - (set() if rendering.database == "postgresql" else OF_POSTGRESQL)
    assert set(rendering.components) == expected
    plain = {(m["kind"], m["metadata"]["name"]) for m in rendering.manifests}
    for name in rendering.components:
        built = rendering.with_components(name)
        found = {(m["kind"], m["metadata"]["name"]) for m in built}
        assert {kind for kind, _ in found - plain} == ADDED[name]
        assert plain <= found
        # Older versions of kustomize give a namespace to policies too; an API server drops it.
        kept = [one for one in built if one["kind"] not in OF_NO_NAMESPACE]
        assert {one["metadata"]["namespace"] for one in kept} == {NAME}


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
    claims = {m["metadata"]["name"]: m for m in built if m["kind"] == "PersistentVolumeClaim"}
    assert claims[f"{NAME}-backups"]["metadata"]["annotations"] == KEPT
    for job in jobs:
        assert_hardened(job["spec"]["jobTemplate"]["spec"]["template"], {"spec": server})
        labels = job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
        policy = rendering.the("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
        assert policy.items() <= labels.items(), "it may call the database"
        selector = rendering.the("Service")["spec"]["selector"]
        assert not selector.items() <= labels.items(), "and gets no requests"


def assert_hardened(pod: Manifest, server: Manifest) -> None:
    for key in ("securityContext", "automountServiceAccountToken", "serviceAccountName"):
        assert pod["spec"][key] == server["spec"][key]
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"] == server["spec"]["containers"][0]["securityContext"]
    assert set(container["resources"]["requests"]) == ASKED
    assert set(container["resources"]["limits"]) == {"memory"}


def reached(built: list[Manifest], name: str) -> Manifest:
    """The pod template of a component's own deployment: hardened, and found by what is about it."""
    by_name = {(one["kind"], one["metadata"]["name"]): one for one in built}
    server = by_name["Deployment", NAME]["spec"]["template"]
    pod: Manifest = by_name["Deployment", name]["spec"]["template"]
    assert_hardened(pod, server)
    policy = by_name["NetworkPolicy", name]["spec"]
    service = by_name["Service", name]["spec"]
    labels = pod["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert service["selector"].items() <= labels.items()
    assert not by_name["Service", NAME]["spec"]["selector"].items() <= labels.items()
    (rule,) = policy["ingress"]
    (source,) = rule["from"]
    assert source["podSelector"]["matchLabels"].items() <= server["metadata"]["labels"].items()
    (port,) = service["ports"]
    ports = {one["name"]: one["containerPort"] for one in pod["spec"]["containers"][0]["ports"]}
    assert [one["port"] for one in rule["ports"]] == [ports[port["targetPort"]]] == [port["port"]]
    mounted = {one["name"] for one in pod["spec"]["containers"][0]["volumeMounts"]}
    assert mounted == {one["name"] for one in pod["spec"]["volumes"]}
    return pod


@only("postgresql")
def test_the_pooler_is_reached_by_the_service_alone(rendering: Rendering) -> None:
    built = rendering.with_components("pgbouncer")
    pod = reached(built, f"{NAME}-pgbouncer")
    allowed = {
        port["port"]
        for one in built
        if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == NAME
        for rule in one["spec"]["egress"]
        for port in rule["ports"]
    }
    assert pod["spec"]["containers"][0]["ports"][0]["containerPort"] in allowed
    # What the page has the service trust is where the component mounts it.
    server = next(
        one for one in built if one["kind"] == "Deployment" and one["metadata"]["name"] == NAME
    )["spec"]["template"]["spec"]
    mounts = {m["name"]: m["mountPath"] for m in server["containers"][0]["volumeMounts"]}
    volumes = {v["name"]: v for v in server["volumes"]}
    (item,) = volumes["pgbouncer-ca"]["secret"]["items"]
    place = f"{mounts['pgbouncer-ca']}/{item['path']}"
    assert f"sslrootcert={place}" in rendering.read("deploy/pgbouncer.md")


def test_spans_go_to_the_collector_and_on_from_there(tmp_path: Path) -> None:
    """The service's variable, the collector's port and its network policy name one address."""
    render("falcon", tmp_path, database="postgresql", ci="none", **{"with": ["tracing"]})
    rendering = Rendering("falcon", "postgresql", "none", tmp_path)
    built = rendering.with_components("collector")
    pod = reached(built, f"{NAME}-collector")
    configured = {
        one["metadata"]["name"].rpartition("-")[0]: one["data"]
        for one in built
        if one["kind"] == "ConfigMap"
    }
    config = yaml.safe_load(configured[f"{NAME}-collector"]["config.yaml"])
    port = pod["spec"]["containers"][0]["ports"][0]["containerPort"]
    assert configured[NAME]["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://{NAME}-collector:{port}"
    assert configured[NAME]["LOG_LEVEL"] == "info", "the overlay's own variables stay"
    assert config["receivers"]["otlp"]["protocols"]["http"]["endpoint"] == f"0.0.0.0:{port}"
    for pipeline in config["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(config[kind])
    known = [one for one in built if one["kind"] not in OF_THE_CLUSTER]
    (tmp_path / "built.yaml").write_text(yaml.safe_dump_all(known))
    accepts("kubernetes-validate", "--strict", "--quiet", tmp_path / "built.yaml")


PINNED = "registry.example.com/x@sha256:" + "a" * 64


def test_the_admission_policy_lets_in_what_has_a_digest_and_nothing_else(
    renderings: dict[tuple[str, str, str], Rendering],
) -> None:
    """Its own expressions, by an implementation of the Common Expression Language."""
    rendering = next(iter(renderings.values()))  # the policy is the same in all
    built = {one["kind"]: one for one in rendering.with_components("admission")}
    policy = built["ValidatingAdmissionPolicy"]["spec"]
    binding = built["ValidatingAdmissionPolicyBinding"]
    assert binding["spec"]["policyName"] == built["ValidatingAdmissionPolicy"]["metadata"]["name"]
    assert "Deny" in binding["spec"]["validationActions"]
    selector = binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"]
    assert selector == {"kubernetes.io/metadata.name": NAME}
    pods: dict[str, tuple[bool, Manifest]] = {
        "by digest": (True, {"containers": [{"image": PINNED}]}),
        "by version": (False, {"containers": [{"image": "postgres:18"}]}),
        "by nothing": (False, {"containers": [{"image": "postgres"}]}),
        "the second is not": (False, {"containers": [{"image": PINNED}, {"image": "a:1"}]}),
        "an init container": (
            False, {"containers": [{"image": PINNED}], "initContainers": [{"image": "a:1"}]},
        ),
        "too short a digest": (False, {"containers": [{"image": PINNED[:-1]}]}),
        "a digest that is a tag": (False, {"containers": [{"image": f"{PINNED}:latest"}]}),
        "the service itself": (True, rendering.the("Deployment")["spec"]["template"]["spec"]),
    }  # fmt: skip
    found = evaluate(policy, [pod for _, pod in pods.values()])
    assert dict(zip(pods, found, strict=True)) == {name: one for name, (one, _) in pods.items()}


def evaluate(policy: Manifest, pods: list[Manifest]) -> list[bool]:
    """Whether each pod is let in, by the policy's variables and validations."""
    script = (
        "import cel, json, sys\n"
        "policy, pods = json.load(sys.stdin)\n"
        "def admitted(pod):\n"
        "    known = {'object': {'spec': pod}, 'variables': {}}\n"
        "    for one in policy['variables']:\n"
        "        known['variables'][one['name']] = cel.evaluate(one['expression'], known)\n"
        "    return all(cel.evaluate(one['expression'], known) for one in policy['validations'])\n"
        "print(json.dumps([admitted(pod) for pod in pods]))\n"
    )
    command = ["uv", "run", "--no-project", "--quiet", "--with", CEL, "python", "-c", script]
    result = run(command, input=json.dumps([policy, pods]), env=uv_environment())
    found: list[bool] = json.loads(expect_exit(result).stdout)
    return found


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
