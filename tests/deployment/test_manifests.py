"""Kubernetes: valid where it will be applied, hardened, and in the shape that the database asks."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.deployment.conftest import Manifest, Rendering, only
from tests.deployment.tools import accepts, build_manifests, judge
from tests.services import NAME, REPOSITORY

pytestmark = pytest.mark.contract("D3")

NEWEST_VERSIONS = ("1.33", "1.34", "1.35", "1.36", "1.37")
IN_FLIGHT_SECONDS = 30
DIGEST = "sha256:" + "9" * 64
OVERLAY = "deploy/kubernetes/overlays/production"
ASKED = {"cpu", "memory", "ephemeral-storage"}
KEPT = {
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}
READINESS_ANSWERS_WITHIN = 3
SHAPES = {
    "sqlite": {"PersistentVolumeClaim"},
    "postgresql": {"HorizontalPodAutoscaler", "PodDisruptionBudget", "Job"},
}
ALWAYS = {
    "ConfigMap", "Deployment", "Ingress", "NetworkPolicy", "Service", "ServiceAccount",
}  # fmt: skip
# Rules of checkov that are broken on purpose.
ACCEPTED = {
    "CKV_K8S_11": "a limit of CPU slows a pod down while the node is idle; the request is measured",
    "CKV_K8S_35": "all configuration comes from the environment, as the contract has it (P4)",
}


@pytest.fixture(scope="session")
def built(
    renderings: dict[tuple[str, str, str], Rendering], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with one file for each rendering: everything that its overlay sends."""
    folder = tmp_path_factory.mktemp("manifests")
    for rendering in renderings.values():
        name = f"{rendering.framework}-{rendering.database}.yaml"
        (folder / name).write_text(yaml.safe_dump_all(rendering.manifests))
    return folder


@pytest.mark.parametrize("version", NEWEST_VERSIONS)
def test_every_manifest_fits_the_strict_schema(built: Path, version: str) -> None:
    files = sorted(built.iterdir())
    accepts("kubernetes-validate", "--strict", "--quiet", "-k", version, *files)


def test_a_misspelled_key_would_be_found(built: Path, tmp_path: Path) -> None:
    text = next(built.iterdir()).read_text()
    assert "readinessProbe" in text
    (tmp_path / "misspelled.yaml").write_text(text.replace("readinessProbe", "readyProbe"))
    assert judge("kubernetes-validate", "--strict", tmp_path / "misspelled.yaml").returncode


def test_checkov_objects_only_to_what_is_accepted(built: Path) -> None:
    result = judge("checkov", "--skip-download", "--framework", "kubernetes", "--output", "json",
                   "--directory", built)  # fmt: skip
    report = json.loads(result.stdout)
    assert report["summary"]["passed"] > 100
    assert report["summary"]["parsing_errors"] == 0
    broken = {check["check_id"] for check in report["results"]["failed_checks"]}
    assert broken == set(ACCEPTED), "a rule that is broken, or an exception that nobody needs"


def test_the_database_decides_the_shape(rendering: Rendering) -> None:
    kinds = {manifest["kind"] for manifest in rendering.manifests}
    assert kinds == ALWAYS | SHAPES[rendering.database]


def test_one_file_of_data_has_one_writer(rendering: Rendering) -> None:
    spec = rendering.the("Deployment")["spec"]
    volumes = {v["name"]: v for v in spec["template"]["spec"]["volumes"]}
    mounts = {m["name"]: m for m in spec["template"]["spec"]["containers"][0]["volumeMounts"]}
    if rendering.database == "sqlite":
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
        assert volumes["data"]["persistentVolumeClaim"] == {"claimName": NAME}
        assert mounts["data"]["mountPath"] == "/data"
        claim = rendering.the("PersistentVolumeClaim")["metadata"]
        assert (claim["name"], claim["annotations"]) == (NAME, KEPT)
    else:
        assert "replicas" not in spec, "the autoscaler decides it"
        assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        assert rendering.the("HorizontalPodAutoscaler")["spec"]["minReplicas"] >= 2
        assert set(volumes) == set(mounts) == {"tmp"}


def test_every_pod_runs_with_nothing_that_it_does_not_need(rendering: Rendering) -> None:
    assert rendering.the("ServiceAccount")["automountServiceAccountToken"] is False
    for pod in rendering.pods:
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["serviceAccountName"] == NAME
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == image_user(rendering)
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert set(container["resources"]["requests"]) == ASKED
            assert set(container["resources"]["limits"]) == {"memory"}


def image_user(rendering: Rendering) -> int:
    (line,) = (li for li in rendering.read("Dockerfile").splitlines() if li.startswith("USER "))
    user, group = line.removeprefix("USER ").split(":")
    assert user == group
    return int(user)


