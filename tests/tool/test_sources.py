"""Templates of an organisation's own, and of strangers: named, recorded, and never run."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

import pytest

from scaffold.catalog import settings
from scaffold.catalog.settings import Place
from scaffold.errors import SourceError
from tests.tool import invented
from tests.tool.conftest import Ran
from tests.tool.lineage import (
    FIRST,
    NEWER_GUIDE,
    SECOND,
    SOMEBODY,
    Lineage,
    Owned,
    commit,
    git,
    project_of,
)

COPIER = str(Path(sysconfig.get_paths()["scripts"]) / "copier")


@pytest.fixture
def fork(lineage: Lineage, tmp_path: Path) -> Path:
    """An organisation's own repository: the first release, with a tag and words of its own."""
    folder = tmp_path / "fork.git"  # copier knows an address by this end
    git(tmp_path, "clone", "--quiet", str(lineage.repository), str(folder))
    git(folder, "reset", "--hard", "--quiet", "HEAD~2")
    readme = project_of(folder) / "README.md.jinja"
    readme.write_text("# {{ name }}, by our rules\n")
    commit(folder, "Our rules")
    git(folder, "tag", "v1.0.0")
    return folder


def address(fork: Path) -> str:
    return fork.as_uri()


def second_release(fork: Path) -> None:
    (project_of(fork) / "guide.md").write_text(NEWER_GUIDE)
    (fork / "CHANGELOG.md").write_text("## [1.1.0] - x\n\n### In your service\n\n- Our guide.\n")
    commit(fork, "Second")
    git(fork, "tag", "v1.1.0")


def new(lineage: Lineage, folder: Path, *arguments: str, **environment: str) -> Ran:
    folder.mkdir(exist_ok=True)
    words = ("new", "my-svc", "--framework", "flask", "--no-lock", *arguments)
    return Owned(folder, lineage[SECOND]).run(*words, **environment)


@pytest.fixture
def service(lineage: Lineage, fork: Path, tmp_path: Path) -> Owned:
    ran = new(lineage, tmp_path / "out", SCAFFOLD_SOURCE=address(fork))
    assert ran.code == 0, ran.err
    return Owned(tmp_path / "out" / "my-svc", lineage[SECOND])


