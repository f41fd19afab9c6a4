"""The jobs of the page about updating: a pull request for each release of the template.

Each runs as it stands on the page, in a shallow clone of a bare repository. GitHub's `gh` and `uvx`
are stand-ins that write down what they are told; GitLab's side is a bare repository that takes push
options, as GitLab does.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.deployment.test_pipelines import actionlint
from tests.deployment.tools import accepts
from tests.docs.pages import DOCUMENTATION, blocks
from tests.tool.lineage import FIRST, NEWER_GUIDE, SECOND, Lineage, commit, git
from tests.tool.test_update import owned

GITHUB = ".github/workflows/template-update.yml"
GITLAB = "template-update.gitlab-ci.yml"
BRANCH = f"template-update-v{SECOND}"
TITLE = f"Update the template from v{FIRST} to v{SECOND}"
UVX = '[ "$1 $2" = "--from scaffold-microservices" ] && shift 2 && exec "$@"\n'
# Both write down the options of what is opened, a line for each.
GH = """[ "$1" = pr ] || exit 0
[ ! -e {room}/refuse ] || exit 1
printf '%q ' "$@" >>{room}/proposed
echo >>{room}/proposed
"""
TAKES_OPTIONS = """[ "${{GIT_PUSH_OPTION_COUNT:-0}}" != 0 ] || exit 0
for number in $(seq 0 $((GIT_PUSH_OPTION_COUNT - 1))); do
  option="GIT_PUSH_OPTION_$number"
  printf '%q ' "${{!option}}" >>{room}/proposed