def test_a_pod_has_the_time_to_drain(rendering: Rendering) -> None:
    drain = float(rendering.the("ConfigMap")["data"]["DRAIN_SECONDS"])
    pod = rendering.the("Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] >= drain + IN_FLIGHT_SECONDS + 5
    readiness = pod["containers"][0]["readinessProbe"]
    notices_after = readiness["periodSeconds"] * readiness["failureThreshold"]
    assert drain >= notices_after, (
        "a balancer that only probes has noticed when the listener closes"
    )


def test_liveness_never_asks_for_the_database(rendering: Rendering) -> None:
    container = rendering.the("Deployment")["spec"]["template"]["spec"]["containers"][0]
    asked = {
        probe: container[probe]["httpGet"]["path"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert asked == {
        "startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz",
    }  # fmt: skip
    assert container["readinessProbe"]["timeoutSeconds"] > READINESS_ANSWERS_WITHIN


def selects(selector: dict[str, str], pod: Manifest) -> bool:
    labels: dict[str, str] = pod["metadata"]["labels"]
    return selector.items() <= labels.items()


def test_requests_reach_servers_and_never_a_migration(rendering: Rendering) -> None:
    server = rendering.the("Deployment")["spec"]["template"]
    selectors = [rendering.the("Service")["spec"]["selector"]]
    selectors += [
        b["spec"]["selector"]["matchLabels"] for b in rendering.of_kind("PodDisruptionBudget")
    ]
    for selector in selectors:
        assert selects(selector, server)
        assert not any(selects(selector, pod) for pod in rendering.pods if pod != server)
        assert selector["app.kubernetes.io/name"] == NAME, "not another service of the namespace"
    spread = server["spec"]["topologySpreadConstraints"]
    assert {rule["topologyKey"] for rule in spread} == {
        "kubernetes.io/hostname", "topology.kubernetes.io/zone",
    }  # fmt: skip
    assert all(selects(rule["labelSelector"]["matchLabels"], server) for rule in spread)


def test_ports_agree_from_the_image_to_the_network(rendering: Rendering) -> None:
    container = rendering.the("Deployment")["spec"]["template"]["spec"]["containers"][0]
    (port,) = container["ports"]
    assert f"EXPOSE {port['containerPort']}\n" in rendering.read("Dockerfile")
    assert rendering.the("Service")["spec"]["ports"][0]["targetPort"] == port["name"]
    policy = rendering.the("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [rule["ports"] for rule in policy["ingress"]] == [
        [{"protocol": "TCP", "port": port["containerPort"]}]
    ]
    assert all(selects(policy["podSelector"]["matchLabels"], pod) for pod in rendering.pods)


def test_a_pod_may_call_its_database_and_names_and_nothing_else(rendering: Rendering) -> None:
    rules = rendering.the("NetworkPolicy")["spec"]["egress"]
    ports = {port["port"] for rule in rules for port in rule["ports"]}
    wanted = {53, 5432, 6432} if rendering.database == "postgresql" else {53}
    assert wanted <= ports
    assert ports - wanted <= {5671, 5672}, "beyond them a broker at the most"


def test_secrets_come_from_a_secret_and_none_is_in_the_manifests(rendering: Rendering) -> None:
    assert rendering.of_kind("Secret") == []
    assert "DATABASE_URL" not in rendering.the("ConfigMap")["data"]
    for pod in rendering.pods:
        variables = {one["name"]: one for one in pod["spec"]["containers"][0].get("env", [])}
        assert ("DATABASE_URL" in variables) == (rendering.database == "postgresql")
        for variable in variables.values():
            assert variable["valueFrom"]["secretKeyRef"]["name"] in {NAME, f"{NAME}-broker"}


@only("postgresql")
def test_what_needs_a_session_has_an_address_past_the_pooler(rendering: Rendering) -> None:
    """A stream by DATABASE_DIRECT_URL, a migration by its own role's; neither goes to a pooler."""

    def secret_keys(kind: str) -> dict[str, Manifest]:
        container = rendering.the(kind)["spec"]["template"]["spec"]["containers"][0]
        return {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"]}

    direct = {"name": NAME, "key": "DATABASE_DIRECT_URL", "optional": True}
    assert secret_keys("Deployment")["DATABASE_DIRECT_URL"] == direct
    assert secret_keys("Deployment")["DATABASE_URL"]["key"] == "DATABASE_URL"
    # With the service's role, which may not change the schema, Django would migrate by it.
    assert "DATABASE_DIRECT_URL" not in secret_keys("Job")
    assert secret_keys("Job")["DATABASE_URL"]["key"] == "MIGRATE_DATABASE_URL"
    compose = rendering.load("compose.yaml")["services"]
    for name in ("service", "migrate"):
        variables = compose[name]["environment"]
        assert "@database:5432/" in variables["DATABASE_DIRECT_URL"]
    page = rendering.read("deploy/README.md")
    assert "`DATABASE_DIRECT_URL`" in page


def test_only_migrate_migrates(rendering: Rendering) -> None:
    deployment = rendering.the("Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert "args" not in deployment
    assert "command" not in deployment
    for job in rendering.of_kind("Job"):
        container = job["spec"]["template"]["spec"]["containers"][0]
        assert container["args"] == ["migrate"]
        assert container["image"] == deployment["image"]
        assert container["envFrom"] == deployment["envFrom"]


def test_the_overlay_alone_names_image_host_and_size(rendering: Rendering, tmp_path: Path) -> None:
    base = rendering.folder / "deploy/kubernetes/base"
    assert not any("example.com" in path.read_text() for path in base.iterdir())
    kubernetes = tmp_path / "kubernetes"
    shutil.copytree(base.parent, kubernetes)
    overlay = kubernetes / "overlays/production"
    kustomization = yaml.safe_load((overlay / "kustomization.yaml").read_text())
    kustomization["images"][0] |= {"newName": "registry.test/other", "digest": DIGEST}
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    size = (overlay / "size.yaml").read_text()
    (overlay / "size.yaml").write_text(size.replace("memory: 512Mi", "memory: 999Mi"))
    changed = build_manifests(overlay)
    assert changed.count(f"image: registry.test/other@{DIGEST}") == len(rendering.pods)
    assert changed.count("memory: 999Mi") == 1


def test_another_configuration_rolls_the_pods(rendering: Rendering, tmp_path: Path) -> None:
    kubernetes = tmp_path / "kubernetes"
    shutil.copytree(rendering.overlay.parent.parent, kubernetes)
    kustomization = kubernetes / "overlays/production/kustomization.yaml"
    text = kustomization.read_text()
    assert "LOG_LEVEL=info" in text
    kustomization.write_text(text.replace("LOG_LEVEL=info", "LOG_LEVEL=debug"))
    name = rendering.the("ConfigMap")["metadata"]["name"]
    assert f"name: {name}\n" not in build_manifests(kustomization.parent)


def test_the_commented_lines_of_the_overlay_are_valid(rendering: Rendering, tmp_path: Path) -> None:
    """Labels of the platform and a login to the registry are there to be uncommented."""
    kubernetes = tmp_path / "kubernetes"
    shutil.copytree(rendering.overlay.parent.parent, kubernetes)
    path = kubernetes / "overlays/production/kustomization.yaml"
    text = re.sub(r"^# (labels:|  )", r"\1", path.read_text(), flags=re.M)
    path.write_text(re.sub(r"^  # (- target:|  patch:)", r"  \1", text, flags=re.M))
    built = [*yaml.safe_load_all(build_manifests(path.parent))]
    by_kind = {one["kind"]: one for one in built}
    assert by_kind["ServiceAccount"]["imagePullSecrets"] == [{"name": "registry"}]
    assert all(one["metadata"]["labels"]["team"] == "shop" for one in built)
    deployment = by_kind["Deployment"]["spec"]
    assert deployment["template"]["metadata"]["labels"]["team"] == "shop"
    assert "team" not in deployment["selector"]["matchLabels"], "which cannot be changed"


def test_callers_reach_the_api_and_no_probe_or_metric(rendering: Rendering) -> None:
    (rule,) = rendering.the("Ingress")["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/v1"]
    allowed = rendering.the("ConfigMap")["data"]["ALLOWED_HOSTS"].split(",")
    namespace = rendering.the("Deployment")["metadata"]["namespace"]
    assert {rule["host"], NAME, f"{NAME}.{namespace}"} <= set(allowed)


def test_compose_gives_as_much_memory_as_the_cluster(rendering: Rendering) -> None:
    container = rendering.the("Deployment")["spec"]["template"]["spec"]["containers"][0]
    limit = rendering.load("compose.yaml")["services"]["service"]["mem_limit"]
    (most,) = re.findall(r"\$\{MEMORY_LIMIT:-(\d+)m\}", limit)
    assert container["resources"]["limits"]["memory"] == f"{most}Mi"
    further = r"(\d+)(?:m|Mi) more for each"
    size = re.findall(further, rendering.read(f"{OVERLAY}/size.yaml"))
    assert re.findall(further, rendering.read("compose.yaml")) == size


@only("postgresql")
def test_the_autoscaler_adds_a_replica_at_what_a_hundred_requests_a_second_take(
    rendering: Rendering,
) -> None:
    """The figures of docs/decisions/deployment.md, against what the overlay asks for."""
    page = (REPOSITORY / "docs/decisions/deployment.md").read_text()
    measured = dict(re.findall(r"^\| `(\w+)` \| (\d+)m \|", page, re.M))
    container = rendering.the("Deployment")["spec"]["template"]["spec"]["containers"][0]
    requested = int(container["resources"]["requests"]["cpu"].removesuffix("m"))
    (metric,) = rendering.the("HorizontalPodAutoscaler")["spec"]["metrics"]
    threshold = requested * metric["resource"]["target"]["averageUtilization"] / 100
    assert 0.9 <= threshold / int(measured[rendering.framework]) <= 1.2
