"""The command as scripts, agents and people without a terminal meet it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from scaffold import __version__, programs
from scaffold.errors import ProgramFailed
from tests.tool.conftest import WITH_TEMPLATE, Checkout

COMMANDS = ["list", "show", "advise", "schema", "new"]
EXAMPLE = {
    "name": "item",
    "plural": "items",
    "fields": [
        {"name": "name", "type": "str", "min": 1, "max": 100, "unique": True},
        {"name": "quantity", "type": "int", "min": 0, "max": 1_000_000, "default": 0},
    ],
}
HOSTILE = 'It\'s "fine" \\ {{ 7 * 7 }} {% raw %} $(id) `id` <b> 💚 # : - null'


def tree(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


# ---- new


def test_new_makes_a_service_and_says_how_to_go_on(checkout: Checkout, tmp_path: Path) -> None:
    ran = checkout.new("my-svc", "--framework", "flask", "--author", "The team", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert sorted(tree(tmp_path / "my-svc")) == [
        ".copier-answers.yml",
        ".github/ci.yml",
        "README.md",
        "about.json",
        "src/my_svc/__init__.py",
        "src/my_svc/app.py",
    ]
    shown = ran.out.splitlines()
    assert shown[0] == "my-svc/"
    assert "├── src/my_svc/" in shown
    after = shown[shown.index("Next") :]
    assert after[1:4] == ["  cd my-svc", "  uv run pytest", "  uv run my-svc"]
    assert after[-1] == (
        "  scaffold new my-svc --framework flask --author 'The team' --database sqlite "
        "--ci github --no-lock --no-git --defaults"
    )


def test_the_last_line_makes_the_same_again(checkout: Checkout, tmp_path: Path) -> None:
    given = ["--talk", "live", "--description", HOSTILE, "--author", "--json", "--ci", "none"]
    first = checkout.new("my-svc", *given, "--output", "a b", cwd=tmp_path)
    words = shlex.split(first.out.splitlines()[-1])
    made = tmp_path / "a b" / "my-svc"
    before = tree(made)
    shutil.rmtree(made)
    second = checkout.scaffold(*words[1:], cwd=tmp_path)
    assert (first.code, second.code) == (0, 0)
    assert tree(made) == before
    assert json.loads(before["about.json"])["description"] == HOSTILE
    assert json.loads(before["about.json"])["author"] == "--json"


def test_answers_are_data_and_never_run(checkout: Checkout, tmp_path: Path) -> None:
    checkout.new(
        "my-svc", "--defaults", "--description", HOSTILE, "--author", HOSTILE, cwd=tmp_path
    )
    about = json.loads((tmp_path / "my-svc" / "about.json").read_text())
    assert about == {"name": "my-svc", "description": HOSTILE, "author": HOSTILE}


def test_the_answers_file_names_the_version_and_no_machine(
    checkout: Checkout, tmp_path: Path
) -> None:
    checkout.new("my-svc", "--defaults", "--description", HOSTILE, cwd=tmp_path)
    text = (tmp_path / "my-svc" / ".copier-answers.yml").read_text()
    assert text.splitlines()[0].startswith("#")
    assert "scaffold update" in text.splitlines()[0]
    assert text.splitlines()[1:3] == [
        f'_commit: "v{__version__}"',
        '_src_path: "https://scaffold.invalid/templates.git"',
    ]
    assert yaml.safe_load(text) == {
        "_commit": f"v{__version__}",
        "_src_path": "https://scaffold.invalid/templates.git",
        "author": "",
        "ci": "github",
        "database": "sqlite",
        "description": HOSTILE,
        "framework": "flask",
        "name": "my-svc",
        "resources": [EXAMPLE],
    }
    assert str(checkout.root) not in text


def test_the_answers_of_one_service_make_another(checkout: Checkout, tmp_path: Path) -> None:
    checkout.new("one", "--framework", "tornado", "--author", HOSTILE, cwd=tmp_path)
    answers = str(tmp_path / "one" / ".copier-answers.yml")
    ran = checkout.new("two", "--answers", answers, "--ci", "none", cwd=tmp_path)
    assert ran.code == 0
    made = yaml.safe_load((tmp_path / "two" / ".copier-answers.yml").read_text())
    assert (made["name"], made["ci"]) == ("two", "none")
    assert (made["framework"], made["author"]) == ("tornado", HOSTILE)


def test_new_answers_in_json(checkout: Checkout, tmp_path: Path) -> None:
    ran = checkout.new("my-svc", "--framework", "flask_restful", "--json", cwd=tmp_path)
    assert ran.code == 0
    warning = ran.json["warnings"][0]
    assert ran.json == {
        "path": str(tmp_path / "my-svc"),
        "package": "my_svc",
        "framework": "flask_restful",
        "version": f"v{__version__}",
        "files": sorted(tree(tmp_path / "my-svc")),
        "warnings": [warning],
        "run": [],
        "command": "scaffold new my-svc --framework flask_restful --database sqlite "
        "--ci github --no-lock --no-git --defaults",
    }
    assert warning.startswith("Flask-RESTful: no release since 2023-05-21")


def test_a_dry_run_shows_the_files_and_writes_nothing(checkout: Checkout, tmp_path: Path) -> None:
    ran = checkout.new("my-svc", "--defaults", "--dry-run", cwd=tmp_path)
    assert ran.code == 0
    assert "├── README.md" in ran.out
    assert ran.out.endswith("Nothing was written.\n")
    assert list(tmp_path.iterdir()) == []
    in_json = checkout.new("my-svc", "--defaults", "--dry-run", "--json", cwd=tmp_path).json
    checkout.new("my-svc", "--defaults", cwd=tmp_path)
    assert in_json["files"] == sorted(tree(tmp_path / "my-svc"))
    refused = checkout.new("my-svc", "--defaults", "--dry-run", cwd=tmp_path)
    assert refused.code == 3


def test_an_output_folder_is_made_where_it_is_missing(checkout: Checkout, tmp_path: Path) -> None:
    ran = checkout.new("my-svc", "--defaults", "--output", "a/Bücher und 💚", cwd=tmp_path)
    assert ran.code == 0
    assert (tmp_path / "a" / "Bücher und 💚" / "my-svc" / "README.md").exists()
    assert "  cd 'a/Bücher und 💚/my-svc'" in ran.out.splitlines()


# ---- its lock and its first commit


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder of commands that is the whole PATH: git, and a uv that writes a lock."""
    folder = tmp_path / "tools"
    folder.mkdir()
    git = shutil.which("git")
    assert git is not None
    (folder / "git").symlink_to(git)
    _tool(folder / "uv", "echo locked > uv.lock")
    return folder


