"""O12: the service's own tests notice when its routes and its document differ."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping

import pytest

from tests.owner.case import Case, Edit, replaced
from tests.owner.conftest import OwnedProject

pytestmark = pytest.mark.contract("O12")

Own = Callable[[str, Case], OwnedProject]

BREAKS: dict[str, Mapping[str, Edit]] = {
    "an operation is missing": {
        "{package}/runtime/document.py": replaced(
            (
                "    for route, operation in described:\n",
                "    for route, operation in described:\n"
                '        if route.method == "PATCH":\n            continue\n',
            )
        )
    },
    "a field is missing": {
        "{package}/runtime/document.py": replaced(
            (
                '        schema.pop("title", None)\n',
                '        schema.pop("title", None)\n'
                '        schema.get("properties", {}).pop("quantity", None)\n',
            )
        )
    },
    "a resource is left over": {
        "{package}/runtime/document.py": replaced(
            (
                '    document["paths"] = paths | document["paths"]\n',
                '    paths["/v1/ghosts"] = dict(paths["/v1/items"])\n'
                '    document["paths"] = paths | document["paths"]\n',
            )
        )
    },
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if number else [])
        for number, name in enumerate(BREAKS)
    ],
)
@pytest.mark.any_framework("flask")
def test_own_tests_notice_a_document_that_lies(framework: str, own: Own, name: str) -> None:
    module = importlib.import_module(f"tests.owner.cases.{framework}")
    project = own(framework, Case("O12", name, getattr(module, "BREAKS", BREAKS)[name]))
    ran = project.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "document", "tests")
    assert ran.returncode == 1, ran.stdout[-3000:]
    assert re.search("FAILED .*document", ran.stdout), ran.stdout[-3000:]