done
echo >>{room}/proposed
"""
HOST, PROJECT = "git.example.com", "team/my-svc"


def shown(name: str) -> str:
    found = [b.body for b in blocks(DOCUMENTATION / "updating.md") if b.noted("file") == name]
    assert len(found) == 1, name
    return found[0]


def executable(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/bash\n{text}")
    path.chmod(0o755)


@dataclass(frozen=True)
class Forge:
    """A bare repository with a service, and the job that its schedule starts."""

    kind: str
    bare: Path
    room: Path

    def runs(self, code: int = 0) -> str:
        """Runs the job in a new clone, as a runner does; returns what it prints."""
        clone = self.room / "clone"
        shutil.rmtree(clone, ignore_errors=True)
        git(self.room, "clone", "--quiet", "--depth=1", self.bare.as_uri(), str(clone))
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", self._script],
            cwd=clone,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    @property
    def _script(self) -> str:
        if self.kind == "github":
            return str(yaml.safe_load(shown(GITHUB))["jobs"]["update"]["steps"][-1]["run"])
        return str(yaml.safe_load(shown(GITLAB))["template-update"]["script"][-1])

    @property
    def _environment(self) -> dict[str, str]:
        home = {"HOME": str(self.room), "GIT_CONFIG_NOSYSTEM": "1"}
        own = {"PATH": f"{self.room / 'bin'}:/usr/bin:/bin", "LANG": "C.UTF-8"}
        if self.kind == "github":
            return home | own | {"RUNNER_TEMP": str(self.room), "BASE": "main", "GH_TOKEN": "x"}
        variables = {"CI_SERVER_HOST": HOST, "CI_PROJECT_PATH": PROJECT}
        return home | own | variables | {"CI_DEFAULT_BRANCH": "main", "TEMPLATE_UPDATE_TOKEN": "t"}

    @property
    def branches(self) -> set[str]:
        return set(git(self.bare, "branch", "--format=%(refname:short)").split())

    @property
    def proposed(self) -> list[list[str]]:
        """The options of each pull or merge request that was opened."""
        said = self.room / "proposed"
        lines = said.read_text().splitlines() if said.exists() else []
        return [shlex.split(line) for line in lines]

    def file(self, branch: str, name: str) -> str:
        return git(self.bare, "show", f"{branch}:{name}")


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest, lineage: Lineage, made: Path, tmp_path: Path) -> Forge:
    """With a service of the first release; the job has the second."""
    bare = tmp_path / "forge.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    service = owned(made / FIRST, tmp_path / "my-svc", lineage[SECOND]).folder
    git(service, "push", "--quiet", str(bare), "HEAD:refs/heads/main")
    (tmp_path / "bin").mkdir()
    tool = lineage[SECOND]
    command = shlex.join(["env", f"PYTHONPATH={tool.root}", sys.executable, "-P", "-m", "scaffold"])
    executable(tmp_path / "bin" / "scaffold", f'exec {command} "$@"\n')
    executable(tmp_path / "bin" / "uvx", UVX)
    executable(tmp_path / "bin" / "gh", GH.format(room=tmp_path))
    if request.param == "gitlab":
        git(bare, "config", "receive.advertisePushOptions", "true")
        executable(bare / "hooks" / "pre-receive", TAKES_OPTIONS.format(room=tmp_path))
        address = f"https://template-update:t@{HOST}/{PROJECT}.git"
        (tmp_path / ".gitconfig").write_text(f'[url "{bare.as_uri()}"]\n  insteadOf = {address}\n')
    return Forge(request.param, bare, tmp_path)


def edited(forge: Forge, files: dict[str, str]) -> None:
    work = forge.room / "work"
    git(forge.room, "clone", "--quiet", str(forge.bare), str(work))
    for name, text in files.items():
        (work / name).write_text(text)
    commit(work)
    git(work, "push", "--quiet", "origin", "main")


def test_a_newer_release_is_proposed_once(forge: Forge) -> None:
    forge.runs()
    assert forge.branches == {"main", BRANCH}
    assert forge.file(BRANCH, "guide.md") == NEWER_GUIDE
    assert forge.file("main", "guide.md") != NEWER_GUIDE
    assert f'_commit: "v{SECOND}"' in forge.file(BRANCH, ".copier-answers.yml")
    message = git(forge.bare, "log", "-1", "--format=%B", BRANCH)
    assert message.startswith(f"{TITLE}\n")
    (options,) = forge.proposed
    if forge.kind == "github":
        assert options[:6] == ["pr", "create", "--base", "main", "--head", BRANCH]
        assert options[options.index("--title") + 1] == TITLE
        assert "--draft" not in options
    else:
        assert options == [
            "merge_request.create",
            "merge_request.target=main",
            f"merge_request.title={TITLE}",
        ]
    before = git(forge.bare, "rev-parse", BRANCH)
    assert f"{BRANCH} exists already." in forge.runs()
    assert (git(forge.bare, "rev-parse", BRANCH), len(forge.proposed)) == (before, 1)


def test_a_conflict_is_a_draft_that_names_the_file(forge: Forge) -> None:
    edited(forge, {"guide.md": NEWER_GUIDE.replace("line 3, said better", "line 3, by its owner")})
    forge.runs()
    assert "<<<<<<<" in forge.file(BRANCH, "guide.md")
    message = git(forge.bare, "log", "-1", "--format=%B", BRANCH)
    assert "- `guide.md`: " in message
    (options,) = forge.proposed
    assert "--draft" in options or any("title=Draft: " in option for option in options)
    if forge.kind == "github":
        assert "- `guide.md`: " in (forge.room / "body.md").read_text()


@pytest.mark.slow
def test_a_service_that_is_up_to_date_is_left_alone(forge: Forge) -> None:
    forge.runs()
    git(forge.bare, "update-ref", "refs/heads/main", BRANCH)
    git(forge.bare, "branch", "--quiet", "-D", BRANCH)
    assert "The service is up to date." in forge.runs()
    assert (forge.branches, len(forge.proposed)) == ({"main"}, 1)


@pytest.mark.slow
def test_a_refusal_fails_the_job_with_its_reason(forge: Forge) -> None:
    edited(forge, {".copier-answers.yml": "{}\n"})
    said = forge.runs(code=3)
    assert json.loads(said)["error"]["kind"] == "not-a-service"
    assert (forge.branches, forge.proposed) == ({"main"}, [])


@pytest.mark.slow
@pytest.mark.parametrize("forge", ["github"], indirect=True)
def test_a_pull_request_that_cannot_be_opened_leaves_no_branch(forge: Forge) -> None:
    (forge.room / "refuse").touch()
    forge.runs(code=1)
    assert forge.branches == {"main"}
    (forge.room / "refuse").unlink()
    forge.runs()
    assert forge.branches == {"main", BRANCH}


def test_the_workflow_is_pinned_and_may_read_alone() -> None:
    workflow = yaml.safe_load(shown(GITHUB))
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["update"]["permissions"] == {"contents": "read"}


@pytest.mark.slow
def test_schemas_zizmor_and_actionlint_find_nothing(tmp_path: Path) -> None:
    for name, schema in ((GITHUB, "vendor.github-workflows"), (GITLAB, "vendor.gitlab-ci")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(shown(name), encoding="utf-8")
        accepts("check-jsonschema", "--builtin-schema", schema, tmp_path / name)
    accepts("zizmor", "--offline", "--no-progress", tmp_path / ".github")
    assert actionlint(tmp_path / GITHUB) == []
