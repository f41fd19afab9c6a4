"""P11: `seed` creates the rows of `seed.py`, where there are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract.conftest import Launch, NewDatabase
from tests.contract.databases import Database
from tests.contract.items import walk
from tests.services import PACKAGE, Project, copy_of, lend_environment, lent_environment

pytestmark = [pytest.mark.contract("P11")]


def printed(project: Project, database: Database) -> list[dict[str, object]]:
    """What `seed` printed, line by line, without the database's secrets."""
    ran = project.run("seed", environment={"DATABASE_URL": database.url}, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert not any(secret in ran.stdout + ran.stderr for secret in database.secrets)
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.any_framework("flask", "django")
@pytest.mark.any_database
def test_seeding_names_the_database_and_twice_changes_nothing(
    project: Project, new_migrated: NewDatabase, launch: Launch
) -> None:
    database = new_migrated()
    first = printed(project, database)
    assert first[0]["event"] == "seeding", "said before anything is stored"
    named = str(first[0]["database"])
    assert named.startswith(database.kind)
    assert named.rpartition("/")[2] == database.url.partition("?")[0].rpartition("/")[2]
    created = first[-1]["created"]
    service = launch(database)
    seeded = walk(service.http)
    assert len(seeded) == created
    assert printed(project, database)[-1]["created"] == 0
    assert walk(service.http) == seeded


@pytest.mark.slow
def test_seeding_does_without_a_schema_only_on_sqlite(
    project: Project, new_database: NewDatabase, launch: Launch
) -> None:
    """Nobody else migrates a file; PostgreSQL is left as it was, and the reason is told."""
    database = new_database()
    ran = project.run("seed", environment={"DATABASE_URL": database.url}, timeout=60)
    if database.kind == "sqlite":
        assert ran.returncode == 0
        assert walk(launch(database).http)
    else:
        assert ran.returncode == 1
        assert "run migrate first" in ran.stdout
        assert database.schema() == []


@pytest.mark.slow
def test_rows_are_stored_together_or_not_at_all(
    project: Project, new_migrated: NewDatabase, launch: Launch, tmp_path: Path
) -> None:
    """A row that is not valid is named, and those before it are not kept."""
    copy_of(project.folder, tmp_path / "work")
    lend_environment(project.folder, tmp_path / "work")
    changed = Project(
        project.framework,
        tmp_path / "work",
        {**project.surroundings, **lent_environment(tmp_path / "work")},
    )
    seed = changed.folder / "src" / PACKAGE / "seed.py"
    wrong = seed.read_text().replace("range(1, 4)", '(1, 2, "x" * 200)')
    assert wrong != seed.read_text()
    seed.write_text(wrong)
    database = new_migrated()
    ran = changed.run("seed", environment={"DATABASE_URL": database.url}, timeout=60)
    assert ran.returncode == 1
    assert "items: " in ran.stdout + ran.stderr
    assert "name" in ran.stdout + ran.stderr
    assert "seeded" not in ran.stdout
    assert walk(launch(database).http) == []