def _tool(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def finished(checkout: Checkout, folder: Path, tools: Path, **environment: str) -> Any:
    identity = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        identity |= {f"GIT_{role}_NAME": "Someone", f"GIT_{role}_EMAIL": "someone@example.com"}
    folder.mkdir(exist_ok=True)
    return checkout.scaffold(
        *("new", "my-svc", "--defaults", "--json"),
        cwd=folder,
        **identity | {"PATH": str(tools)} | environment,
    )


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def test_the_lock_is_part_of_the_first_commit(
    checkout: Checkout, tmp_path: Path, tools: Path
) -> None:
    ran = finished(checkout, tmp_path / "out", tools)
    made = tmp_path / "out" / "my-svc"
    assert (ran.code, ran.json["warnings"]) == (0, [])
    assert (made / "uv.lock").read_text() == "locked\n"
    assert git(made, "status", "--porcelain") == ""
    assert git(made, "log", "--format=%s %an") == "Start from the template Someone\n"
    assert sorted(git(made, "ls-files").split()) == sorted([*ran.json["files"], "uv.lock"])


def test_half_a_repository_is_none(checkout: Checkout, tmp_path: Path, tools: Path) -> None:
    git, sleep = shutil.which("git"), shutil.which("sleep")
    (tools / "git").unlink()
    interrupted = f"case $* in *commit*) kill -INT $PPID; exec {sleep} 30;; esac"
    _tool(tools / "git", f'{interrupted}; exec {git} "$@"')
    ran = finished(checkout, tmp_path / "out", tools)
    target = tmp_path / "out" / "my-svc"
    assert ran.code == 130
    assert ran.json["error"]["message"] == (
        f"Interrupted. {target} is complete, but this step was not finished: "
        "creating the first commit."
    )
    assert not (target / ".git").exists()
    assert (target / "uv.lock").exists()


@pytest.mark.parametrize(
    ("uv", "warning"),
    [
        (
            None,
            "uv is not installed. The service needs uv: install it with `pip install uv`, "
            "and run `uv lock` before you build the image.",
        ),
        ("echo 'error: no network' >&2; exit 1", "(uv: error: no network)"),
        ("exit 3", "(uv: it gave no reason)"),
        (r"printf '\033[31merror\033[0m: \007no\n' >&2; exit 1", r"(uv: error: \x07no)"),
        ("kill -9 $$", "(uv: it gave no reason)"),
    ],
)
def test_a_lock_that_fails_is_a_warning(
    checkout: Checkout, tmp_path: Path, tools: Path, uv: str | None, warning: str
) -> None:
    (tools / "uv").unlink()
    if uv:
        _tool(tools / "uv", uv)
    ran = finished(checkout, tmp_path / "out", tools)
    assert ran.code == 0
    assert len(ran.json["warnings"]) == 1
    assert ran.json["warnings"][0].startswith("`uv.lock` was not created")
    assert ran.json["warnings"][0].endswith(warning)
    assert git(tmp_path / "out" / "my-svc", "status", "--porcelain") == ""


def test_interrupted_while_it_is_finished_it_says_what_stands_and_what_is_left_to_do(
    checkout: Checkout, tmp_path: Path, tools: Path
) -> None:
    sleep = shutil.which("sleep")
    _tool(tools / "uv", f"kill -INT $PPID; exec {sleep} 30")
    ran = finished(checkout, tmp_path / "out", tools)
    assert (ran.code, ran.json["error"]["kind"]) == (130, "interrupted")
    target = tmp_path / "out" / "my-svc"
    assert ran.json["error"]["message"] == (
        f"Interrupted. {target} is complete, but this step was not finished: locking dependencies."
    )
    assert (target / "README.md").exists()


def test_without_git_the_service_stands(checkout: Checkout, tmp_path: Path, tools: Path) -> None:
    (tools / "git").unlink()
    ran = finished(checkout, tmp_path / "out", tools)
    assert ran.code == 0
    assert ran.json["warnings"] == ["No git repository was created, because git is not installed."]
    assert sorted(tree(tmp_path / "out" / "my-svc")) == sorted([*ran.json["files"], "uv.lock"])


def test_a_commit_without_an_author_is_a_warning(
    checkout: Checkout, tmp_path: Path, tools: Path
) -> None:
    nobody = {"GIT_AUTHOR_NAME": "", "GIT_COMMITTER_NAME": ""}
    ran = finished(checkout, tmp_path / "out", tools, **nobody)
    assert ran.code == 0
    (warning,) = ran.json["warnings"]
    assert warning.startswith(
        "The first commit was not created; run `git commit` yourself. (git commit: "
    )


def test_a_program_that_takes_too_long_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match=r"^sleep: it took longer than 0.1 seconds$"):
        programs.run(tmp_path, ["sleep", "30"], seconds=0.1)


