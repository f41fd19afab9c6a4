"""Whatever is answered: a project in which every file parses, or a refusal and nothing at all."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import covertable
import pytest
import yaml
from covertable import criteria, sorters
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaffold import cli
from scaffold.answers import naming
from scaffold.catalog.catalog import Catalog
from tests.tool.conftest import REPOSITORY

YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
FRAMEWORKS = sorted(path.parent.name for path in REPOSITORY.glob("templates/*/project"))
TRICKY = [
    "",
    "Bolts & \"nuts\" \\ {{ 7 * 7 }} {% raw %} ${x} $x `id` <b> # : - | [a](b) 'q'",
    "{{ cycler.__init__.__globals__.os.system('touch ran') }} {# #} {%- endraw -%}",
    "💚 👩‍👩‍👧 שלום مرحبا 日本語 ﷽",
    "null",
    "~",
    "2024-01-01",
    "'''",
    '"""',
    "*/ --> ]]> %> -->",
    "- [ ] * + 1. > ``` ~~~ ---",
    "\\",
    '\\"',
    "a\\n",
    "=cmd|' /C calc'!A0",
    "%(here)s %s {0} $(id)",
    "a" * 200,
    "\u00a0\u3000 spaced \u2003",
]
TRICKY_NAMES = ["my-svc", "a", "a" * 40, "x1-y2", "class", "on", "flask", "../x", "--json", "", "é"]
BAD = [
    "two\nlines",
    "nul\x00",
    "esc\x1b[31m",
    "half\ud800",
    "turned\u202eround",
    "\u0600",
    "a" * 201,
]


def some(tricky: list[str], others: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.sampled_from(tricky), others)


TEXTS = some([*TRICKY, *BAD], st.text(max_size=210))
ANSWERS = st.fixed_dictionaries(
    {
        "name": some(TRICKY_NAMES, st.from_regex(naming.PATTERN, fullmatch=True) | st.text()),
        "framework": st.sampled_from(FRAMEWORKS),
        "database": some(["sqlite", "postgresql"], st.just("oracle")),
        "ci": some(["github", "gitlab", "none"], st.just("GitHub")),
        "description": TEXTS,
        "author": TEXTS,
    }
)


def made(answers: dict[str, str], folder: Path) -> int:
    """The exit code of `new` with these answers, run in this process."""
    name = answers["name"]
    flags = [f"--{key}={value}" for key, value in answers.items() if key != "name"]
    return cli.run(["new", "--no-lock", "--no-git", f"--output={folder}", *flags, "--", name])


