"""From a new service to a release and back, as a platform does it, with what this machine has.

`scaffold new`, an image, its bill of materials, a registry, the digest in the overlay, pods on
PostgreSQL, a second release under load, a backup and its return. What is left out needs more than
a machine: a database of vulnerabilities, keyless signing and a cluster.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import yaml

from tests.deployment import boxcheck
from tests.deployment.balancer import Balancer
from tests.deployment.conftest import Manifest, Rendering
from tests.deployment.registry import Registry
from tests.deployment.test_containers import for_podman, given_secrets, secrets
from tests.deployment.test_databases import script, tools
from tests.deployment.test_pipelines import GITLAB, in_a_clone, promotion
from tests.deployment.test_rolling_restart import Callers
from tests.deployment.tools import environment, expect_exit, program, run
from tests.servers import Postgres, free_port, postgres, wait_until
from tests.services import NAME, PACKAGE, REPOSITORY, Projects

pytestmark = [
    pytest.mark.contract("D1", "D3", "D4", "P5"), pytest.mark.container, pytest.mark.slow,
]  # fmt: skip

SHELL = ["bash", "-euo", "pipefail", "-c"]


@dataclass
class Release:
    """A repository, a registry and an engine, and the steps from a commit to pods."""

    folder: Path
    engine: boxcheck.Engine
    registry: Registry
    work: Path

    @property
    def rendering(self) -> Rendering:
        """The service as it is in the repository now."""
        return Rendering(self.folder.name, "postgresql", "gitlab", self.folder)

    @property
    def image(self) -> str:
        return f"{self.registry.address}/shop/stock"

    def variables(self, **more: str) -> Mapping[str, str]:
        return (
            os.environ
            | self.registry.variables
            | {
                "CI_REGISTRY": self.registry.address, "CI_REGISTRY_IMAGE": self.image,
                "CI_REGISTRY_USER": "u", "CI_REGISTRY_PASSWORD": "p", "STORAGE_DRIVER": "vfs",
                "BUILDAH_ISOLATION": "chroot", "CI_SERVER_HOST": "git.example.com",
                "CI_DEFAULT_BRANCH": "main", "CI_JOB_TOKEN": "t", "CI_PROJECT_PATH": "shop/stock",
                "GITLAB_USER_NAME": "a", "GITLAB_USER_EMAIL": "a@example.com",
            }
            | more
        )  # fmt: skip

    def publish(self, commit: str) -> str:
        """Build the repository's image and publish it by the pipeline's own shell: its digest."""
        place = self.work / commit
        (place / "image").mkdir(parents=True)
        self.engine("build", "--format", "docker", "--network", "host", "--tag", "service",
                    str(self.folder))  # fmt: skip
        archive = f"docker-archive:{place}/image/amd64.tar:service"
        self.engine("push", "--quiet", "localhost/service", archive)
        job = yaml.safe_load((self.folder / GITLAB).read_text())["publish"]
        variables = self.variables(CI_COMMIT_SHA=commit)
        expect_exit(run([*SHELL, "\n".join(job["script"])], cwd=place, env=variables))
        return (place / "published.env").read_text().strip().removeprefix("DIGEST=")

    def promote(self, commit: str, digest: str) -> list[Manifest]:
        """Write the digest into the overlay by the pipeline's own shell, and build the overlay."""
        address = '"https://gitlab-ci-token:$CI_JOB_TOKEN@$CI_SERVER_HOST/$CI_PROJECT_PATH.git"'
        text = re.sub(r'-o merge_request\S*|-o "merge_request[^"]*"', "", promotion(self.rendering))
        programs = self.work / "programs"
        programs.mkdir(exist_ok=True)
        (programs / "apk").write_text("#!/bin/sh\n")
        (programs / "apk").chmod(0o755)
        variables = self.variables(
            CI_COMMIT_SHA=commit, DIGEST=digest, PATH=f"{programs}:{os.environ['PATH']}"
        )
        text = text.replace(address, "origin").replace("--create promote", f"--create {commit}")
        text = text.replace("origin promote", f"origin {commit}")
        expect_exit(run([*SHELL, text], cwd=self.folder, env=variables))
        return self.rendering.manifests

    def pull(self, reference: str) -> None:
        """What a node does; by another digest than the published one it has to fail."""
        certificate = {"SSL_CERT_FILE": str(self.registry.folder / "certificate")}
        command = [self.engine.name, "pull", "--quiet", reference]
        expect_exit(run(command, env=self.engine.env | certificate))
        wrong = reference[:-1] + ("0" if reference[-1] != "0" else "1")
        assert run([*command[:-1], wrong], env=self.engine.env | certificate).returncode


@pytest.fixture
def release(framework: str, engine: boxcheck.Engine, tmp_path: Path) -> Iterator[Release]:
    """A new service, as the command line makes it, in a repository with a remote."""
    command: list[str | Path] = [sys.executable, "-m", "scaffold", "new", NAME]
    command += ["--framework", framework, "--database", "postgresql", "--ci", "gitlab"]
    command += ["--defaults", "--no-git", "--output", tmp_path]
    expect_exit(run(command, cwd=REPOSITORY, env=environment()))
    made = Rendering(framework, "postgresql", "gitlab", tmp_path / NAME)
    assert (made.folder / "uv.lock").exists()
    in_a_clone(made, tmp_path / framework, tmp_path)
    with Registry() as registry:
        yield Release(tmp_path / framework, engine, registry, tmp_path / "work")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as one:
        yield one


