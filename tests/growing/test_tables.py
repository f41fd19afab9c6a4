"""A migration of the owner's that does the same already: nothing is migrated twice."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scaffold.errors import TargetError
from scaffold.growing import tables
from scaffold.growing.tables import Step
from tests.growing.services import Service
from tests.growing.test_commands import is_as_committed
from tests.services import frameworks
from tests.tool.lineage import commit

VIP = ("add", "field", "booking", "vip:bool:default=false")
INVOICE = ("add", "resource", "invoice total:decimal:10.2")
GUEST = ("remove", "field", "booking", "guest")
BOOKING = ("remove", "resource", "booking")


def alembic(body: str) -> list[Step]:
    text = f"def downgrade():\n    op.drop_table('never')\n\n\ndef upgrade():\n{body}"
    return tables.steps_of(ast.parse(text))


@pytest.mark.parametrize(
    ("body", "steps"),
    [
        (
            "    op.create_table('rooms', sa.Column('id', sa.Uuid()), sa.UniqueConstraint('name'))",
            [Step(True, "rooms"), Step(True, "rooms", "id")],
        ),
        ("    op.add_column('rooms', sa.Column('vip', T))", [Step(True, "rooms", "vip")]),
        (
            "    op.add_column(table_name='rooms', column=Column('vip'))",
            [Step(True, "rooms", "vip")],
        ),
        (
            "    with op.batch_alter_table('rooms', schema=None) as batch_op:\n"
            "        batch_op.drop_column('floor')\n"
            "        batch_op.add_column(sa.Column('vip', T))\n"
            "        batch_op.alter_column('size', new_column_name='area')\n"
            "        batch_op.alter_column('name', nullable=True)\n",
            [
                Step(False, "rooms", "floor"),
                Step(True, "rooms", "vip"),
                Step(False, "rooms", "size"),
                Step(True, "rooms", "area"),
            ],
        ),
        (
            "    if missing('Rooms'):\n        op.rename_table('Rooms', 'suites')",
            [Step(False, "rooms"), Step(True, "suites")],
        ),
        ("    op.drop_table(NAME)\n    op.execute('DROP TABLE rooms')\n    table.drop()", []),
    ],
)
def test_what_a_migration_of_alembic_does(body: str, steps: list[Step]) -> None:
    assert alembic(body) == steps


def test_what_a_migration_of_django_does() -> None:
    text = """
from django.db.migrations import DeleteModel

class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel(name="BigRoom", fields=[("name", models.CharField())], options={}),
        migrations.AddField(model_name="bigroom", name="vip", field=models.BooleanField()),
        migrations.SeparateDatabaseAndState([], [migrations.RemoveField("BigRoom", "name")]),
        migrations.RenameField("bigroom", "vip", new_name="gold"),
        migrations.AlterField(model_name="bigroom", name="gold", field=models.IntegerField()),
        migrations.RenameModel("BigRoom", "Suite"),
        DeleteModel(name="Suite"),
    ]