def whole_or_refused(answers: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = made(answers, folder)
        left = [path.name for path in folder.iterdir()]
        if code:
            assert (code, left) == (2, [])
            return
        assert left == [answers["name"]]
        project = folder / answers["name"]
        for path in files(project):
            parse(path)
        assert_data_is_kept(project, answers)


def files(project: Path) -> Iterator[Path]:
    return (path for path in sorted(project.rglob("*")) if path.is_file())


def parse(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    match path.suffix or path.name:
        case ".py":
            return ast.parse(text)
        case ".toml":
            return tomllib.loads(text)
        case ".yml" | ".yaml":
            return list(yaml.load_all(text, Loader=YAML))
        case ".json":
            return json.loads(text)
        case "Dockerfile":
            return list(dockerfile(text))
    return text


INSTRUCTIONS = set(
    "ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN USER VOLUME WORKDIR".split()
)


def dockerfile(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each instruction with its words; what is not a Dockerfile is a ValueError."""
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text))
    lines = [line for line in joined.splitlines() if line.strip()]
    if not lines[0].startswith(("FROM ", "ARG ")):
        raise ValueError(lines[0])
    for line in lines:
        word, _, rest = line.partition(" ")
        if word not in INSTRUCTIONS or not rest.strip():
            raise ValueError(line)
        _, found, listed = rest.partition("[")
        words = json.loads(found + listed) if found else shlex.split(rest)
        if word in {"ENV", "LABEL"} and not all("=" in pair for pair in words):
            raise ValueError(line)
        yield word, words


def assert_data_is_kept(project: Path, answers: dict[str, str]) -> None:
    """The answers stand in the package's data as they were given, but for white space."""
    data = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    kept = {key: answers[key].strip() for key in ("description", "author")}
    assert data["name"] == answers["name"]
    assert "".join(data["description"].split()) == "".join(kept["description"].split()) or (
        not kept["description"]
    )
    assert data.get("authors", [{"name": ""}])[0]["name"] == kept["author"]
    recorded = yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert {key: recorded[key] for key in kept} == kept
    for path in project.rglob("*.yaml"):
        for value in named(parse(path)):
            assert isinstance(value, str), f"{path} has {value!r} for a name"


def named(value: Any) -> Iterator[Any]:
    """Every `name` and `image` in a document, however deep."""
    if isinstance(value, dict):
        yield from (found for key, found in value.items() if key in {"name", "image"})
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from named(part)


UNHURRIED = [HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.mark.usefixtures("compiled_once")
@given(ANSWERS)
@settings(max_examples=20, deadline=None, suppress_health_check=UNHURRIED)
def test_any_answers_make_a_project_that_parses_or_nothing(answers: dict[str, str]) -> None:
    whole_or_refused(answers)


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("text", TRICKY, ids=ascii)
def test_text_that_looks_like_code_stays_text(text: str) -> None:
    framework = FRAMEWORKS[TRICKY.index(text) % len(FRAMEWORKS)]
    plain = {"name": "my-svc", "framework": framework, "database": "sqlite", "ci": "github"}
    whole_or_refused({**plain, "description": text, "author": text})


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.slow
@given(ANSWERS)
@settings(max_examples=400, deadline=None, suppress_health_check=UNHURRIED)
def test_any_answers_at_length(answers: dict[str, str]) -> None:
    whole_or_refused(answers)


def test_what_is_no_dockerfile_is_seen() -> None:
    for wrong in ("FORM x\n", "FROM x\nRUN\n", "FROM x\nENV a\n", 'FROM x\nCMD ["a", b]\n'):
        with pytest.raises(ValueError, match=r"."):
            list(dockerfile(wrong))


def test_no_service_is_named_like_a_command_that_its_image_runs(
    tmp_path: Path, known: Catalog
) -> None:
    """Its own command stands before the system's there."""
    answers = {"name": "my-svc", "framework": "flask", "database": "sqlite"}
    assert made(answers, tmp_path) == 0
    text = (tmp_path / "my-svc" / "Dockerfile").read_text()
    steps = [words for word, words in dockerfile(text) if word in {"RUN", "HEALTHCHECK"}]
    commands = {next(w for w in words if not w.startswith("--")) for words in steps}
    assert commands == {"uv", "install", "python"}
    taken = known.framework("flask").reserved
    assert [name for name in commands if not naming.rule_broken(name, taken)] == []


# ---- the same bytes everywhere

RENDER = """
import hashlib, json, sys
from pathlib import Path
from scaffold import cli

answers, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
for each in answers:
    flags = [f"--{key}={value}" for key, value in each.items() if key != "name"]
    output = folder / each["framework"]
    code = cli.run(["new", each["name"], "--no-lock", "--no-git", f"--output={output}", *flags])
    assert code == 0, code
digest = hashlib.sha256()
for path in sorted(folder.rglob("*")):
    if path.is_file():
        digest.update(f"{path.relative_to(folder).as_posix()} ".encode() + path.read_bytes())
print(digest.hexdigest())
"""
EVERY_FRAMEWORK = [
    {
        "name": "my-svc",
        "framework": framework,
        "database": ("sqlite", "postgresql")[number % 2],
        "ci": ("github", "gitlab", "none")[number % 3],
        "description": TRICKY[1],
        "author": TRICKY[3],
    }
    for number, framework in enumerate(FRAMEWORKS)
]
THREE = EVERY_FRAMEWORK[::4]


def digest(
    python: str, folder: Path, wanted: list[dict[str, str]] = EVERY_FRAMEWORK, **environment: str
) -> str:
    """Of all files that this Python makes of these answers."""
    folder.mkdir(parents=True)
    out = folder / "out"
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(
        [python, "-P", "-c", RENDER, json.dumps(wanted), str(out)],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(THREE, id="three"),
        pytest.param(EVERY_FRAMEWORK, id="every", marks=pytest.mark.slow),
    ],
)
def test_the_same_answers_give_the_same_bytes_in_every_template(
    tmp_path: Path, wanted: list[dict[str, str]]
) -> None:
    here = digest(sys.executable, tmp_path / "here", wanted, TZ="UTC", PYTHONHASHSEED="1")
    there = digest(
        sys.executable,
        tmp_path / "there with 💚",
        wanted,
        TZ="Pacific/Kiritimati",
        PYTHONHASHSEED="2",
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
    )
    assert here == there
    assert len(here) == len(hashlib.sha256().hexdigest())


def pythons() -> list[str]:
    """Every supported Python that uv finds here, but for the running one."""
    supported = ("3.11", "3.12", "3.13", "3.14")
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    asked = [one for one in supported if one != running]
    finds = (uv("python", "find", "--no-python-downloads", "--system", one) for one in asked)
    return [found.stdout.strip() for found in finds if found.returncode == 0]


def uv(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    return subprocess.run(
        ["uv", *arguments],
        cwd=cwd,
        env=kept | {"UV_PYTHON_DOWNLOADS": "never"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_same_answers_give_the_same_bytes_on_every_python(tmp_path: Path) -> None:
    others = pythons()
    if not others:
        pytest.skip("there is no other Python here")
    here = digest(sys.executable, tmp_path / "here")
    for number, python in enumerate(others):
        environment = tmp_path / f"environment-{number}"
        for arguments in (
            ("venv", "--quiet", "-p", python, str(environment)),
            ("pip", "install", "--quiet", "-p", str(environment), str(REPOSITORY)),
        ):
            done = uv(*arguments)
            assert done.returncode == 0, done.stderr
        there = digest(str(environment / "bin" / "python"), tmp_path / f"there-{number}")
        assert there == here, python


# ---- ten of them, with their own tests

KINDS = {
    "name": ["stock-keeper", "a", "a" * 40],
    "text": [TRICKY[1], TRICKY[3]],
    "database": ["sqlite", "postgresql"],
    "ci": ["github", "gitlab", "none"],
}
MOST = 10


def ten() -> list[dict[str, str]]:
    """Every two answers meet in one of them, and every framework has one."""
    pairs = covertable.make(list(KINDS.values()), sorter=sorters.hash, criterion=criteria.simple)
    rows = [dict(zip(KINDS, row, strict=True)) for row in pairs]
    rows += rows[: MOST - len(rows)]
    return [
        {
            "name": row["name"],
            "framework": FRAMEWORKS[number % len(FRAMEWORKS)],
            "database": row["database"],
            "ci": row["ci"],
            "description": row["text"],
            "author": row["text"],
            "with": "auth,tracing,calls" if number % 2 else "",
        }
        for number, row in enumerate(rows)
    ]


def test_ten_are_enough_for_every_two_answers_and_every_framework() -> None:
    chosen = ten()
    assert len(chosen) == MOST
    assert {answers["framework"] for answers in chosen} == set(FRAMEWORKS)


@pytest.mark.slow
@pytest.mark.parametrize("answers", ten(), ids=lambda a: f"{a['framework']}-{a['name'][:12]}")
def test_a_project_passes_its_own_tests_and_knows_every_name_in_use(
    answers: dict[str, str], tmp_path: Path, known: Catalog
) -> None:
    assert made(answers, tmp_path) == 0
    project = tmp_path / answers["name"]
    synced = uv("sync", "--quiet", "-p", sys.executable, cwd=project)
    assert synced.returncode == 0, synced.stderr
    ran = uv("run", "--no-sync", "pytest", "-q", cwd=project)
    assert ran.returncode == 0, ran.stdout[-3000:]
    taken = known.framework(answers["framework"]).reserved
    used = names_in_use(project / ".venv") - {answers["name"]}
    free = {name for name in used if not naming.rule_broken(name, taken)}
    assert free == set(), "a service could have these names, and would break what it depends on"


ASK = """
import importlib.metadata as metadata, json, pathlib, re, sys
names = {re.sub("[-._]+", "-", d.metadata["Name"]).lower() for d in metadata.distributions()}
imports = filter(str.isidentifier, metadata.packages_distributions())
names |= {name.replace("_", "-") for name in imports}
names |= {path.name for path in pathlib.Path(sys.prefix, "bin").iterdir()}
print(json.dumps(sorted(names)))
"""


def names_in_use(environment: Path) -> set[str]:
    """The names of services that are a distribution, an import or a command of an environment."""
    done = subprocess.run(
        [environment / "bin" / "python", "-c", ASK], capture_output=True, text=True, check=True
    )
    return {name for name in json.loads(done.stdout) if re.fullmatch(naming.PATTERN, name)}
