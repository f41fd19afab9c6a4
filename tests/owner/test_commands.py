"""A command of the owner's beside `serve` and `migrate`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.conftest import NewDatabase, Target
from tests.owner.case import Case, replaced
from tests.owner.conftest import OwnedProject
from tests.services import PACKAGE, features

Own = Callable[[str, Case], OwnedProject]

STORE = '''\
"""A command that creates items."""

import sys

from .items.model import ITEMS, ItemContent
from .runtime.database import Database
from .runtime.store import Store
from .settings import Settings


def run(settings: Settings, arguments: list[str]) -> None:
    """Create an item of each name, and say how many there are."""
    items = Store(ITEMS, Database(settings))
    for name in arguments:
        made = items.create(ItemContent(name=name))
        touched = items.update_columns(made.id, frozenset({made.revision}))
        assert touched.revision != made.revision
        assert items.get(made.id).revision == touched.revision
    sys.stdout.write(f"{len(items.page(ITEMS.read_query('')).rows)} items\\n")
'''

DJANGO = '''\
"""A command that creates items."""

import sys

from .items.models import Item
from .settings import Settings


def run(settings: Settings, arguments: list[str]) -> None:
    """Create an item of each name, and say how many there are."""
    for name in arguments:
        Item.objects.create(name=name)
    sys.stdout.write(f"{Item.objects.count()} items\\n")
'''


@pytest.mark.contract("P3", "O6")
@pytest.mark.any_framework("falcon", "django")
@pytest.mark.any_database
def test_a_command_of_its_owners_runs_with_the_settings_and_its_arguments(
    target: Target, own: Own, new_database: NewDatabase
) -> None:
    text = DJANGO if "django_migrations" in features(target.framework) else STORE
    files = {
        "{package}/stocking.py": text,
        "{package}/__main__.py": replaced(
            ("    cli.main()\n", '    cli.main(stock_up="stocking:run")\n')
        ),
    }
    project, database = own(target.framework, Case("O6", "command", files)), new_database()
    environment = {"DATABASE_URL": database.url}
    if database.kind != "sqlite":
        assert project.run("-m", PACKAGE, "migrate", environment=environment).returncode == 0
    ran = project.run("-m", PACKAGE, "stock-up", "bolt", "--nut", environment=environment)
    assert (ran.returncode, ran.stdout) == (0, "2 items\n"), ran.stdout + ran.stderr
    listed = project.run("-m", PACKAGE, "--help", environment=environment)
    assert "stock-up" in listed.stdout
    refused = project.run("-m", PACKAGE, "stock-up", environment=environment | {"PORT": "x"})
    assert refused.returncode == 2
    assert "PORT" in refused.stdout + refused.stderr
