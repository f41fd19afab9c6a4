"""What the suite of owners does to a service is no obstacle to growing it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.growing.services import Service, made
from tests.owner.case import Case
from tests.owner.conftest import cases_of
from tests.services import NAME, frameworks
from tests.tool.lineage import commit

COMMANDS = [
    ("add", "resource", "ticket item:ref seat:str:1..10 price:decimal:8.2:optional"),
    ("add", "field", "item", "colour:enum=red,blue:default=red:filter"),
    ("remove", "field", "ticket", "price"),
]
# What both define cannot be joined: they name the same attributes.
CONFLICTS = {
    "cors-django-filter-and-throttling": ["views.py"],  # filterset_fields
    "rules-a-search-and-hidden-rows": ["models.py"],  # the constraints of Meta
    "tags-attributes-and-nested-paths": ["serializers.py", "views.py"],  # classes begin there
}
# A resource, or more, in the framework's own idiom: every day of three, at night of all nine.
EVERY_DAY = "rooms-and-bookings"
EVERY_DAYS_FRAMEWORKS = ("django", "fastapi", "flask")


def of_all_frameworks() -> Iterator[Any]:
    for framework in frameworks():
        for case in cases_of(framework):
            every_day = str(case) == EVERY_DAY and framework in EVERY_DAYS_FRAMEWORKS
            marks = [] if every_day else [pytest.mark.slow]
            yield pytest.param(framework, case, id=f"{framework}-{case}", marks=marks)


@pytest.fixture(scope="session")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Service]:
    """A service of each framework as it comes without an answer, made when it is asked for."""

    class Made(dict[str, Service]):
        def __missing__(self, framework: str) -> Service:
            self[framework] = made(tmp_path_factory.mktemp("usual"), framework, (), NAME)
            return self[framework]

    return Made()


@pytest.mark.parametrize(("framework", "case"), [*of_all_frameworks()])
def test_a_service_grows_after_what_its_owner_did(
    framework: str, case: Case, usual: dict[str, Service], tmp_path: Path
) -> None:
    service = Service(Path(shutil.copytree(usual[framework].folder, tmp_path / NAME)))
    case.apply(service.folder)
    commit(service.folder)
    for command in COMMANDS:
        ran = service.run(*command, "--no-lock", "--json")
        files = [Path(one["file"]).name for one in ran.json["conflicts"]]
        if framework == "django" and command[1] == "field" and str(case) in CONFLICTS:
            assert (ran.code, files) == (4, CONFLICTS[str(case)])
            return
        assert (ran.code, files) == (0, []), ran.json
        commit(service.folder)
