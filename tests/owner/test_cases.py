"""Every change that `tests/owner/cases` has for a framework, asked about from outside."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.conftest import NewDatabase, Target
from tests.owner.case import Case
from tests.owner.conftest import OwnedProject


@pytest.mark.any_database
def test_a_change_of_its_owners_works(
    target: Target,
    case: Case,
    own: Callable[[str, Case], OwnedProject],
    new_database: NewDatabase,
) -> None:
    project = own(target.framework, case)
    with project.client(new_database()) as client:
        case.ask(client)