"""
    assert tables.steps_of(ast.parse(text)) == [
        Step(True, "bigroom"),
        Step(True, "bigroom", "name"),
        Step(True, "bigroom", "vip"),
        Step(False, "bigroom", "name"),
        Step(False, "bigroom", "vip"),
        Step(True, "bigroom", "gold"),
        Step(False, "bigroom"),
        Step(True, "suite"),
        Step(False, "suite"),
    ]


def done(*steps: Step) -> list[tuple[Path, list[Step]]]:
    return [(Path(f"{number:04}.py"), [step]) for number, step in enumerate(steps, 1)]


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (Step(True, "rooms", "vip"), Step(False, "rooms", "vip")),
        (Step(True, "rooms", "vip"), Step(False, "rooms"), Step(True, "rooms")),
        (Step(True, "rooms", "name"), Step(True, "guests", "vip")),
    ],
)
def test_what_went_can_come_again(steps: tuple[Step, ...]) -> None:
    tables.refuse_repeated(Step(True, "rooms", "vip"), done(*steps))
    last = (Path("9999.py"), [Step(True, "rooms", "vip")])
    with pytest.raises(TargetError, match=r"9999\.py already adds"):
        tables.refuse_repeated(Step(True, "rooms", "vip"), [*done(*steps), last])


@pytest.mark.parametrize("adds", [True, False])
def test_a_table_that_went_gets_and_loses_no_column(adds: bool) -> None:
    steps = done(Step(True, "rooms"), Step(False, "rooms"))
    with pytest.raises(TargetError, match=r'0002\.py already drops or renames "rooms"'):
        tables.refuse_repeated(Step(adds, "rooms", "vip"), steps)
    tables.refuse_repeated(Step(True, "rooms"), steps)


# ---- a migration of the owner's, in a service


# Each command, what a migration of Alembic or Django does instead, and what is said of it.
DOES = {
    VIP: (
        "op.add_column('bookings', sa.Column('vip', sa.Boolean()))",
        "AddField('booking', 'vip', models.BooleanField())",
        ('adds "vip" to "bookings"', 'adds "vip" to "booking"'),
    ),
    INVOICE: (
        "op.create_table('invoices')",
        "CreateModel('Invoice', [])",
        ('creates "invoices"', 'creates "invoice"'),
    ),
    GUEST: (
        "op.drop_column('bookings', 'guest')",
        "RemoveField('booking', 'guest')",
        ('removes or renames "guest" in "bookings"', 'removes or renames "guest" in "booking"'),
    ),
    BOOKING: (
        "op.drop_table('bookings')",
        "DeleteModel('Booking')",
        ('drops or renames "bookings"', 'drops or renames "booking"'),
    ),
}


def own_migration(service: Service, command: tuple[str, ...]) -> tuple[str, str]:
    """Writes one that does what the command would; its file, and what is said of it."""
    operation, in_django, told = DOES[command]
    source = service.folder / "src" / "hotel"
    versions = source / "migrations" / "versions"
    if versions.exists():
        last = max(path.name[:4] for path in versions.glob("0*.py"))
        text = f'revision = "own"\ndown_revision = "{last}"\n\n\ndef upgrade():\n    {operation}\n'
        (versions / "own.py").write_text(text)
        return "own.py", told[0]
    app = "invoices" if command == INVOICE else "bookings"
    first = [] if command == INVOICE else [("bookings", "0001_initial")]
    folder = source / app / "migrations"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "0002_own.py").write_text(
        "class Migration(migrations.Migration):\n"
        f"    dependencies = {first}\n    operations = [migrations.{in_django}]\n"
    )
    return "0002_own.py", told[1]


@pytest.mark.parametrize(
    ("framework", "command"),
    [
        pytest.param(
            framework,
            command,
            id=f"{framework}-{'-'.join(command[:2])}",
            marks=()
            if (framework, command) in (("flask", VIP), ("django", VIP))
            else pytest.mark.slow,
        )
        for framework in frameworks()
        for command in DOES
    ],
)
def test_nothing_is_migrated_twice(
    framework: str, command: tuple[str, ...], born: Callable[[str], Service], tmp_path: Path
) -> None:
    service = Service(Path(shutil.copytree(born(framework).folder, tmp_path / "hotel")))
    file, told = own_migration(service, command)
    commit(service.folder)
    before = service.contents()
    ran = service.run(*command, "--no-lock", "--json")
    assert ran.code == 3, ran.out
    assert f"{file} already {told}." in ran.json["error"]["message"]
    assert is_as_committed(service)
    ran = service.run(*command, "--no-lock", "--no-migration", "--json")
    assert (ran.code, ran.json["conflicts"]) == (0, []), ran.out
    assert "No migration was written." in ran.json["warnings"][0]
    commit(service.folder)
    assert migrations_in(service.contents()) == migrations_in(before)


def migrations_in(contents: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in contents.items() if "/migrations/" in name and text}