def test_no_repository_is_made_inside_another(
    checkout: Checkout, tmp_path: Path, tools: Path
) -> None:
    outer = tmp_path / "out"
    outer.mkdir()
    git(outer, "init", "--quiet")
    ran = finished(checkout, outer, tools)
    assert ran.code == 0
    assert ran.json["warnings"] == [
        "No git repository was created, because the service is in one; commit it there."
    ]
    assert not (outer / "my-svc" / ".git").exists()


def test_a_git_that_is_meant_for_another_repository_is_not_touched(
    checkout: Checkout, tmp_path: Path, tools: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    ran = finished(checkout, tmp_path / "out", tools, GIT_DIR=str(other / ".git"))
    assert (ran.code, ran.json["warnings"]) == (0, [])
    assert git(tmp_path / "out" / "my-svc", "log", "--format=%s") == "Start from the template\n"
    assert list((other / ".git" / "objects").glob("??")) == []


# ---- advise, list, show, schema


def test_advise_ranks_and_says_why(checkout: Checkout, tmp_path: Path) -> None:
    asked = ("--talk", "http", "--size", "small", "--contract", "resources", "--team", "flask")
    shown = checkout.scaffold("advise", *asked, cwd=tmp_path)
    assert shown.code == 0
    assert shown.out.startswith("Best match: Flask-RESTful (88 %)\n")
    assert "Runner-up: Flask (79 %)\n  ahead on " in shown.out
    assert "! no release since 2023-05-21" in shown.out
    ran = checkout.scaffold("advise", "--talk", "live", "--json", cwd=tmp_path)
    own = {"rank_by", "article", "benchmarks", "ties"}
    assert set(ran.json) == {"ranking", "split", "close", "answers", *own}
    assert len(ran.json["ranking"]) == 9
    best = ran.json["ranking"][0]
    assert set(best) == {"framework", "fit", "score", "reasons", "cautions"}
    assert set(best["reasons"][0]) == {"criterion", "why", "source", "points"}
    assert best["framework"] == "tornado"
    assert ran.json["answers"] == {"talk": "live"}
    assert ran.json["split"] is None


def test_advise_explains_every_point(checkout: Checkout, tmp_path: Path) -> None:
    ran = checkout.scaffold("advise", "--talk", "messages", "--explain", cwd=tmp_path)
    assert "+12  RPC and events between services: designed for RPC" in ran.out
    assert "an unnamed row that we assume is this framework" in " ".join(ran.out.split())


def test_two_services_are_told_with_what_each_is_for(checkout: Checkout, tmp_path: Path) -> None:
    arguments = ("advise", "--talk", "messages", "--data", "yes")
    ran = checkout.scaffold(*arguments, cwd=tmp_path)
    assert ran.code == 0
    assert ran.out.startswith("This workload needs two services: Django with DRF and Nameko\n")
    assert checkout.scaffold(*arguments, "--json", cwd=tmp_path).json["split"] == [
        "django",
        "nameko",
    ]


def test_the_list_has_nine_and_their_facts(checkout: Checkout, tmp_path: Path) -> None:
    listed = checkout.scaffold("list", "--json", cwd=tmp_path).json["frameworks"]
    assert len(listed) == 9
    stale = [one["framework"] for one in listed if one["facts"]["caution"]]
    assert stale == ["flask_restful", "nameko"]
    assert [one["framework"] for one in listed if one["template"]] == list(WITH_TEMPLATE)
    kept = checkout.scaffold("list", "--maintained", "--json", cwd=tmp_path).json["frameworks"]
    assert len(kept) == 7
    text = checkout.scaffold("list", cwd=tmp_path).out
    assert "nameko (no template yet)" in text
    assert "2021-12-05" in text


def without_limits(description: str) -> str:
    """A framework.toml without the tables that the template itself may have by now."""
    tables = re.split(r"^(?=\[)", description, flags=re.MULTILINE)
    return "".join(table for table in tables if not table.startswith(("[[limits]]", "[budget]")))


def test_show_has_the_evidence_the_limits_and_the_files(checkout: Checkout, tmp_path: Path) -> None:
    described = checkout.root / "templates" / "tornado" / "framework.toml"
    before = described.read_text()
    limit = (
        '[[limits]]\nline = "E5"\nwhat = "a slow body stays open"\nevidence = "0 of 20 closed"\n'
    )
    budget = '[budget]\nlines = 1000\nreason = "the stream"\n'
    try:
        described.write_text(f"{without_limits(before)}\n{limit}\n{budget}")
        ran = checkout.scaffold("show", "tornado", "--json", cwd=tmp_path)
        text = checkout.scaffold("show", "tornado", cwd=tmp_path).out
    finally:
        described.write_text(before)
    assert ran.json["limits"] == [
        {"line": "E5", "what": "a slow body stays open", "evidence": "0 of 20 closed"}
    ]
    assert ran.json["budget"] == {"lines": 1000, "reason": "the stream"}
    assert "src/my_svc/app.py" in ran.json["files"]
    assert ran.json["evidence"][0]["criterion"] == "live"
    assert "  - E5 a slow body stays open (0 of 20 closed)" in text
    assert "Generated files (6)" in text
    without = checkout.scaffold("show", "sanic", cwd=tmp_path)
    assert without.out.endswith("It has no template yet.\n")


def test_the_schema_is_for_an_answers_file(checkout: Checkout, tmp_path: Path) -> None:
    described = checkout.scaffold("schema", cwd=tmp_path).json
    answers = {
        key: shape["default"] for key, shape in described["properties"].items() if key != "name"
    }
    (tmp_path / "answers.json").write_text(json.dumps(answers | {"name": "my-svc"}))
    ran = checkout.new("--answers", "answers.json", "--json", cwd=tmp_path)
    assert (ran.code, ran.json["framework"]) == (0, "flask")


# ---- errors


ERRORS: list[tuple[str, int, str, str]] = [
    (
        "new class --defaults",
        2,
        "bad-name",
        '"class" is not a valid service name: it is a Python keyword.',
    ),
    ("new flask --defaults", 2, "bad-name", "a dependency of the service has that name"),
    ("new", 2, "missing-answers", "missing: name and framework"),
    ("new my-svc", 2, "missing-answers", "Try: scaffold new my-svc --defaults"),
    ("new my-svc --talk live --data yes", 2, "split-workload", "This workload needs two services"),
    ("new my-svc --framework sanic", 2, "no-template", "Sanic has no template yet."),
    (
        "new my-svc --load rate",
        2,
        "no-template",
        "To generate that: scaffold new my-svc --framework",
    ),
    ("new my-svc --talk messages --maintained", 2, "nothing-maintained", "FastStream"),
    ("advise --talk messages --maintained", 2, "nothing-maintained", "No maintained framework"),
    ("advise --rank-by benchmarks", 2, "not-measured", "these templates have no"),
    ("new my-svc --load rate --rank-by benchmarks", 2, "not-measured", "needs benchmark results"),
    ("advise --rank-by guessed", 2, "usage", "'guessed' is not one of 'article', 'benchmarks'"),
    ("new my-svc --framework flsk", 2, "bad-answers", 'Did you mean "flask"?'),
    ("new my-svc --answers none.yml", 2, "bad-answers-file", "none.yml cannot be read"),
    ("show flsk", 2, "bad-answers", 'Did you mean "flask"?'),
    ("show", 2, "usage", "framework"),
    (
        "new my-svc --defaults --with oauth",
        2,
        "bad-answers",
        '"oauth" is not a valid answer to with.',
    ),
    (
        "new my-svc --defaults --with auth,no",
        2,
        "bad-answers",
        '"no" is not a valid answer to with.',
    ),
    ("advise --size tiny", 2, "bad-answers", '"tiny" is not a valid answer to size.'),
    ("advise --sice small", 2, "usage", "--sice"),
    ("nwe my-svc", 2, "usage", "nwe"),
    ("new my-svc extra", 2, "usage", "extra"),
    (
        "new my-svc --defaults --output /dev/null",
        3,
        "target-refuses",
        "/dev/null is not a folder",
    ),
    ("new my-svc --defaults --output /proc/self", 3, "target-refuses", "cannot be written: "),
]


@pytest.mark.parametrize(("line", "code", "kind", "words"), ERRORS, ids=lambda value: str(value))
def test_an_error_is_one_sentence_and_its_exit_code(
    checkout: Checkout, tmp_path: Path, line: str, code: int, kind: str, words: str
) -> None:
    ran = checkout.scaffold(*line.split(), cwd=tmp_path)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("scaffold: ")
    assert words in ran.err
    in_json = checkout.scaffold(*line.split(), "--json", cwd=tmp_path)
    assert in_json.code == code
    assert in_json.json["error"]["code"] == code
    assert in_json.json["error"]["kind"] == kind
    assert f"scaffold: {in_json.json['error']['message']}\n" == ran.err
    assert in_json.err == ""
    assert list(tmp_path.iterdir()) == []


def test_what_should_not_happen_has_exit_code_1_and_a_traceback_on_demand(
    checkout: Checkout, tmp_path: Path
) -> None:
    stub = checkout.root / "templates" / "tornado" / "project" / ".copier-answers.yml.jinja"
    before = stub.read_text()
    try:
        stub.write_text("")
        ran = checkout.new("my-svc", "--framework", "tornado", cwd=tmp_path)
        told = subprocess.run(
            [*checkout.command, "new", "my-svc", "--framework", "tornado", "--debug"],
            cwd=tmp_path,
            env=checkout.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        stub.write_text(before)
    assert ran.code == told.returncode == 1
    assert ran.err.startswith("scaffold: Unexpected error (RuntimeError: ")
    assert ran.err.endswith("Run the command again with --debug.\n")
    assert "Traceback (most recent call last)" in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_and_the_version_are_there(checkout: Checkout, tmp_path: Path) -> None:
    bare, asked = checkout.scaffold(cwd=tmp_path), checkout.scaffold("--help", cwd=tmp_path)
    assert (bare.code, bare.out) == (asked.code, asked.out)
    assert bare.code == 0
    assert all(f"  {command} " in bare.out for command in COMMANDS)
    version = checkout.scaffold("--version", cwd=tmp_path)
    assert (version.code, version.out) == (0, f"scaffold {__version__}\n")


def test_every_question_is_a_flag_that_is_explained(checkout: Checkout, tmp_path: Path) -> None:
    questions = checkout.scaffold("schema", cwd=tmp_path).json["properties"]
    shown = checkout.scaffold("new", "--help", cwd=tmp_path, COLUMNS="200").out
    for question_id, shape in questions.items():
        if question_id != "name":
            flag = {"resources": "--resource"}.get(question_id, f"--{question_id}")
            assert f"{flag} " in shown
            assert shape["description"].partition("?")[0] in shown


# ---- surroundings


def test_the_heavy_libraries_are_left_alone_where_they_are_not_needed(
    checkout: Checkout, tmp_path: Path
) -> None:
    watch = (
        "import sys, scaffold.cli as c\n"
        "for line in sys.argv[1:]:\n"
        "    code = c.run(line.split())\n"
        "    heavy = {'copier', 'questionary', 'plumbum', 'jinja2', 'rich'} & set(sys.modules)\n"
        "    if line != 'schema': heavy |= {n for n in sys.modules if n == 'pluralizer' or "
        "n.startswith('scaffold.resources')}\n"
        "    if heavy or code != 2 * (line == 'new x'): sys.exit(f'{line}: {code}, {heavy}')\n"
    )
    lines = ("--help", "new --help", "list", "advise --json", "new x", "schema")
    ran = subprocess.run(
        [sys.executable, "-P", "-c", watch, *lines],
        cwd=tmp_path,
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


ODD: list[dict[str, str]] = [
    {"HOME": "/nonexistent"},
    {"HOME": ""},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"TERM": ""},
    {"PATH": "/nonexistent"},
    {"TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "1"},
    {"COPIER_SETTINGS_PATH": "/dev/null"},
]


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({key: value for one in ODD for key, value in one.items()}, id="all at once"),
        *(pytest.param(one, id=str(one), marks=pytest.mark.slow) for one in ODD),
    ],
)
def test_the_same_answers_give_the_same_bytes_wherever_they_are_given(
    checkout: Checkout, tmp_path: Path, environment: dict[str, str]
) -> None:
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({"name": "my-svc", "author": HOSTILE, "framework": "flask"}))
    line = ("new", "--answers", str(answers), "--no-lock", "--no-git")
    for folder, run, changed in (
        ("here", checkout.scaffold, {}),
        ("there", checkout.anew, environment),
    ):
        (tmp_path / folder).mkdir()
        ran = run(*line, cwd=tmp_path / folder, **changed)
        assert ran.code == 0, ran.err
    here, there = tree(tmp_path / "here"), tree(tmp_path / "there")
    assert here == there


