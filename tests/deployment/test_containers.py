"""The image: built, run as hard as it will be, stopped; and started as a cluster would.

There is no registry here and no Docker: podman runs the images, on stand-ins of their bases that
``boxcheck`` makes from this machine's own Python and from uv's wheel.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import sys
import tomllib
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deployment import boxcheck
from tests.deployment.conftest import Manifest, Rendering
from tests.deployment.tools import run
from tests.servers import Postgres, free_port, postgres, wait_until
from tests.services import NAME, PACKAGE, TEMPLATES, Projects, uv

pytestmark = [pytest.mark.container, pytest.mark.slow]

MOST_ADDED_MB = 100
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
HARDENED = ("--read-only", "--tmpfs", "/tmp:rw,size=64m", "--cap-drop", "ALL", "--security-opt",
            "no-new-privileges", "--memory", "256m", "--pids-limit", "256")  # fmt: skip


@dataclass(frozen=True)
class Image:
    """The image of one service, and what building, running and stopping it once has shown."""

    rendering: Rendering
    tag: str
    folder: Path
    report: dict[str, Any]

    @property
    def framework(self) -> str:
        return self.rendering.framework


Images = Callable[[str, str], Image]
"""Gives the image of a framework's service on a database."""


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A PostgreSQL for all the containers; each gets a database of its own."""
    with postgres() as one:
        yield one


@pytest.fixture(scope="session")
def images(
    engine: boxcheck.Engine,
    server: Postgres,
    projects: Projects,
    renderings: dict[tuple[str, str, str], Rendering],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Images]:
    """Each is built when it is first asked for; layers that are alike are made once."""
    made: dict[tuple[str, str], Image] = {}
    by_database = {(r.framework, r.database): r for r in renderings.values()}

    def image(framework: str, database: str) -> Image:
        if (framework, database) not in made:
            folder = tmp_path_factory.mktemp("image") / "service"
            rendering = by_database[framework, database]
            shutil.copytree(rendering.folder, folder)
            uv(folder, "lock")
            tag = f"localhost/{NAME}-{framework}-{database}:{os.getpid()}"
            needed = {"DATABASE_URL": new_database(server), **projects.surroundings(framework)}
            # On SQLite nothing needs to be set.
            report = build_and_run(folder, tag, needed if database == "postgresql" else {})
            made[framework, database] = Image(rendering, tag, folder, report)
        return made[framework, database]

    yield image
    if made:  # each call takes seconds, however many it removes
        engine.try_("rmi", "--force", *(one.tag for one in made.values()))


@pytest.fixture
def sqlite_image(framework: str, images: Images) -> Image:
    return images(framework, "sqlite")


@pytest.fixture
def postgresql_image(framework: str, images: Images) -> Image:
    return images(framework, "postgresql")


@pytest.fixture(params=["sqlite", "postgresql"])
def image(request: pytest.FixtureRequest, framework: str, images: Images) -> Image:
    """The test runs for both databases."""
    return images(framework, request.param)


def new_database(server: Postgres) -> str:
    return server.create_database(f"stock_{uuid.uuid4().hex}", "svc", "secret")


def build_and_run(folder: Path, tag: str, environment: dict[str, str]) -> dict[str, Any]:
    port = free_port()
    given = variables({**environment, "PORT": str(port)})
    result = run([sys.executable, boxcheck.__file__, "check", folder, "--hardened", "--tag", tag,
                  *given, "--url", f"http://127.0.0.1:{port}/livez"])  # fmt: skip
    if not result.stdout:
        pytest.fail(result.stderr[-6000:], pytrace=False)
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def variables(environment: Mapping[str, str]) -> list[str]:
    return [f"--env={name}={value}" for name, value in environment.items()]


@contextlib.contextmanager
def container(
    engine: boxcheck.Engine, tag: str, environment: Mapping[str, str], *options: str
) -> Iterator[tuple[httpx.Client, str]]:
    """The image, running hardened on a free port: a client for it, and its name."""
    port = free_port()
    given = variables({**environment, "PORT": str(port)})
    name = engine("run", "--detach", "--network", "host", *HARDENED, *given, *options, tag)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            wait_until(lambda: status(client, "/livez") == 200, 30, f"{tag} is alive")
            yield client, name
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
    columns = ("build_seconds", "added_mb", "seconds_to_healthy", "uid", "exit_code")
    row = {"framework": image.framework, "database": image.rendering.database}
    record_property("image", row | {column: report.get(column) for column in columns})
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
def test_a_change_of_code_is_built_without_a_network(
    sqlite_image: Image, engine: boxcheck.Engine
) -> None:
    """The layer of dependencies is there; what follows downloads nothing."""
    app = sqlite_image.folder / "src" / PACKAGE / "app.py"
    original = app.read_text()
    app.write_text(original + "\nCHANGED = True\n")
    try:
        tag = f"{sqlite_image.tag}-changed"
        folder = str(sqlite_image.folder)
        engine("build", "--format", "docker", "--network", "none", "--tag", tag, folder)
        # Read, not imported: some applications ask for their settings at once.
        find = f"import importlib.util as u; print(u.find_spec('{PACKAGE}').origin)"
        origin = Path(engine("run", "--rm", "--entrypoint", "python", tag, "-c", find))
        there = str(origin.with_name("app.py"))
        assert "CHANGED = True" in engine("run", "--rm", "--entrypoint", "cat", tag, there)
    finally:
        app.write_text(original)
        engine.try_("rmi", "--force", tag)


@pytest.mark.contract("D2")
def test_a_build_without_a_lock_says_what_to_do(
    sqlite_image: Image, engine: boxcheck.Engine, tmp_path: Path
) -> None:
    unlocked = shutil.ignore_patterns("uv.lock")
    shutil.copytree(sqlite_image.folder, tmp_path / "service", ignore=unlocked)
    done = engine.try_("build", "--network", "host", str(tmp_path / "service"))
    assert done.returncode
    assert "`uv lock`" in done.stdout


@pytest.mark.contract("D2", "P3")
def test_with_postgresql_the_migrate_step_makes_it_ready(
    postgresql_image: Image, server: Postgres, projects: Projects, engine: boxcheck.Engine
) -> None:
    """What compose.yaml does, by hand: a database, the service, the step between them."""
    tag = postgresql_image.tag
    surroundings = projects.surroundings(postgresql_image.framework)
    environment = {"DATABASE_URL": new_database(server), **surroundings}
    step = ["run", "--rm", "--network", "host", *HARDENED, *variables(environment), tag, "migrate"]
    with container(engine, tag, environment) as (client, _):
        assert status(client, "/readyz") == 503
        engine(*step)
        engine(*step)
        wait_until(lambda: status(client, "/readyz") == 200, 10, "ready after migrating")
        assert client.post("/v1/items", json={"name": "bolt"}).status_code == 201


@pytest.mark.contract("P4")
def test_what_is_in_the_volume_outlives_the_container(
    sqlite_image: Image, projects: Projects, engine: boxcheck.Engine
) -> None:
    volume = f"{NAME}-{os.getpid()}"
    environment = projects.surroundings(sqlite_image.framework)
    try:
        for expected in (201, 409):
            mount = f"--volume={volume}:/data"
            with container(engine, sqlite_image.tag, environment, mount) as (client, _):
                wait_until(lambda: status(client, "/readyz") == 200, 10, "ready")
                assert client.post("/v1/items", json={"name": "bolt"}).status_code == expected
    finally:
        engine.try_("volume", "rm", "--force", volume)


@pytest.mark.contract("D1", "P5")
def test_the_first_process_of_a_container_drains_and_ends_well(
    sqlite_image: Image, projects: Projects, engine: boxcheck.Engine
) -> None:
    environment = {"DRAIN_SECONDS": "2", **projects.surroundings(sqlite_image.framework)}
    with container(engine, sqlite_image.tag, environment) as (client, name):
        wait_until(lambda: status(client, "/readyz") == 200, 10, "ready")
        engine("kill", "--signal", "TERM", name)
        wait_until(lambda: status(client, "/readyz") == 503, 2, "not ready while draining")
        assert client.get("/v1/items").status_code == 200
        assert engine.try_("wait", name, timeout=20).stdout.strip() == "0"


def secrets(manifests: list[Manifest], values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The secrets that the pods ask for, by name."""
    found: dict[str, dict[str, str]] = {}
    for manifest in manifests:
        if manifest["kind"] in {"Deployment", "Job"}:
            pod = manifest["spec"]["template"]["spec"]
            for variable in pod["containers"][0].get("env", []):
                reference = variable["valueFrom"]["secretKeyRef"]
                if reference.get("optional"):
                    continue
                found.setdefault(reference["name"], {})[reference["key"]] = values[variable["name"]]
    return found


