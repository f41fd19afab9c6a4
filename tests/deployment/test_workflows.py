"""This repository's own workflows: valid, pinned, with no right too many."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment.test_pipelines import actionlint
from tests.deployment.tools import accepts
from tests.services import REPOSITORY, TEMPLATES

FOLDER = REPOSITORY / ".github"
WORKFLOWS = sorted(FOLDER.glob("workflows/*.yml"))
WRITES = {
    ("nightly.yml", "publish"): {"pages", "id-token"},
    ("nightly.yml", "tell"): {"issues"},
    ("release.yml", "publish"): {"id-token", "attestations"},
    ("release.yml", "announce"): {"contents"},
    ("floors.yml", "propose"): {"contents", "pull-requests"},
}
NEWER_THAN_ACTIONLINT = ('undefined variable "vars"', 'unknown permission scope "attestations"')
RUNS_THE_PROJECT = r"\.venv|prepare"

workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())["jobs"]
    return found


def test_they_fit_their_schemas() -> None:
    accepts("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)


def test_zizmor_finds_nothing() -> None:
    accepts("zizmor", "--offline", "--no-progress", FOLDER)


@workflow
def test_actionlint_finds_nothing(path: Path) -> None:
    unforeseen = [said for said in actionlint(path) if not said.startswith(NEWER_THAN_ACTIONLINT)]
    assert unforeseen == []


@workflow
def test_every_action_is_pinned_as_the_templates_pin_it(path: Path) -> None:
    templates = (TEMPLATES / "shared/ci/github.yml.jinja").read_text()
    pinned = dict(re.findall(r"uses: ([\w./-]+)@(\S+ # \S+)", templates))
    for action, reference in re.findall(r"uses: ([\w/-][\w./-]*)@(.+)", path.read_text()):
        assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", reference), action
        assert pinned.get(action, reference) == reference, f"{action}: one version everywhere"


@workflow
def test_a_job_may_write_only_what_it_is_there_for(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {}
    for name, job in jobs(path).items():
        may_write = {scope for scope, right in job["permissions"].items() if right == "write"}
        assert may_write == WRITES.get((path.name, name), set()), name
        assert "timeout-minutes" in job, name


@workflow
def test_what_may_write_runs_nothing_of_the_project(path: Path) -> None:
    for name, job in jobs(path).items():
        if (path.name, name) in WRITES:
            said = yaml.safe_dump(job["steps"])
            assert not re.search(RUNS_THE_PROJECT, said), name


def test_the_nightly_run_needs_no_one_to_start_it_and_leaves_nothing_out() -> None:
    path = FOLDER / "workflows/nightly.yml"
    assert "schedule" in yaml.safe_load(path.read_text())[True]
    found = jobs(path)
    assert found["prove"]["strategy"]["matrix"] == "${{ fromJSON(needs.matrix.outputs.shards) }}"
    assert found["prove"]["strategy"]["fail-fast"] is False
    assert set(found["report"]["needs"]) == {"prove", "break"}
    assert set(found["tell"]["needs"]) == {"report", "update", "slow"}
    slow = yaml.safe_dump(found["slow"]["steps"])
    assert all(folder in slow for folder in ("tests/tool", "tests/templates", "tests/docs"))
    steps = yaml.safe_dump(found["report"]["steps"])
    assert "nightly report --whole" in steps
