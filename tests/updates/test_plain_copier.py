"""Who has copier and not this tool makes and updates a service from the repository itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tool.lineage import commit, git
from tests.tool.test_sources import without_scaffold
from tests.updates.releases import clone_of_repository

pytestmark = pytest.mark.slow


def test_copier_alone_makes_and_updates_a_service_of_this_repository(tmp_path: Path) -> None:
    clone = clone_of_repository(tmp_path / "templates.git")
    git(clone, "tag", "v0.1.0")
    given = ("--data", "name=my-svc", "--data", "framework=falcon", "--defaults", "--quiet")
    without_scaffold(tmp_path, "copy", *given, clone.as_uri(), "my-svc")
    service = tmp_path / "my-svc"
    git(service, "init", "--quiet")
    (service / "own.md").write_text("The owner's.\n")
    commit(service)
    dockerfile = clone / "templates/shared/Dockerfile.jinja"
    dockerfile.write_text("# Newer.\n" + dockerfile.read_text())
    commit(clone, "Newer")
    git(clone, "tag", "v0.2.0")
    without_scaffold(service, "update", "--defaults", "--quiet")
    assert (service / "Dockerfile").read_text().startswith("# Newer.\n")
    assert (service / "own.md").exists()
    assert "v0.2.0" in (service / ".copier-answers.yml").read_text()
