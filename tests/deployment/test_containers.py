"""The image: built, run as hard as it will be, stopped; and started as a cluster would.

There is no registry here and no Docker: podman runs the images, on stand-ins of their bases that
``boxcheck`` makes from this machine's own Python and from uv's wheel.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deployment import boxcheck
from tests.deployment.conftest import Manifest, Rendering
from tests.deployment.tools import program, run
from tests.servers import free_port, missing, postgres, wait_until
from tests.services import NAME, PACKAGE, TEMPLATES, uv

pytestmark = pytest.mark.container

MOST_ADDED_MB = 100
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
HARDENED = ("--read-only", "--tmpfs", "/tmp:rw,size=64m", "--cap-drop", "ALL", "--security-opt",
            "no-new-privileges", "--memory", "256m", "--pids-limit", "256")  # fmt: skip


@dataclass(frozen=True)
class Image:
    """The image of one framework's service on SQLite, and what running it once has shown."""

    framework: str
    tag: str
    folder: Path
    report: dict[str, Any]


@pytest.fixture(scope="session")
def engine() -> boxcheck.Engine:
    """podman, with stand-ins of the images that a Dockerfile starts from."""
    for name in ("podman", "runc", "catatonit", "debootstrap"):
        program(name, name)
    script = TEMPLATES / "shared/Dockerfile.jinja"
    (tag,) = re.findall(r"^FROM ghcr\.io/astral-sh/uv:(\S+)", script.read_text(), re.M)
    made = run([sys.executable, boxcheck.__file__, "base", "--uv-tag", tag])
    if made.returncode:
        missing(f"no stand-ins of the base images: {made.stderr[-1000:]}")
    return boxcheck.Engine("podman")


@pytest.fixture(scope="session")
def images(engine: boxcheck.Engine) -> Iterator[dict[str, Image]]:
    """Those that were built so far."""
    made: dict[str, Image] = {}
    yield made
    for image in made.values():
        engine.try_("rmi", "--force", image.tag)


@pytest.fixture
def image(
    framework: str,
    images: dict[str, Image],
    renderings: dict[tuple[str, str, str], Rendering],
    tmp_path_factory: pytest.TempPathFactory,
) -> Image:
    if framework not in images:
        folder = tmp_path_factory.mktemp("image") / "service"
        shutil.copytree(renderings[framework, "sqlite", "github"].folder, folder)
        uv(folder, "lock")
        tag = f"localhost/{NAME}-{framework}:{os.getpid()}"
        images[framework] = Image(framework, tag, folder, build_and_run(folder, tag))
    return images[framework]


def build_and_run(folder: Path, tag: str) -> dict[str, Any]:
    port = free_port()
    result = run([sys.executable, boxcheck.__file__, "check", folder, "--hardened", "--tag", tag,
                  "--env", f"PORT={port}", "--url", f"http://127.0.0.1:{port}/livez"])  # fmt: skip
    if not result.stdout:
        pytest.fail(result.stderr[-6000:], pytrace=False)
    report: dict[str, Any] = json.loads(result.stdout)
    return report


@contextlib.contextmanager
def container(engine: boxcheck.Engine, tag: str, **environment: str) -> Iterator[httpx.Client]:
    """The image, running hardened on a free port; a client for it."""
    port = free_port()
    variables = [f"--env={k}={v}" for k, v in (environment | {"PORT": str(port)}).items()]
    name = engine("run", "--detach", "--network", "host", *HARDENED, *variables, tag)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            wait_until(lambda: status(client, "/livez") == 200, 30, f"{tag} is alive")
            yield client
    finally:
        engine.try_("rm", "--force", "--time", "5", name)


def status(client: httpx.Client, path: str) -> int:
    """The status of an answer; 0 while nobody answers."""
    try:
        return client.get(path, timeout=5).status_code
    except httpx.TransportError:
        return 0


def most_added_mb(framework: str) -> float:
    """What the contract allows, unless the template's own budget says more, and why."""
    description = tomllib.loads((TEMPLATES / framework / "framework.toml").read_text())
    return float(description.get("budget", {}).get("image_mb", MOST_ADDED_MB))


@pytest.mark.contract("D1")
def test_the_image_runs_hardened_and_stops_at_once(
    image: Image, record_property: Callable[[str, object], None]
) -> None:
    report = image.report
    row = {key: report[key] for key in
           ("build_seconds", "added_mb", "seconds_to_healthy", "uid", "exit_code")}  # fmt: skip
    record_property("image", {"framework": image.framework} | row)
    assert report["problems"] == []
    assert report["hardened"] is True
    assert report["uid"] == 10001
    assert report["healthcheck_ok"] is True
    assert report["exit_code"] == 0
    assert report["seconds_to_stop"] < 5
    assert report["added_mb"] <= most_added_mb(image.framework)


@pytest.mark.contract("D1")
def test_the_image_carries_no_compiler_no_cache_and_no_uv(
    image: Image, engine: boxcheck.Engine
) -> None:
    search = ("import os, shutil; print([n for n in ('cc', 'gcc', 'uv') if shutil.which(n)], "
              "os.listdir('/app'), os.path.isdir('/root/.cache'))")  # fmt: skip
    said = engine("run", "--rm", "--entrypoint", "python", image.tag, "-c", search)
    assert said == "[] ['.venv'] False"