class Pods:
    """Two replicas of the overlay's deployment, one after the other on the same port."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self.ports = [free_port(), free_port()]

    def manifests(self, built: list[Manifest], number: int) -> list[Manifest]:
        (deployment,) = (one for one in built if one["kind"] == "Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        parts = for_podman(built, container["image"], self.ports[number])["Deployment"]
        for one in parts:
            if one["kind"] == "Deployment":
                one["metadata"]["name"] = f"{NAME}-{number}"
        return parts

    def start(self, built: list[Manifest], number: int) -> None:
        file = self._release.work / f"pod-{number}.yaml"
        file.write_text(yaml.safe_dump_all(self.manifests(built, number)))
        self._release.engine("play", "kube", "--network", "host", str(file))

    def stop(self, number: int) -> None:
        """SIGTERM, and as long as the manifests grant."""
        engine, name = self._release.engine, f"{NAME}-{number}-pod"
        if engine.try_("pod", "exists", name).returncode == 0:
            engine.try_("pod", "stop", "--time", "45", name, timeout=60)
            engine.try_("pod", "rm", "--force", name)


@contextlib.contextmanager
def replicas(release: Release, wanted: Mapping[str, Mapping[str, str]]) -> Iterator[Pods]:
    pods = Pods(release)
    with given_secrets(release.engine, wanted, release.work):
        try:
            yield pods
        finally:
            for number in range(2):
                pods.stop(number)


def migrate(release: Release, built: list[Manifest], variables: Mapping[str, str]) -> None:
    """The overlay's job, as a container: its image, its arguments, its role."""
    (job,) = (one for one in built if one["kind"] == "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    given = [f"--env={name}={value}" for name, value in variables.items()]
    release.engine("run", "--rm", "--network", "host", *given, container["image"],
                   *container["args"])  # fmt: skip


def bill_of_materials(release: Release) -> set[str]:
    """The pipeline's own command."""
    lines = yaml.safe_load((release.folder / GITLAB).read_text())["dependencies"]["script"]
    (command,) = (line for line in lines if line.startswith("uv export"))
    expect_exit(run([*SHELL, command], cwd=release.folder, env=environment()))
    document = json.loads((release.folder / "sbom.cdx.json").read_text())
    (release.folder / "sbom.cdx.json").unlink()
    return {one["name"] for one in document["components"]}


def test_a_release_goes_from_a_new_service_to_pods_and_back(
    framework: str, release: Release, server: Postgres, projects: Projects, tmp_path: Path
) -> None:
    for name in ("buildah", "skopeo", "docker-registry"):
        program(name, name)
    release.work.mkdir()
    url = server.create_database(f"release_{framework}", "svc", "secret")
    variables = {"DATABASE_URL": url, **projects.surroundings(framework)}
    variables |= {"SECRET_KEY": "a" * 64} if framework == "django" else {}
    assert "sqlalchemy" in bill_of_materials(release) or framework == "django"

    first = release.publish("first")
    built = release.promote("first", first)
    (image,) = {c["image"] for pod in release.rendering.pods for c in pod["spec"]["containers"]}
    assert image == f"{release.image}@{first}"
    release.pull(image)
    migrate(release, built, variables)
    with replicas(release, secrets(built, variables)) as pods:
        addresses = [("127.0.0.1", port) for port in pods.ports]
        for number in range(2):
            pods.start(built, number)
        with Balancer(addresses) as balancer:
            wait_until(lambda: len(balancer.ready) == 2, 60, "both replicas are ready")
            with Callers(balancer.url, balancer.note) as callers:
                wait_until(lambda: len(callers.outcomes) > 50, 20, "traffic flows")
                update(release, pods, balancer)
                settled = len(callers.outcomes)
                wait_until(lambda: len(callers.outcomes) > settled + 50, 20, "traffic goes on")
        outcomes = Counter(callers.outcomes)
        assert set(outcomes) == {"GET 200", "POST 201"}, "\n".join(
            [str(outcomes), *balancer.events]
        )
    come_back(release, url, tmp_path)


def update(release: Release, pods: Pods, balancer: Balancer) -> None:
    """A second release: another image, by another digest, one replica after the other."""
    app = release.folder / "src" / PACKAGE / "app.py"
    app.write_text(app.read_text() + "\nRELEASE = 2\n")
    second = release.publish("second")
    built = release.promote("second", second)
    (image,) = {c["image"] for pod in release.rendering.pods for c in pod["spec"]["containers"]}
    assert image == f"{release.image}@{second}"
    release.pull(image)
    for number in range(2):
        balancer.note(f"replica {number} is told to stop")
        pods.stop(number)
        pods.start(built, number)
        wait_until(lambda: len(balancer.ready) == 2, 60, "every replica is ready again")
        name = f"{NAME}-{number}-pod-service"
        assert release.engine("inspect", "--format", "{{.ImageName}}", name) == image


def come_back(release: Release, url: str, folder: Path) -> None:
    """A copy by the component's own job, something that goes wrong, and the copy's return."""
    backups = folder / "backups"
    backups.mkdir()
    path = f"{Path(tools('pg_dump')).parent}:{os.environ['PATH']}"
    variables = os.environ | {"DATABASE_URL": url, "PATH": path}
    with psycopg.connect(url, autocommit=True) as connection:
        (before,) = connection.execute("select count(*) from items").fetchone() or (0,)
        expect_exit(run(script(release.rendering, "backup", {"/backups": backups}), env=variables))
        connection.execute("delete from items")
    expect_exit(run(script(release.rendering, "restore", {"/backups": backups}), env=variables))
    with psycopg.connect(url) as connection:
        assert connection.execute("select count(*) from items").fetchone() == (before,)
    assert before > 10
