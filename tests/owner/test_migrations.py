"""O5: migrations can be generated, reviewed and reverted."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable

import pytest

from tests.contract.conftest import NewDatabase, Target
from tests.contract.databases import Database
from tests.owner.case import Case, replaced
from tests.owner.conftest import OwnedProject
from tests.services import PACKAGE, features

pytestmark = pytest.mark.contract("O5")

Own = Callable[[str, Case], OwnedProject]

UNTOUCHED = Case("O5", "untouched")
FIELDS = """\
    colour: Mapped[str | None] = mapped_column(String(20), unique=True)
    seen_at: Mapped[datetime | None]
    origin_id: Mapped[UUID | None] = mapped_column(ForeignKey("items.id"))
"""


CHANGED = Case(
    "O5",
    "a changed model",
    {
        "{package}/items/model.py": replaced(
            ("String(100), unique=True", "String(120)"),
            ("    quantity: Mapped[int]\n", "    quantity: Mapped[int | None]\n" + FIELDS),
            (
                "from typing import Annotated\n",
                "from datetime import datetime\n"
                "from typing import Annotated\n"
                "from uuid import UUID\n",
            ),
            ("from sqlalchemy import String\n", "from sqlalchemy import ForeignKey, String\n"),
        )
    },
)


def has_alembic(target: Target) -> bool:
    return "django_migrations" not in features(target.framework)


@pytest.mark.any_framework("flask", "django")
@pytest.mark.any_database
def test_nothing_is_to_migrate_in_an_untouched_service(
    target: Target, own: Own, new_database: NewDatabase
) -> None:
    project = own(target.framework, UNTOUCHED)
    environment = {"DATABASE_URL": new_database().url}
    migrated = project.run("-m", PACKAGE, "migrate", environment=environment)
    assert migrated.returncode == 0, migrated.stdout + migrated.stderr
    check = (
        ["-m", "alembic", "check"]
        if has_alembic(target)
        else ["manage.py", "makemigrations", "--check", "--dry-run"]
    )
    checked = project.run(*check, environment=environment)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.without("django_migrations")
@pytest.mark.any_framework("flask")
@pytest.mark.any_database
def test_alembic_writes_a_migration_that_goes_down_and_up_again(
    target: Target, own: Own, new_database: NewDatabase
) -> None:
    """It widens a column, drops NOT NULL and a constraint, and adds others, on SQLite too."""
    project = own(target.framework, CHANGED)
    database = new_database()
    environment = {"DATABASE_URL": database.url}

    def succeed(*arguments: str) -> str:
        ran = project.run(*arguments, environment=environment)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    succeed("-m", PACKAGE, "migrate")
    succeed("-m", "alembic", "revision", "--autogenerate", "-m", "Change items")
    (written,) = (project.folder / f"src/{PACKAGE}/migrations/versions").glob("*_change_items.py")
    succeed("-m", "ruff", "check", "src")
    succeed("-m", "ruff", "format", "--check", "src")
    succeed("-m", PACKAGE, "migrate")
    assert "No new upgrade operations" in succeed("-m", "alembic", "check")
    succeed("-m", "alembic", "downgrade", "-1")
    succeed("-m", "alembic", "upgrade", "head")
    assert "batch_alter_table" in written.read_text()
    if target.database == "sqlite":
        ((sql,),) = ask_sqlite(database, "SELECT sql FROM sqlite_master WHERE name = 'items'")
        assert "AUTOINCREMENT" in sql, "positions reused"
    succeed("-m", "alembic", "revision", "-m", "Change rows")  # to be written by hand
    succeed("-m", "ruff", "check", "src")
    succeed("-m", "ruff", "format", "--check", "src")


def ask_sqlite(database: Database, query: str) -> list[tuple[str, ...]]:
    path = database.url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


STATE = "    state: Mapped[State]\n"
SENT_STATE = '    state: State = "new"\n'
POSITIVE = 'CheckConstraint("quantity >= 0", name="quantity_positive")'
STATES = Case(
    "O5",
    "states and a check",
    {
        "{package}/items/model.py": replaced(
            ("from typing import Annotated\n", "from typing import Annotated, Literal\n"),
            ("from sqlalchemy import String\n", "from sqlalchemy import CheckConstraint, String\n"),
            ("\n\nclass Item(Record):", '\nState = Literal["new", "old"]\n\n\nclass Item(Record):'),
            ("    quantity: Mapped[int]\n", f"    quantity: Mapped[int]\n{STATE}"),
            ('= "items"\n', f'= "items"\n    __table_args__ = ({POSITIVE},)\n'),
            ("= 0\n\n\nITEMS", f"= 0\n{SENT_STATE}\n\nITEMS"),
        )
    },
)


@pytest.mark.without("django_migrations")
@pytest.mark.any_framework("flask")
@pytest.mark.any_database
def test_alembic_compares_the_values_of_an_enum_and_other_checks(
    target: Target, own: Own, new_database: NewDatabase
) -> None:
    """If it did not, the database would reject a new value, which is a 500."""
    project = own(target.framework, STATES)
    database = new_database()

    def succeed(*arguments: str) -> str:
        ran = project.run(*arguments, environment={"DATABASE_URL": database.url})
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def migrate(words: str) -> str:
        succeed("-m", "alembic", "revision", "--autogenerate", "-m", words)
        slug = words.lower().replace(" ", "_")
        (path,) = (project.folder / f"src/{PACKAGE}/migrations/versions").glob(f"*_{slug}.py")
        succeed("-m", PACKAGE, "migrate")
        assert "No new upgrade operations" in succeed("-m", "alembic", "check")
        return path.read_text()

    model = project.folder / f"src/{PACKAGE}/items/model.py"
    succeed("-m", PACKAGE, "migrate")
    first = migrate("Items have a state")
    assert "ck_items_quantity_positive" in first
    assert "ck_items_state" in first
    if target.database == "sqlite":
        ask_sqlite(database, "CREATE INDEX ix_lower ON items (lower(name))")
    model.write_text(replaced(('"new", "old"', '"new", "old", "odd"'))(model.read_text()))
    migrate("Items may be odd")
    if target.database == "sqlite":
        kept = ask_sqlite(database, "SELECT name FROM sqlite_master WHERE type = 'index'")
        assert ("ix_lower",) in kept, "rebuilding the table dropped an index"
    succeed("-m", "ruff", "check", "src")
    succeed("-m", "ruff", "format", "--check", "src")
    with project.client(database) as client:
        made = client.post("/v1/items", json={"name": "one", "state": "odd"})
        assert made.status_code == 201, made.text
        assert client.delete(made.headers["Location"]).status_code == 204
    model.write_text(replaced((STATE, ""), (SENT_STATE, ""))(model.read_text()))
    migrate("Items have no state")
    succeed("-m", "alembic", "downgrade", "-3")
    succeed("-m", "alembic", "upgrade", "head")