def without_scaffold(folder: Path, *arguments: str) -> None:
    """Runs copier where `import scaffold` fails, as for somebody who has copier alone."""
    blocker = folder.parent / "without-scaffold"
    blocker.mkdir(exist_ok=True)
    (blocker / "scaffold.py").write_text("raise ImportError('scaffold is not installed')\n")
    done = subprocess.run(
        [COPIER, *arguments],
        cwd=folder,
        env={
            **SOMEBODY,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder.parent),
            "PYTHONPATH": str(blocker),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# ---- an organisation's own


def test_new_takes_the_newest_tag_of_the_source_and_records_it(service: Owned, fork: Path) -> None:
    assert service.text("README.md") == "# my-svc, by our rules\n"
    answers = service.text(".copier-answers.yml")
    assert f'_src_path: "{address(fork)}"' in answers
    assert '_commit: "v1.0.0"' in answers


def test_update_reads_the_source_that_the_service_records(service: Owned, fork: Path) -> None:
    second_release(fork)
    (checked,) = service.run("check", ".", "--json").json["services"]
    assert (checked["version"], checked["newest"], checked["behind"]) == ("v1.0.0", "v1.1.0", True)
    shown = service.update("--json").json
    assert (shown["from"], shown["to"]) == ("v1.0.0", "v1.1.0")
    assert shown["changes"] == [{"version": "1.1.0", "items": ["Our guide."]}]
    assert service.text("guide.md") == NEWER_GUIDE
    commit(service.folder)
    assert service.run("check", ".").code == 0


def test_plain_copier_updates_it_too(service: Owned, fork: Path) -> None:
    second_release(fork)
    service.edit({"README.md": "# The owner's\n"})
    without_scaffold(service.folder, "update", "--defaults", "--quiet")
    assert service.text("guide.md") == NEWER_GUIDE
    assert service.text("README.md") == "# The owner's\n"
    assert "v1.1.0" in service.text(".copier-answers.yml")


def test_what_plain_copier_made_is_updated_by_scaffold(
    lineage: Lineage, fork: Path, tmp_path: Path
) -> None:
    given = ("--data", "name=my-svc", "--data", "framework=flask", "--defaults", "--quiet")
    without_scaffold(tmp_path, "copy", *given, address(fork), "my-svc")
    service = Owned(tmp_path / "my-svc", lineage[SECOND])
    git(service.folder, "init", "--quiet")
    commit(service.folder)
    second_release(fork)
    assert service.update().code == 0
    assert service.text("guide.md") == NEWER_GUIDE


def test_the_config_file_names_the_source_too_and_the_environment_wins(
    lineage: Lineage, fork: Path, tmp_path: Path
) -> None:
    (tmp_path / "config" / "scaffold").mkdir(parents=True)
    config = tmp_path / "config" / "scaffold" / "config.toml"
    config.write_text(f"source = {json.dumps(address(fork))}\n")
    home = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert new(lineage, tmp_path / "one", **home).code == 0
    made = (tmp_path / "one/my-svc/.copier-answers.yml").read_text()
    assert address(fork) in made
    assert new(lineage, tmp_path / "two", "--json", SCAFFOLD_SOURCE="", **home).code == 0
    assert address(fork) not in (tmp_path / "two/my-svc/.copier-answers.yml").read_text()


def test_questions_of_the_source_are_flags(lineage: Lineage, fork: Path, tmp_path: Path) -> None:
    with (fork / "copier.yml").open("a") as questions:
        questions.write("\nzone:\n  type: str\n  help: Which zone?\n  default: inner\n")
    (project_of(fork) / "zone.md.jinja").write_text("{{ zone }}\n")
    commit(fork)
    git(fork, "tag", "v1.2.0")
    made = new(lineage, tmp_path / "out", "--zone", "outer", SCAFFOLD_SOURCE=address(fork))
    assert made.code == 0, made.err
    assert (tmp_path / "out/my-svc/zone.md").read_text() == "outer\n"


def test_the_figures_of_the_source_are_shown_and_used(
    lineage: Lineage, fork: Path, tmp_path: Path
) -> None:
    there = Owned(tmp_path, lineage[FIRST])
    asked = ("advise", "--load", "rate", "--rank-by", "benchmarks", "--json")
    without = there.run(*asked, SCAFFOLD_SOURCE=address(fork))
    assert (without.code, without.json["error"]["kind"]) == (2, "not-measured")
    invented.write(fork)
    commit(fork)
    git(fork, "tag", "v1.2.0")
    ran = there.run(*asked, SCAFFOLD_SOURCE=address(fork))
    assert ran.json["ranking"][0]["framework"] == "flask", ran.err
    listed = there.run("list", SCAFFOLD_SOURCE=address(fork))
    assert "one core of Invented CPU" in " ".join(listed.out.split())
    (fork / "measured.json").write_text("{}")
    commit(fork)
    git(fork, "tag", "v1.3.0")
    refused = there.run(*asked, SCAFFOLD_SOURCE=address(fork))
    assert refused.json["error"]["kind"] == "source-refuses"
    assert refused.json["error"]["message"] == "measured.json: machine is missing."


def test_help_needs_no_source(lineage: Lineage, tmp_path: Path) -> None:
    absent = (tmp_path / "absent").as_uri()
    assert Owned(tmp_path, lineage[FIRST]).run("--help", SCAFFOLD_SOURCE=absent).code == 0


def test_a_source_that_cannot_be_read_is_said(lineage: Lineage, tmp_path: Path) -> None:
    absent = (tmp_path / "absent").as_uri()
    ran = new(lineage, tmp_path / "out", "--json", SCAFFOLD_SOURCE=absent)
    assert (ran.code, ran.json["error"]["kind"]) == (3, "source-refuses")
    assert absent in ran.json["error"]["message"]
    assert not (tmp_path / "out/my-svc").exists()


# ---- a stranger's


def test_a_revision_can_be_named(lineage: Lineage, fork: Path, tmp_path: Path) -> None:
    pinned = git(fork, "rev-parse", "HEAD").strip()
    second_release(fork)
    ran = new(lineage, tmp_path / "out", SCAFFOLD_SOURCE=f"{address(fork)}#{pinned}")
    assert ran.code == 0, ran.err
    service = Owned(tmp_path / "out/my-svc", lineage[SECOND])
    assert f'_commit: "{pinned}"' in service.text(".copier-answers.yml")
    assert service.run("check", ".", SCAFFOLD_SOURCE=f"{address(fork)}#{pinned}").code == 0
    assert service.update(SCAFFOLD_SOURCE=f"{address(fork)}#v1.1.0").code == 0
    assert service.text("guide.md") == NEWER_GUIDE


@pytest.mark.parametrize(
    "wanted",
    [
        '_tasks: ["touch RAN"]\n',
        '_migrations: [{version: v1.1.0, command: "touch RAN"}]\n',
        "_jinja_extensions: [os.path]\n",
    ],
    ids=["tasks", "migrations", "extensions"],
)
def test_nothing_that_templates_name_is_ever_run(
    service: Owned, fork: Path, tmp_path: Path, wanted: str
) -> None:
    ran = tmp_path / "ran"
    with (fork / "copier.yml").open("a") as questions:
        questions.write(wanted.replace("RAN", str(ran)))
    second_release(fork)
    told = service.update("--json")
    assert (told.code, told.json["error"]["kind"]) == (3, "source-refuses")
    assert "would run programs" in told.json["error"]["message"]
    made = new_from(service, fork, tmp_path / "again")
    assert made.code == 3
    assert not ran.exists()
    assert service.state == ""


def new_from(service: Owned, fork: Path, folder: Path) -> Ran:
    folder.mkdir()
    words = ("new", "my-svc", "--framework", "flask", "--no-lock")
    return Owned(folder, service.tool).run(*words, SCAFFOLD_SOURCE=address(fork))


def test_hooks_of_a_source_are_not_run(lineage: Lineage, fork: Path, tmp_path: Path) -> None:
    for name in ("post-checkout", "post-merge", "pre-commit"):
        hook = fork / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        hook.chmod(0o755)
    assert new(lineage, tmp_path / "out", SCAFFOLD_SOURCE=address(fork)).code == 0
    assert not (tmp_path / "ran").exists()


def test_templates_that_read_beyond_their_own_files_are_refused(
    lineage: Lineage, fork: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret\n")
    (project_of(fork) / "stolen.md").symlink_to(tmp_path / "secret")
    commit(fork)
    git(fork, "tag", "v1.0.1")
    ran = new(lineage, tmp_path / "out", "--json", SCAFFOLD_SOURCE=address(fork))
    stolen = tmp_path / "out/my-svc/stolen.md"
    assert ran.code == 3 or not stolen.exists() or stolen.is_symlink()
    assert "secret" not in ran.out


# ---- what may name a source


@pytest.mark.parametrize(
    "text",
    [
        "https://git.example.com/team/templates.git",
        "https://git.example.com/team/templates.git#v1.2.0",
        "ssh://git@git.example.com/team/templates.git",
        "git@git.example.com:team/templates.git",
        "file:///srv/templates.git",
        "/srv/templates.git#0fe62a01d5c1f0a1e3d5c1f0a1e3d5c1f0a1e3d5",
    ],
)
def test_addresses_that_git_knows_can_be_named(text: str) -> None:
    address, _, revision = text.partition("#")
    assert settings.source({settings.VARIABLE: text}) == Place(address, revision or None)


@pytest.mark.parametrize(
    ("recorded", "url"),
    [
        ("gh:team/templates", "https://github.com/team/templates.git"),
        ("gl:team/sub/templates.git", "https://gitlab.com/team/sub/templates.git"),
        ("git+https://git.example.com/t.git", "https://git.example.com/t.git"),
        ("https://git.example.com/t.git", "https://git.example.com/t.git"),
    ],
)
def test_what_copier_records_of_an_address_is_understood(recorded: str, url: str) -> None:
    assert settings.place(recorded, "the record").url == url


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://ada:secret@git.example.com/t.git", "credential helper"),
        ("https://token@git.example.com/t.git", "credential helper"),
        ("ext::sh -c touch% /tmp/x", "white space"),
        ("ext::sh", "run a program"),
        ("--upload-pack=touch", "dash"),
        ("templates", "absolute path"),
        ("../templates", "absolute path"),
        ("gh:templates", "absolute path"),
        ("git+https://ada:secret@git.example.com/t.git", "credential helper"),
        ("https://git.example.com/t.git#--output=x", "tag or a commit"),
        ("https://git.example.com/t.git#a b", "tag or a commit"),
    ],
)
def test_what_would_run_or_leak_something_is_refused(text: str, why: str) -> None:
    with pytest.raises(SourceError, match=why) as refused:
        settings.source({settings.VARIABLE: text})
    assert "secret" not in str(refused.value)


def test_a_service_cannot_name_what_a_setting_cannot(service: Owned, tmp_path: Path) -> None:
    """Its record is a file that anybody may have written."""
    answers = service.text(".copier-answers.yml")
    lines = [line for line in answers.splitlines() if not line.startswith("_src_path")]
    ran = tmp_path / "ran"
    lines.append(f'_src_path: "ext::sh -c touch% {ran}"')
    service.edit({".copier-answers.yml": "\n".join(lines) + "\n"})
    told = service.update("--json")
    assert (told.code, told.json["error"]["kind"]) == (3, "source-refuses")
    assert service.run("check", ".").code == 3
    assert not ran.exists()