@pytest.mark.contract("D1")
def test_a_change_of_code_is_built_without_a_network(image: Image, engine: boxcheck.Engine) -> None:
    """The layer of dependencies is there; what follows downloads nothing."""
    app = image.folder / "src" / PACKAGE / "app.py"
    original = app.read_text()
    app.write_text(original + "\nCHANGED = True\n")
    try:
        tag = f"{image.tag}-changed"
        engine("build", "--format", "docker", "--network", "none", "--tag", tag, str(image.folder))
        changed = f"import {PACKAGE}.app as app; print(app.CHANGED)"
        said = engine("run", "--rm", "--entrypoint", "python", tag, "-c", changed)
        assert said.splitlines()[-1] == "True"
    finally:
        app.write_text(original)
        engine.try_("rmi", "--force", tag)


@pytest.mark.contract("D2")
def test_a_build_without_a_lock_says_what_to_do(
    image: Image, engine: boxcheck.Engine, tmp_path: Path
) -> None:
    shutil.copytree(image.folder, tmp_path / "service", ignore=shutil.ignore_patterns("uv.lock"))
    done = engine.try_("build", "--network", "host", str(tmp_path / "service"))
    assert done.returncode
    assert "`uv lock`" in done.stdout


@pytest.mark.contract("D2", "P3")
def test_with_postgresql_the_migrate_step_makes_it_ready(
    image: Image, engine: boxcheck.Engine
) -> None:
    """What compose.yaml does, by hand: a database, the service, the step between them."""
    with postgres() as server:
        url = server.create_database("stock", "svc", "secret")
        with container(engine, image.tag, DATABASE_URL=url) as client:
            assert status(client, "/readyz") == 503
            step = ["run", "--rm", "--network", "host", *HARDENED, "--env", f"DATABASE_URL={url}"]
            engine(*step, image.tag, "migrate")
            engine(*step, image.tag, "migrate")
            wait_until(lambda: status(client, "/readyz") == 200, 10, "ready after migrating")
            assert client.post("/v1/items", json={"name": "bolt"}).status_code == 201


@pytest.mark.contract("P4")
def test_what_is_in_the_volume_outlives_the_container(
    image: Image, engine: boxcheck.Engine
) -> None:
    volume = f"{NAME}-{os.getpid()}"
    port = free_port()
    start = ["run", "--detach", "--network", "host", *HARDENED, f"--env=PORT={port}",
             f"--volume={volume}:/data", image.tag]  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            for expected in (201, 409):
                name = engine(*start)
                try:
                    wait_until(lambda: status(client, "/readyz") == 200, 30, "ready")
                    answer = client.post("/v1/items", json={"name": "bolt"})
                    assert answer.status_code == expected
                finally:
                    engine.try_("rm", "--force", "--time", "5", name)
    finally:
        engine.try_("volume", "rm", "--force", volume)


def for_podman(manifests: list[Manifest], tag: str, port: int) -> list[Manifest]:
    """What podman understands of the manifests, with the image and a port of this machine."""
    kept = [
        m for m in manifests if m["kind"] in {"ConfigMap", "Deployment", "PersistentVolumeClaim"}
    ]
    for manifest in kept:
        if manifest["kind"] == "ConfigMap":
            manifest["data"]["PORT"] = str(port)
        if manifest["kind"] == "Deployment":
            container = manifest["spec"]["template"]["spec"]["containers"][0]
            container["image"] = tag
            # On the host's network podman maps no port, so there is no name for one.
            del container["ports"]
            for probe in PROBES:
                container[probe]["httpGet"]["port"] = port
    return kept


@pytest.mark.contract("D3")
def test_the_deployment_starts_and_its_probes_pass(
    image: Image,
    renderings: dict[tuple[str, str, str], Rendering],
    engine: boxcheck.Engine,
    tmp_path: Path,
) -> None:
    rendering = renderings[image.framework, "sqlite", "github"]
    port = free_port()
    manifests = json.loads(json.dumps(rendering.manifests))
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(for_podman(manifests, image.tag, port)))
    pod = rendering.the("Deployment")["spec"]["template"]["spec"]["containers"][0]
    try:
        engine("play", "kube", "--network", "host", str(file))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            for probe in PROBES:
                path = pod[probe]["httpGet"]["path"]
                wait_until(lambda path=path: status(client, path) == 200, 30, probe)  # type: ignore[misc]
            assert client.get("/v1/items", headers={"Host": NAME}).status_code == 200
            assert client.get("/v1/items", headers={"Host": "evil.test"}).status_code == 400
        assert running_as(engine) == {10001}
    finally:
        engine.try_("play", "kube", "--down", str(file))
        engine.try_("volume", "rm", "--force", NAME)


def running_as(engine: boxcheck.Engine) -> set[int]:
    """The uids, seen from outside, of the pod's containers."""
    names = engine("ps", "--filter", f"name={NAME}-pod", "--format", "{{.Names}}").split()
    pids = [int(engine("inspect", "--format", "{{.State.Pid}}", name)) for name in names
            if not name.endswith("-infra")]  # fmt: skip
    return {boxcheck.real_uid(pid) for pid in pids}
