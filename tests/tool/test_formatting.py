"""What is formatted of a rendered service, wherever it lies."""

from pathlib import Path

import pytest

from scaffold.errors import SourceError
from scaffold.making.formatting import format_code

UNSORTED = "import sys\nimport os\nx = ( 1,2 )\n"
FORMATTED = "import os\nimport sys\n\nx = (1, 2)\n"


@pytest.fixture(params=["plain", "runtime", "build"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder of that name holds the service; git ignores what is in it."""
    folder = tmp_path / request.param / "svc"
    for name in ("src/svc/rooms", "src/svc/runtime", "src/svc/builds"):
        (folder / name).mkdir(parents=True)
        (folder / name / "code.py").write_text(UNSORTED)
    (folder / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")
    (tmp_path / ".gitignore").write_text("*\n")
    return folder


def test_the_owners_code_is_formatted_wherever_the_service_lies(service: Path) -> None:
    format_code(service)
    for name in ("rooms", "builds"):
        assert (service / "src/svc" / name / "code.py").read_text() == FORMATTED
    assert (service / "src/svc/runtime/code.py").read_text() == UNSORTED


def test_code_that_cannot_be_parsed_is_the_templates_fault(service: Path) -> None:
    (service / "src/svc/rooms/code.py").write_text("def (\n")
    with pytest.raises(SourceError, match="cannot be formatted"):
        format_code(service)
