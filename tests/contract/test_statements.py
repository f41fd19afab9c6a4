"""R1 to R3: what the driver stores and reads is what SQLAlchemy would, value by value."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from scaffold.resources import short_form
from tests.contract.conftest import NewDatabase, Target
from tests.contract.declarations import RICH, SHORT_FORMS, as_data
from tests.services import PACKAGE, Projects, plain_environment

SCRIPT = Path(__file__).with_name("drawn_rows.py")
SEED = "rows of all types"
TYPES = {"String", "Text", "Integer", "BigInteger", "Double", "Exact", "Boolean", "Date", "Instant"}
TYPES |= {"Uuid", "Enum", "JSON", "LargeBinary", "Numeric", "Float", "Time", "DateTime", "Interval"}


@pytest.mark.contract("R1", "R2", "R3")
@pytest.mark.any_framework("fastapi")
def test_rows_of_the_driver_are_equal_to_those_of_sqlalchemy(
    target: Target, projects: Projects, new_database: NewDatabase
) -> None:
    if target.framework == "django":
        pytest.skip("Django reads its rows by its own ORM")
    resources = short_form.parse_all(SHORT_FORMS[RICH])
    name = f"{target.framework}-{RICH}"
    project = projects.of_resources(target.framework, name, as_data(resources))
    database = new_database()
    project.migrate({"DATABASE_URL": database.url})
    plurals = ",".join(one.plural for one in resources)
    ran = subprocess.run(
        [project.python, SCRIPT, PACKAGE, plurals, SEED],
        env={**plain_environment(), **project.surroundings, "DATABASE_URL": database.url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["rows"] > 1000
    assert set(found["values"]) >= TYPES
    assert set(found["nulls"]) >= {"Double", "Exact", "Instant", "Uuid", "JSON"}
    assert found["observed"] > 100
    assert found["computed"] == ["plain", 7, "own"]
    direct = {"unobserved", "inserting"}
    assert not direct & found.keys(), "the driver needs no connection of SQLAlchemy's"