def for_podman(manifests: list[Manifest], tag: str, port: int) -> dict[str, list[Manifest]]:
    """What podman understands of the manifests, with the image and a port of this machine.

    Under "Job" the job as the pod that a cluster would make of it, under "Deployment" the rest.
    """
    parts: dict[str, list[Manifest]] = {"Job": [], "Deployment": []}
    for manifest in json.loads(json.dumps(manifests)):
        match manifest["kind"]:
            case "ConfigMap":
                manifest["data"]["PORT"] = str(port)
                parts["Job"].append(manifest)
                parts["Deployment"].append(manifest)
            case "PersistentVolumeClaim":
                parts["Deployment"].append(manifest)
            case "Deployment":
                container = manifest["spec"]["template"]["spec"]["containers"][0]
                container["image"] = tag
                # On the host's network podman maps no port, so there is no name for one.
                del container["ports"]
                for probe in PROBES:
                    container[probe]["httpGet"]["port"] = port
                parts["Deployment"].append(manifest)
            case "Job":
                pod = manifest["spec"]["template"]
                pod["spec"]["containers"][0]["image"] = tag
                pod["metadata"]["name"] = manifest["metadata"]["name"]
                parts["Job"].append({"apiVersion": "v1", "kind": "Pod", **pod})
    return parts


