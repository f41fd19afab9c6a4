"""Every line about ownership is asked of every framework, if not every day then at night."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.contract.lines import TITLES
from tests.services import REPOSITORY, frameworks

COLLECT = """\
import json, sys
import pytest

class Asked:
    def pytest_collection_finish(self, session):
        found = {}
        for item in session.items:
            given = dict(item.user_properties)
            for column in given.get("columns", "").split():
                found.setdefault(column.partition("-")[0], set()).update(given["contract"].split())
        with open(sys.argv[1], "w") as file:
            json.dump({name: sorted(lines) for name, lines in found.items()}, file)

sys.exit(pytest.main(["--collect-only", "-q", "-m", "", "tests/owner"], plugins=[Asked()]))
"""


def test_every_line_is_asked_of_every_framework(tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    ran = subprocess.run(
        [sys.executable, "-c", COLLECT, str(found)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    asked = json.loads(found.read_text())
    lines = {line for line in TITLES if line.startswith("O")}
    missing = {name: sorted(lines - set(asked.get(name, []))) for name in frameworks()}
    assert not any(missing.values()), missing
