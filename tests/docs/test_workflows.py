"""The release workflow, and the jobs that the pages show for others: valid, pinned, and tried."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scaffold import __version__
from tests.deployment.test_pipelines import NEWER_THAN_ACTIONLINT, actionlint
from tests.deployment.tools import accepts, expect_exit, run
from tests.docs.pages import DOCUMENTATION, blocks
from tests.services import REPOSITORY

RELEASE = REPOSITORY / ".github" / "workflows" / "release.yml"
ANYWHERE = os.environ["PATH"]


def shown(name: str) -> str:
    """The file of this name in the page about automation."""
    found = [b.body for b in blocks(DOCUMENTATION / "automation.md") if b.noted("file") == name]
    assert len(found) == 1, name
    return found[0]


@pytest.fixture(params=["release", "shown"])
def workflow(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A workflow for GitHub, in a repository of its own."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    name = ".github/workflows/new-service.yml"
    text = RELEASE.read_text(encoding="utf-8") if request.param == "release" else shown(name)
    path = folder / f"{request.param}.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_action_is_pinned_by_hash_and_says_its_version(workflow: Path) -> None:
    uses = re.findall(r"uses: (\S+?)@(\S+)(.*)", workflow.read_text(encoding="utf-8"))
    assert len(uses) >= 3
    for action, reference, comment in uses:
        assert re.fullmatch(r"[0-9a-f]{40}", reference), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action


def test_no_job_has_a_right_that_it_does_not_need(workflow: Path) -> None:
    jobs = load(workflow)["jobs"]
    writing = {
        name: {scope for scope, right in job["permissions"].items() if right == "write"}
        for name, job in jobs.items()
    }
    needed = {"publish": {"id-token", "attestations"}, "announce": {"contents"}}
    assert writing == {name: needed.get(name, set()) for name in jobs}
    assert load(workflow)["permissions"] == {}


def test_only_a_wheel_that_was_tried_is_published() -> None:
    jobs = load(RELEASE)["jobs"]
    order = {name: job.get("needs") for name, job in jobs.items()}
    assert order == {"build": None, "try": "build", "publish": "try", "announce": "publish"}
    assert jobs["publish"]["environment"]["name"] == "pypi"
    assert "password" not in RELEASE.read_text(encoding="utf-8")


@pytest.mark.slow
def test_zizmor_schema_and_actionlint_find_nothing(workflow: Path) -> None:
    accepts("check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow)
    accepts("zizmor", "--offline", "--no-progress", workflow.parent.parent)
    found = actionlint(workflow)
    assert [message for message in found if not message.startswith(NEWER_THAN_ACTIONLINT)] == []


@pytest.mark.slow
def test_the_job_for_gitlab_fits_its_schema(tmp_path: Path) -> None:
    (tmp_path / "ci.yml").write_text(shown(".gitlab-ci.yml"), encoding="utf-8")
    accepts("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", tmp_path / "ci.yml")


def load(workflow: Path) -> Any:
    return yaml.safe_load(workflow.read_text(encoding="utf-8"))


def step(job: str, name: str) -> str:
    """The shell of a step of the release."""
    steps = load(RELEASE)["jobs"][job]["steps"]
    script: str = next(one["run"] for one in steps if one.get("name") == name)
    return script


@pytest.mark.parametrize(
    ("tag", "changelog", "code"),
    [
        (f"v{__version__}", f"## [{__version__}] - 2026-12-01\n", 0),
        (f"v{__version__}", "## [Unreleased]\n", 1),
        ("v99.0.0", "## [99.0.0] - 2026-12-01\n", 1),
    ],
)
def test_a_tag_that_is_not_the_version_is_no_release(
    tmp_path: Path, tag: str, changelog: str, code: int
) -> None:
    (tmp_path / "scaffold").mkdir()
    source = (REPOSITORY / "scaffold" / "__init__.py").read_text(encoding="utf-8")
    (tmp_path / "scaffold" / "__init__.py").write_text(source, encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    script = step("build", "The tag is the version, and the changelog knows it")
    variables = {"PATH": ANYWHERE, "GITHUB_REF_NAME": tag}
    expect_exit(run(["bash", "-eo", "pipefail", "-c", script], cwd=tmp_path, env=variables), code)


def test_a_release_is_announced_with_its_part_of_the_changelog(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    gh = tmp_path / "bin" / "gh"
    gh.write_text('#!/bin/sh\necho "$@" > said\n')
    gh.chmod(0o755)
    (tmp_path / "dist").mkdir()
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## [Unreleased]\n\n- later\n\n## [1.2.0] - 2026-12-01\n\n"
        "### Added\n\n- this\n\n## [1.1.0] - 2026-11-01\n\n- earlier\n"
    )
    script = step("announce", "The part of the changelog that is about this version")
    variables = {"PATH": f"{tmp_path / 'bin'}:{ANYWHERE}", "GITHUB_REF_NAME": "v1.2.0"}
    expect_exit(run(["bash", "-eo", "pipefail", "-c", script], cwd=tmp_path, env=variables))
    assert (tmp_path / "notes.md").read_text().split() == ["###", "Added", "-", "this"]
    assert "release create v1.2.0" in (tmp_path / "said").read_text()


def test_the_version_stands_in_one_place() -> None:
    found = expect_exit(
        run(["git", "grep", "-lE", r'^(__version__|version) = "', "scaffold", "*.toml", "*.cfg"],
            cwd=REPOSITORY)
    ).stdout  # fmt: skip
    own = [name for name in found.splitlines() if not name.startswith(("examples/", "templates/"))]
    assert own == ["scaffold/__init__.py"]


def test_the_changelog_is_one_that_tools_can_read() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    heads = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert heads[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", head) for head in heads[1:])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "In your service"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= kinds