@pytest.mark.contract("D3", "P3")
def test_the_deployment_starts_and_its_probes_pass(
    image: Image,
    server: Postgres,
    projects: Projects,
    engine: boxcheck.Engine,
    tmp_path: Path,
) -> None:
    """The manifests of the overlay: after the job, with PostgreSQL, the deployment is ready."""
    rendering = image.rendering
    port = free_port()
    parts = for_podman(rendering.manifests, image.tag, port)
    values = {"DATABASE_URL": new_database(server), **projects.surroundings(image.framework)}
    probes = rendering.the("Deployment")["spec"]["template"]["spec"]["containers"][0]
    with given_secrets(engine, secrets(rendering.manifests, values), tmp_path):
        if rendering.of_kind("Job"):
            with played(engine, parts["Job"], tmp_path) as (name,):
                assert engine.try_("wait", name, timeout=60).stdout.strip() == "0"
        with (
            played(engine, parts["Deployment"], tmp_path) as (name,),
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        ):
            for probe in PROBES:
                path = probes[probe]["httpGet"]["path"]
                wait_until(lambda path=path: status(client, path) == 200, 30, probe)  # type: ignore[misc]
            assert client.get("/v1/items", headers={"Host": NAME}).status_code == 200
            assert client.get("/v1/items", headers={"Host": "evil.test"}).status_code == 400
            pid = int(engine("inspect", "--format", "{{.State.Pid}}", name))
            assert boxcheck.real_uid(pid) == 10001


@contextlib.contextmanager
def given_secrets(
    engine: boxcheck.Engine, wanted: Mapping[str, Mapping[str, str]], folder: Path
) -> Iterator[None]:
    """The secrets, in podman's own store while the block lasts."""
    for name, values in wanted.items():
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        # podman 4 takes the data of a Secret alone.
        (folder / "secret.json").write_text(json.dumps(data))
        engine("secret", "create", name, str(folder / "secret.json"))
    try:
        yield
    finally:
        for name in wanted:
            engine.try_("secret", "rm", name)


@contextlib.contextmanager
def played(engine: boxcheck.Engine, manifests: list[Manifest], folder: Path) -> Iterator[list[str]]:
    """The containers that podman starts for the manifests, by name, without its own pause."""
    file = folder / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(manifests))
    try:
        engine("play", "kube", "--network", "host", str(file))
        names = engine("ps", "--all", "--filter", f"name={NAME}", "--format", "{{.Names}}").split()
        yield [name for name in names if not name.endswith("-infra")]
    finally:
        engine.try_("play", "kube", "--down", str(file))
        engine.try_("volume", "rm", "--force", NAME)
