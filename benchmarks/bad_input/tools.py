"""The tools that are compared, each asked in the way that its own documentation shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT = "a project"

# One small template for the two engines that come without one, written as most are: a name, a
# description, a choice; the values stand where they are needed; no validators, no hooks.
PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
description = "{description}"
license = "{license}"
requires-python = ">=3.11"
"""
MAIN = '"""{description}"""\n\n\ndef main() -> None:\n    print("{name}")\n'
TEST = "from {package} import main\n\n\ndef test_it_runs() -> None:\n    main()\n"
CI = "name: {name}\non: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps: []\n"
FILES = {
    "pyproject.toml": PYPROJECT,
    "README.md": "# {name}\n\n{description}\n",
    "src/{package}/__init__.py": MAIN,
    "tests/test_main.py": TEST,
    ".github/workflows/ci.yml": CI,
}
LICENSES = ["MIT", "Apache-2.0"]


def write_cookiecutter_template(folder: Path) -> None:
    slug = "{{ cookiecutter.project_name.lower().replace(' ', '_').replace('-', '_') }}"
    questions = {
        "project_name": "my_svc",
        "project_slug": slug,
        "description": DEFAULT,
        "license": LICENSES,
    }
    folder.mkdir()
    (folder / "cookiecutter.json").write_text(json.dumps(questions, indent=2) + "\n")
    values = {"name": "project_name", "package": "project_slug", "description": "description"}
    filled = {key: f"{{{{ cookiecutter.{name} }}}}" for key, name in values.items()}
    filled["license"] = "{{ cookiecutter.license }}"
    _write(folder / "{{ cookiecutter.project_slug }}", filled, "")


def write_copier_template(folder: Path) -> None:
    slug = "{{ project_name.lower().replace(' ', '_').replace('-', '_') }}"
    folder.mkdir()
    (folder / "copier.yml").write_text(
        "_subdirectory: template\n\n"
        "project_name:\n  type: str\n  help: What is the project called?\n\n"
        f'package_name:\n  type: str\n  default: "{slug}"\n  when: false\n\n'
        f"description:\n  type: str\n  default: {DEFAULT}\n\n"
        f"license:\n  type: str\n  choices: {json.dumps(LICENSES)}\n  default: MIT\n"
    )
    values = {"name": "project_name", "package": "package_name", "description": "description"}
    filled = {key: f"{{{{ {name} }}}}" for key, name in values.items()}
    filled["license"] = "{{ license }}"
    _write(folder / "template", filled, ".jinja")
    answers = folder / "template" / "{{ _copier_conf.answers_file }}.jinja"
    answers.write_text("{{ _copier_answers | to_nice_yaml }}\n")


def _write(folder: Path, filled: Mapping[str, str], suffix: str) -> None:
    for name, text in FILES.items():
        path = folder / (name.format_map(filled) + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format_map(filled))


@dataclass(frozen=True)
class Tool:
    """How one tool is asked for a project. Each call gives the arguments after its command.

    `named(name)` asks for a project of that name and nothing else; `text` adds a description,
    `unknown` an answer that it has no question for, `wrong` one that is not among the choices, and
    `file` a file of answers, whose content `filed` writes. None: the tool has no such thing.
    """

    title: str
    distribution: str
    command: str
    plain_name: str
    named: Callable[[str], list[str]]
    nobody: Sequence[str]
    unknown: Sequence[str]
    wrong: Sequence[str]
    text: Callable[[str], list[str]] | None = None
    file: Callable[[str], list[str]] | None = None
    filed: Mapping[str, str] = field(default_factory=dict)
    template: Callable[[Path], None] | None = None
    install: str = ""
    patience: int = 60  # seconds


def _bomb(indent: str, key: str) -> str:
    """Half a kilobyte of YAML that means more than three thousand million words."""
    lines = [f"k0: &k0 [{', '.join(['x'] * 9)}]"]
    lines += [f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 9)}]" for n in range(1, 10)]
    return "".join(f"{indent}{line}\n" for line in [*lines, f"{key}: *k9"])


def _in_yaml(key: str, indent: str = "", head: str = "") -> dict[str, str]:
    return {
        "bomb": head + _bomb(indent, key),
        "twice": f"{head}{indent}{key}: one\n{indent}{key}: two\n",
        "list": f"{head}{indent}{key}: [one, two]\n",
        "bytes": f"{head}{indent}{key}: \udcff\udcfe\n",
        "no mapping": f"{head}{indent}- one\n{indent}- two\n",
        "unknown": f"{head}{indent}descripton: x\n",
    }


def _in_ini() -> dict[str, str]:
    head = "[metadata]\n"
    return {
        "twice": f"{head}description = one\ndescription = two\n",
        "bytes": f"{head}description = \udcff\udcfe\n",
        "no mapping": "- one\n- two\n",
        "unknown": f"{head}descripton = x\n",
    }


TOOLS = [
    Tool(
        title="scaffold",
        distribution="scaffold-microservices",
        install=str(REPOSITORY),
        command="scaffold",
        plain_name="my-svc",
        named=lambda name: ["new", name, "--defaults"],
        nobody=["new"],
        text=lambda text: ["--description", text],
        unknown=["--databse", "x"],
        wrong=["--ci", "circle"],
        file=lambda path: ["--answers", path],
        filed=_in_yaml("description"),
    ),
    Tool(
        title="cookiecutter",
        distribution="cookiecutter",
        command="cookiecutter",
        plain_name="my_svc",
        template=write_cookiecutter_template,
        named=lambda name: ["--no-input", "TEMPLATE", f"project_name={name}"],
        nobody=["TEMPLATE"],
        text=lambda text: [f"description={text}"],
        unknown=["descripton=x"],
        wrong=["license=Nope"],
        file=lambda path: ["--config-file", path],
        filed=_in_yaml("description", "  ", "default_context:\n"),
    ),
    Tool(
        title="copier",
        distribution="copier",
        command="copier",
        plain_name="my_svc",
        template=write_copier_template,
        named=lambda name: [
            *("copy", "--defaults", "--data", f"project_name={name}", "TEMPLATE", "project")
        ],
        nobody=["copy", "--defaults", "TEMPLATE", "project"],
        text=lambda text: ["--data", f"description={text}"],
        unknown=["--data", "descripton=x"],
        wrong=["--data", "license=Nope"],
        file=lambda path: ["--data-file", path],
        filed=_in_yaml("description"),
    ),
    Tool(
        title="PyScaffold",
        distribution="pyscaffold",
        command="putup",
        plain_name="my_svc",
        named=lambda name: ["--name", name, "project"],
        nobody=[],
        text=lambda text: ["--description", text],
        unknown=["--descripton", "x"],
        wrong=["--license", "Nope"],
        file=lambda path: ["--config", path],
        filed=_in_ini(),
    ),
    Tool(
        title="FastAPI-template",
        distribution="fastapi_template",
        command="fastapi_template",
        plain_name="my_svc",
        named=lambda name: [
            *("--quiet", "--api-type", "rest", "--db", "sqlite", "--orm", "sqlalchemy"),
            *("--ci", "none", "--name", name),
        ],
        nobody=[],
        unknown=["--databse", "x"],
        wrong=["--ci", "circle"],
        patience=240,
    ),
]
