"""What a rendered service looks like: valid files, clean seams, within its budgets."""

from __future__ import annotations

import ast
import itertools
import json
import re
import tokenize
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_copie.plugin import Copie

from scaffold.making import render as scaffold_render
from scaffold.making import service
from scaffold.making.formatting import format_code
from scaffold.making.service import Made
from scaffold.resources import short_form
from scaffold.terminal import text_output
from scaffold.terminal.view import Terminal as View
from tests.contract.declarations import RICH, SHORT_FORMS, as_data
from tests.services import (
    EVERYTHING,
    NAME,
    PACKAGE,
    REPOSITORY,
    TEMPLATES,
    frameworks,
    lint,
    render,
)

BUDGET = {"modules": 45, "lines": 4340, "owner_lines": 220, "function_lines": 30, "files": 83}
ANSWERS = [("sqlite", "github"), ("postgresql", "gitlab"), ("sqlite", "none")]
HOSTILE = "Bolts & \"nuts\" \\ {{ 7 * 7 }} {% raw %} ${x} `id` <b> 💚 # : - | [a](b) 'q'"
EXAMPLES = REPOSITORY / "examples"
YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast


@dataclass(frozen=True)
class Rendered:
    framework: str
    folder: Path

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def modules(self) -> list[Path]:
        """The Python files beside tests and migrations."""
        package = self.folder / "src"
        return [path for path in sorted(package.rglob("*.py")) if "migrations" not in path.parts]


@pytest.fixture(scope="session", params=[*itertools.product(frameworks(), ANSWERS)], ids=str)
def rendered(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    compiled_once: None,  # noqa: ARG001
) -> Rendered:
    framework, (database, ci) = request.param
    folder = tmp_path_factory.mktemp("rendered") / framework
    answers = {"name": NAME, "framework": framework, "database": database, "ci": ci}
    given = answers | {"description": HOSTILE, "author": HOSTILE}
    scaffold_render.render(REPOSITORY, given, folder)
    return Rendered(framework, folder)