@pytest.mark.parametrize(
    "line", ["new my-svc --defaults --no-lock", "nope --json", "advise --explain"]
)
def test_a_run_that_skips_the_start_of_python_is_like_any_other(
    checkout: Checkout, tmp_path: Path, line: str
) -> None:
    """It is what most tests use."""
    found = []
    for run in (checkout.anew, checkout.scaffold):
        folder = tmp_path / "here"
        folder.mkdir()
        found.append((run(*line.split(), cwd=folder), tree(folder)))
        shutil.rmtree(folder)
    assert found[0] == found[1]


def test_an_answer_is_read_as_utf_8_where_the_locale_is_none(
    checkout: Checkout, tmp_path: Path
) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ran = checkout.new("my-svc", "--defaults", "--author", HOSTILE, cwd=tmp_path, **plain)
    assert ran.code == 0, ran.err
    assert json.loads((tmp_path / "my-svc/about.json").read_text())["author"] == HOSTILE
    ran = checkout.new("other", "--defaults", "--author", os.fsdecode(b"\xff"), cwd=tmp_path)
    assert (ran.code, [path.name for path in tmp_path.iterdir()]) == (2, ["my-svc"])


def test_settings_of_copier_itself_change_nothing(checkout: Checkout, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yml"
    settings.write_text("defaults:\n  package_name: stolen\n  database: postgresql\n")
    ran = checkout.new("my-svc", "--defaults", cwd=tmp_path, COPIER_SETTINGS_PATH=str(settings))
    assert ran.code == 0
    assert (tmp_path / "my-svc/src/my_svc/app.py").read_text() == 'DATABASE = "sqlite"\n'


def test_a_current_folder_that_is_gone_is_told(checkout: Checkout, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    line = 'cd "$0" && rmdir "$0" && shift 0 && exec "$@"'
    ran = subprocess.run(
        ["sh", "-c", line, str(gone), *checkout.command, "new", "my-svc", "--defaults"],
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 3
    assert ran.stderr == "scaffold: my-svc cannot be written: No such file or directory.\n"


@pytest.mark.parametrize(
    ("shell", "code"),
    [
        ('"$@" list | head -n 1 > /dev/null; echo ${PIPESTATUS[0]}', 0),
        ('"$@" list >&- ; echo $?', 0),
        ('"$@" nope 2>&- ; echo $?', 2),
        ('"$@" list <&- > /dev/null; echo $?', 0),
        ('"$@" list > /dev/full; echo $?', 1),
        ('"$@" new my-svc --defaults --no-git --no-lock | true; echo ${PIPESTATUS[0]}', 0),
    ],
)
def test_streams_that_are_closed_or_full_show_no_traceback(
    checkout: Checkout, tmp_path: Path, shell: str, code: int
) -> None:
    ran = subprocess.run(
        ["bash", "-c", shell, "bash", *checkout.command],
        cwd=tmp_path,
        env=checkout.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ran.stderr
    assert "Exception" not in ran.stderr
    full = "scaffold: cannot write the output: No space left on device.\n"
    assert ran.stderr == (full if "/dev/full" in shell else "")
    assert ran.stdout.split() == [str(code)]
    assert (tmp_path / "my-svc").exists() == ("new my-svc" in shell)


def test_text_is_ascii_where_nothing_else_can_be_shown(checkout: Checkout, tmp_path: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    program = "import sys, scaffold.cli as c; sys.exit(any(c.run(a.split()) for a in sys.argv[1:]))"
    ran = subprocess.run(
        [sys.executable, "-P", "-c", program, "advise", "show flask", "list"],
        cwd=tmp_path,
        env=checkout.environment | plain,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.isascii()
    assert rb"\u" not in ran.stdout, "what could not be shown was escaped"
    assert b"Best match: " in ran.stdout


def test_the_package_has_its_version_in_one_place() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert "version" not in project["project"]
    assert os.fspath(project["tool"]["hatch"]["version"]["path"]) == "scaffold/__init__.py"
