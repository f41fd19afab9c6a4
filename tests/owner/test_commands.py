"""A command of the owner's beside `serve` and `migrate`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.conftest import NewDatabase, Target
from tests.owner.case import Case, Edit, replaced
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
    files: dict[str, Edit] = {
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


JOINS = '''\
"""Labels of items, in a table that joins them; and what is done after a commit."""

import contextlib
import sys
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, UniqueConstraint, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from .items.model import ITEMS, Item, ItemContent
from .runtime import Duplicate, StaleRevision, UnknownReference
from .runtime.content import Content, Uuid
from .runtime.database import Database
from .runtime.resource import Resource
from .runtime.store import Store
from .runtime.tables import Record
from .settings import Settings


class ItemLabel(Record):
    """A pair of items, one of which is a label of the other."""

    __tablename__ = "item_labels"
    __table_args__ = (UniqueConstraint("item_id", "label_id"),)

    item_id: Mapped[UUID] = mapped_column(ForeignKey("items.id"))
    label_id: Mapped[UUID] = mapped_column(ForeignKey("items.id"))


class ItemLabelContent(Content):
    """What a client sends of a pair."""

    item_id: Uuid
    label_id: Uuid


ITEM_LABELS = Resource(ItemLabel, ItemLabelContent)


def run(settings: Settings, arguments: list[str]) -> None:
    """Label an item, once."""
    database = Database(settings)
    with database.writing() as connection:
        ItemLabel.__table__.create(connection)
    items, labels = Store(ITEMS, database), Store(ITEM_LABELS, database)
    item, label = (items.create(ItemContent(name=name)) for name in ("item", "label"))
    done: list[str] = []

    def pair(label_id: UUID) -> None:
        with database.writing(lambda: done.append("sent")):
            labels.create(ItemLabelContent(item_id=item.id, label_id=label_id))
            items.update_columns(item.id)
            assert not done[1:], "told before the commit"

    pair(label.id)
    assert items.get(item.id).revision != item.revision
    for wrong, error in ((label.id, Duplicate), (uuid4(), UnknownReference)):
        before = items.get(item.id).revision
        with contextlib.suppress(error):
            pair(wrong)
            raise AssertionError(error)
        assert items.get(item.id).revision == before, "half of a transaction was stored"
    with contextlib.suppress(StaleRevision):
        items.update_columns(item.id, frozenset({item.revision}))
        raise AssertionError("a revision that is no longer there")
    change_by_other_means(database, items)
    replica = Database(settings.model_copy(update={"database_url": settings.database_url}))
    rows = Store(ITEM_LABELS, replica).page(ITEM_LABELS.read_query("")).rows
    sys.stdout.write(f"{done} {len(rows)}\\n")


def change_by_other_means(database: Database, items: Store[Item, ItemContent]) -> None:
    """What the ORM and statements of the owner's write has an ID and a new revision too."""
    with database.writing() as connection, Session(connection) as session:
        made = Item(name="by the ORM", quantity=1)
        session.add(made)
        session.flush()
        ident, first = made.id, made.revision
        made.quantity = 2
        session.flush()
        assert made.revision != first
    second = items.get(ident)
    with database.writing() as connection:
        connection.execute(update(Item).where(Item.id == ident).values(quantity=3))
    third = items.get(ident)
    assert (second.quantity, third.quantity) == (2, 3)
    assert len({first, second.revision, third.revision}) == 3
    assert third.created_at < second.updated_at < third.updated_at
'''


@pytest.mark.contract("O2", "O10")
@pytest.mark.without("django_migrations")
@pytest.mark.any_framework("falcon")
@pytest.mark.any_database
def test_a_table_that_joins_two_has_a_store_and_changes_the_revision_of_a_row(
    target: Target, own: Own, new_database: NewDatabase
) -> None:
    files: dict[str, Edit] = {
        "{package}/joins.py": JOINS,
        "{package}/__main__.py": replaced(("    cli.main()\n", '    cli.main(join="joins:run")\n')),
    }
    project, database = own(target.framework, Case("O2", "join", files)), new_database()
    environment = {"DATABASE_URL": database.url}
    if database.kind != "sqlite":
        assert project.run("-m", PACKAGE, "migrate", environment=environment).returncode == 0
    ran = project.run("-m", PACKAGE, "join", environment=environment)
    assert (ran.returncode, ran.stdout) == (0, "['sent'] 1\n"), ran.stdout + ran.stderr