def parse(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    match path.suffix:
        case ".py":
            return ast.parse(text)
        case ".toml":
            return tomllib.loads(text)
        case ".yml" | ".yaml":
            return list(yaml.load_all(text, Loader=YAML))
        case ".json":
            return json.loads(text)
    return text


def test_every_file_is_valid(rendered: Rendered) -> None:
    for path in rendered.files():
        parse(path)


def test_there_is_no_seam_to_see(rendered: Rendered) -> None:
    for path in rendered.files():
        text = path.read_text(encoding="utf-8")
        name = str(path.relative_to(rendered.folder))
        assert text == "" or text.endswith("\n"), name
        assert not text.endswith("\n\n"), name
        assert not text.startswith("\n"), name
        assert not re.search(r"[ \t]\n", text), name
        most = 3 if path.suffix in {".py", ".mako", ".md"} else 2
        assert "\n" * (most + 1) not in text, f"{name} has a gap"


@pytest.mark.parametrize(
    ("framework", "text"),
    [("flask", "`OTEL_SERVICE_NAME`"), ("django", "`settings.SERVICE.greeting`")],
)
def test_the_name_of_the_service_replaces_no_other_word(
    tmp_path: Path, framework: str, text: str
) -> None:
    answers = {"name": NAME, "framework": framework, "with": ["tracing"]}
    scaffold_render.render(REPOSITORY, answers, tmp_path / "service")
    assert text in (tmp_path / "service" / "README.md").read_text()


def test_the_readme_has_the_commands_that_new_prints(rendered: Rendered) -> None:
    run = service.commands_to_run(rendered.folder)
    on_postgresql = "postgresql://" in (rendered.folder / ".env.example").read_text()
    assert run[-1] == f"uv run {NAME}"
    assert [line.split("  # ")[0] for line in run].count(f"uv run {NAME} migrate") == on_postgresql
    needed = {"django": "SECRET_KEY", "nameko": "AMQP_URL"}.get(rendered.framework)
    assert any(f"export {needed}=" in line for line in run) == bool(needed and on_postgresql)


def test_new_prints_what_the_service_needs_to_start(tmp_path: Path) -> None:
    answers = {"name": NAME, "framework": "falcon", "database": "postgresql", "with": ["auth"]}
    scaffold_render.render(REPOSITORY, answers, tmp_path / NAME)
    made = Made(tmp_path, "falcon", "", [], [], service.commands_to_run(tmp_path / NAME))
    for width, comment in ((120, "  # creates the tables in DATABASE_URL"), (60, "\n")):
        view = View(width, colour=False, drawing=True, wraps=True)
        shown = text_output.ending(view, made, tmp_path, "")
        assert re.search(r"\n  export OIDC_ISSUER=\S+( \\\n   )? OIDC_AUDIENCE=", shown)
        following = shown.partition("uv run pytest")[2]
        assert max(map(len, following.splitlines())) < width
        assert f"\n  uv run {NAME} migrate{comment}" in shown
        assert f"\n  uv run {NAME}\n  then open http://" in shown


def test_no_answer_is_run_as_a_template(rendered: Rendered) -> None:
    project = parse(rendered.folder / "pyproject.toml")["project"]
    assert project["description"] == HOSTILE
    assert project["authors"] == [{"name": HOSTILE}]
    for path in rendered.files():
        assert not re.search(r"nuts.{0,12}49", path.read_text(encoding="utf-8")), path


def budget_of(framework: str) -> dict[str, int]:
    """The budgets of STYLE, lifted where framework.toml says so and why."""
    lifts = tomllib.loads((TEMPLATES / framework / "framework.toml").read_text()).get("budget", {})
    assert not lifts or lifts.get("reason"), "a budget is lifted for a reason"
    return {name: lifts.get(name, most) for name, most in BUDGET.items()}


def has_code(path: Path) -> bool:
    statements = ast.parse(path.read_text()).body
    return any(
        not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
        for one in statements
    )


NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def test_lint_has_nothing_to_say(rendered: Rendered) -> None:
    assert lint(rendered.folder) == ""


WITH = [EVERYTHING, *(pytest.param((one,), marks=pytest.mark.slow) for one in EVERYTHING)]


@pytest.mark.parametrize("parts", WITH, ids=",".join)
@pytest.mark.parametrize("framework", frameworks())
def test_lint_has_nothing_to_say_of_what_is_asked_for(
    framework: str, parts: tuple[str, ...], tmp_path: Path
) -> None:
    resources = short_form.parse_all(SHORT_FORMS[RICH])
    given = {"resources": as_data(resources), "with": list(parts)}
    render(framework, tmp_path / NAME, **given)
    assert lint(tmp_path / NAME) == ""


def line_count(paths: list[Path]) -> int:
    """Lines of code: neither blank, nor a comment, nor part of a docstring."""
    return sum(len(code_lines(path) - docstring_lines(path)) for path in paths)


def code_lines(path: Path) -> set[int]:
    with path.open("rb") as file:
        tokens = [token for token in tokenize.tokenize(file.readline) if token.type not in NO_CODE]
    return {line for token in tokens for line in range(token.start[0], token.end[0] + 1)} - {0}


def docstring_lines(path: Path) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case (
                ast.Module(body=[ast.Expr(ast.Constant(str())) as text, *_])
                | ast.ClassDef(body=[ast.Expr(ast.Constant(str())) as text, *_])
                | ast.FunctionDef(body=[ast.Expr(ast.Constant(str())) as text, *_])
                | ast.AsyncFunctionDef(body=[ast.Expr(ast.Constant(str())) as text, *_])
            ):
                lines.update(range(text.lineno, (text.end_lineno or 0) + 1))
    return lines


def longest_function(paths: list[Path]) -> int:
    functions = (
        node
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return max((node.end_lineno or 0) - node.lineno + 1 for node in functions)


def test_a_service_stays_within_its_budgets(rendered: Rendered) -> None:
    modules = rendered.modules()
    package = rendered.folder / "src" / PACKAGE
    owned = [path for path in modules if package / "runtime" not in path.parents]
    beside_deploy = [p for p in rendered.files() if rendered.folder / "deploy" not in p.parents]
    spent = {
        "modules": sum(map(has_code, modules)),
        "lines": line_count(modules),
        "owner_lines": line_count(owned),
        "function_lines": longest_function(modules),
        "files": len(beside_deploy),
    }
    budget = budget_of(rendered.framework)
    assert {name: (cost, budget[name]) for name, cost in spent.items() if cost > budget[name]} == {}


EACH_SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in frameworks()[1:]]


@pytest.mark.parametrize("framework", [*frameworks()[:1], *EACH_SLOW])
def test_a_plain_copier_copy_makes_the_same(framework: str, copie: Copie, tmp_path: Path) -> None:
    """The repository itself is a template source, with copier alone; ruff does the rest."""
    result = copie.copy(extra_answers={"name": "stock-keeper", "framework": framework})
    assert result.exception is None
    assert result.exit_code == 0
    render(framework, tmp_path / "ours")
    assert result.project_dir is not None
    format_code(result.project_dir)
    assert contents(result.project_dir) == contents(tmp_path / "ours")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the one that records where the template was found."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".copier-answers.yml"
    }


def test_each_template_has_its_example() -> None:
    folders = [path.name for path in EXAMPLES.glob("[!_]*") if path.is_dir()]
    assert sorted(folders) == frameworks()
