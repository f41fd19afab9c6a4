"""What lies in examples/ is what the templates make, byte for byte."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from scaffold.catalog.catalog import Catalog
from tests.tool.conftest import REPOSITORY

EXAMPLES = REPOSITORY / "examples"


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory,
    compiled_once: None,  # noqa: ARG001
) -> Path:
    """What the command makes in a folder where an old example lies."""
    spec = importlib.util.spec_from_file_location("regenerate", EXAMPLES / "regenerate.py")
    assert spec is not None
    assert spec.loader is not None
    command = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(command)
    folder = tmp_path_factory.mktemp("examples")
    (folder / "flask").mkdir()
    (folder / "flask" / "old.py").touch()
    command.regenerate(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.glob("[!_]*/**/*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_examples_are_what_the_templates_make(made: Path) -> None:
    now, kept = contents(made), contents(EXAMPLES)
    hint = "run `python examples/regenerate.py`"
    assert sorted(now) == sorted(kept), hint
    assert [name for name, content in now.items() if kept[name] != content] == [], hint


def test_a_file_that_no_template_makes_any_more_goes(made: Path) -> None:
    assert (made / "flask" / "pyproject.toml").exists()
    assert not (made / "flask" / "old.py").exists()


def test_an_example_has_no_lock_and_names_no_machine() -> None:
    text = {name: content.decode() for name, content in contents(EXAMPLES).items()}
    assert not [name for name in text if name.endswith(".lock")]
    assert not [name for name, content in text.items() if str(REPOSITORY) in content]


def test_every_template_is_a_choice_and_every_choice_has_a_template(known: Catalog) -> None:
    having = sorted(framework.id for framework in known.frameworks if framework.has_template)
    assert sorted(known.question("framework").choices) == having
