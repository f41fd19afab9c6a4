"""Whenever a run is broken, a service is as it was or as it should be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.growing.services import Service
from tests.services import REPOSITORY
from tests.tool.conftest import Checkout
from tests.tool.lineage import SOMEBODY
from tests.tool.test_grid import KINDS, MOMENTS, WHEN, as_it_was_or_as_it_should_be

# Of some hundred moments, most of which are the writing of two renderings.
STEP, MOST = 97, 6
COMMANDS = {
    "add": ("add", "field", "booking", "vip:bool:default=false"),
    "remove": ("remove", "resource", "booking"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_broken_run_leaves_nothing_half_done(
    template: Service, tmp_path: Path, command: str, kind: str
) -> None:
    shutil.copytree(template.folder, tmp_path / "before")
    (tmp_path / "cwd").write_text(".")
    first = 5 + 13 * KINDS.index(kind)
    words = [str(tmp_path), kind, str(first), str(STEP), str(MOST), *COMMANDS[command], "--no-lock"]
    tool = Checkout(REPOSITORY)
    given = tool.environment | SOMEBODY | WHEN
    ran = tool.warm(words, tmp_path, given, seconds=3600, program=MOMENTS)
    assert ran.code == 0, ran.err
    whole: Any
    whole, *broken = map(json.loads, ran.out.splitlines())
    assert whole["code"] == 0
    assert len(broken) >= 3
    as_it_was_or_as_it_should_be(whole, broken, kind)
