"""What owners of the eight services with SQLAlchemy add: constraints, a search, hidden rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx

from tests.contract.items import assert_problem, fresh_name
from tests.owner.case import Case, Edit, replaced

MIGRATION = '''\
"""Items can be hidden; what they hold fits."""

import sqlalchemy as sa
from alembic import op

revision = "rules"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("items") as batch_op:
        batch_op.add_column(sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("shelf", sa.Integer(), nullable=True))
        batch_op.create_check_constraint("shelf_fits", "shelf <= quantity")
        batch_op.create_check_constraint("lucky", "quantity <> 13")
    if op.get_bind().dialect.name == "postgresql":
        rule = "EXCLUDE USING gist (int4range(shelf, shelf + 10) WITH &&)"
        rule += " WHERE (shelf IS NOT NULL)"
        op.execute(f"ALTER TABLE items ADD CONSTRAINT ex_items_shelf {rule}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("ex_items_shelf", "items")
    with op.batch_alter_table("items") as batch_op:
        batch_op.drop_constraint("lucky", type_="check")
        batch_op.drop_constraint("shelf_fits", type_="check")
        batch_op.drop_column("shelf")
        batch_op.drop_column("hidden_at")
'''

RULES = """\
= "items"
    __table_args__ = (
        CheckConstraint("shelf <= quantity", "shelf_fits", info={"detail": "Too far up."}),
        CheckConstraint("quantity <> 13", "lucky"),
        ExcludeConstraint(
            (literal_column("int4range(shelf, shelf + 10)"), "&&"),
            name="ex_items_shelf",
            where=text("shelf IS NOT NULL"),
        ),
    )
"""

SEARCH = '''\
class ItemSearch(BaseModel):
    """How a list of items can be searched."""

    q: Annotated[str, Line(1, 20)] | None = Field(None, description="Text in the name.")
    least: int = Field(0, ge=0, description="The smallest quantity.")


ITEMS = Resource(Item, ItemContent, search=ItemSearch)
'''

MODEL: Edit = replaced(
    (
        "from typing import Annotated\n",
        "from datetime import datetime\nfrom typing import Annotated\n",
    ),
    ("from pydantic import Field\n", "from pydantic import BaseModel, Field\n"),
    (
        "from sqlalchemy import String\n",
        "from sqlalchemy import CheckConstraint, String, literal_column, text\n"
        "from sqlalchemy.dialects.postgresql import ExcludeConstraint\n",
    ),
    ('= "items"\n', RULES),
    (
        "    quantity: Mapped[int]\n",
        "    quantity: Mapped[int]\n"
        "    shelf: Mapped[int | None]\n"
        "    hidden_at: Mapped[datetime | None]\n",
    ),
    ("= 0\n\n\nITEMS", "= 0\n    shelf: int | None = None\n\n\nITEMS"),
    ("ITEMS = Resource(Item, ItemContent)\n", SEARCH),
)

STORE = '''\
"""How items are stored."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select

from ..runtime.resource import PageRequest
from ..runtime.{module} import {base}
from .model import Item, ItemContent


class ItemStore({base}[Item, ItemContent]):
    """Deleted items are hidden."""

    def visible(self) -> ColumnElement[bool]:
        return Item.hidden_at.is_(None)

    def delete(self, row_id: UUID, revisions: frozenset[str] | None = None) -> Item:
        return self.update_columns(row_id, revisions, hidden_at=datetime.now(UTC))

    def selection(self, request: PageRequest) -> tuple[Select[Any], dict[str, Any]]:
        query, values = super().selection(request)
        search = request.search
        if search.q is not None:
            query = query.where(Item.name.icontains(search.q, autoescape=True))
        return query.where(Item.quantity >= search.least), values
'''


def ask_of_rules_a_search_and_hidden_rows(client: httpx.Client) -> None:
    ask_of_rules(client)
    ask_of_a_search(client)
    ask_of_hidden_rows(client)


def ask_of_rules(client: httpx.Client) -> None:
    """A violated rule is told to the client, and changes nothing."""
    sent = {"name": fresh_name("Rule"), "quantity": 4, "shelf": 5}
    found = assert_problem(client.post("/v1/items", json=sent), 422)
    assert found["errors"] == [{"pointer": "", "detail": "Too far up."}]
    made = client.post("/v1/items", json=sent | {"shelf": 3})
    assert made.status_code == 201, made.text
    path, item = made.headers["Location"], made.json()
    found = assert_problem(client.patch(path, json={"quantity": 13}), 422)
    assert found["errors"] == [{"pointer": "", "detail": "It violates the constraint lucky."}]
    assert_problem(client.put(path, json=sent), 422)
    assert client.get(path).json() == item
    assert_problem(client.put(path, json=sent | {"shelf": 1, "name": ""}), 422)
    other = {"name": fresh_name("Rule"), "quantity": 4, "shelf": 4}
    beside = client.post("/v1/items", json=other)
    if beside.status_code != 201:  # SQLite has no exclusion constraints
        detail = assert_problem(beside, 409)["detail"]
        assert detail == "It conflicts with another item."
    operation = client.get("/openapi.json").json()["paths"]["/v1/items/{item_id}"]["patch"]
    assert "409" in operation["responses"]


def ask_of_a_search(client: httpx.Client) -> None:
    """A list takes the owner's own parameters, on each page, and describes them."""
    word = fresh_name("50%_")[:16]
    for number in range(3):
        content = {"name": f"{word.upper()} {number}", "quantity": number}
        assert client.post("/v1/items", json=content).status_code == 201
    found, there = [], f"/v1/items?limit=1&q={word.lower().replace('%', '%25')}&least=1"
    while there:
        answer = client.get(there)
        assert answer.status_code == 200, answer.text
        found += [item["quantity"] for item in answer.json()["items"]]
        there = answer.links["next"]["url"] if "next" in answer.links else ""
    assert found == [1, 2]
    for query in ("q=", f"q={'x' * 21}", "q=%00", "least=-1", "least=x", "most=1", "q=a&q=b"):
        name = query.partition("=")[0]
        problem = assert_problem(client.get(f"/v1/items?{query}"), 422)
        assert problem["errors"][0]["pointer"] == name, problem
    cursor = client.get("/v1/items?limit=1&least=1").json()["next_cursor"]
    assert_problem(client.get(f"/v1/items?limit=1&least=2&cursor={cursor}"), 422)
    parameters = client.get("/openapi.json").json()["paths"]["/v1/items"]["get"]["parameters"]
    q, least = parameters[-2:]
    assert (q["name"], q["required"], q["description"]) == ("q", False, "Text in the name.")
    assert (q["schema"]["type"], "pattern" in q["schema"]) == ("string", True)
    assert "default" not in q["schema"]
    assert (least["schema"]["minimum"], least["schema"]["default"]) == (0, 0)


def ask_of_hidden_rows(client: httpx.Client) -> None:
    """A hidden row is there for no method, but it is still in the database."""
    content = {"name": fresh_name("Hidden"), "quantity": 1}
    made = client.post("/v1/items", json=content)
    path, tag = made.headers["Location"], made.headers["ETag"]
    assert_problem(client.delete(path, headers={"If-Match": '"other"'}), 412)
    assert client.delete(path, headers={"If-Match": tag}).status_code == 204
    assert_problem(client.get(path), 404)
    assert_problem(client.put(path, json=content), 404)
    assert_problem(client.patch(path, json={"quantity": 2}), 404)
    assert_problem(client.patch(path, json={"quantity": 1}), 404)
    assert_problem(client.delete(path), 404)
    listed = client.get("/v1/items?limit=100").json()["items"]
    assert made.json()["id"] not in {item["id"] for item in listed}
    assert_problem(client.post("/v1/items", json=content), 409)


def rules(base: str = "Store", module: str = "store") -> Case:
    """The change for a framework whose routes use the store `base` of `runtime.module`."""
    routes = replaced(
        (f"from ..runtime.{module} import {base}\n", ""),
        (f"{base}[Item, ItemContent]", "ItemStore"),
        (f"{base}(ITEMS", "ItemStore(ITEMS"),
        ("from .model import ", "from .store import ItemStore\nfrom .model import "),
    )
    return _case("0001", STORE.format(base=base, module=module), {"routes": routes})


def rules_of_nameko() -> Case:
    """The change for Nameko, where the store is a dependency of two service classes."""
    edit = replaced(
        ("store(ITEMS)", "dependency(lambda service: ItemStore(ITEMS, service.database))"),
        ("from .model import ITEMS\n", "from .model import ITEMS\nfrom .store import ItemStore\n"),
    )
    files = {
        "routes": lambda text: edit(replaced(("    store,\n", "    dependency,\n"))(text)),
        "service": lambda text: edit(replaced(("import store\n", "import dependency\n"))(text)),
    }
    return _case("0002", STORE.format(base="AnnouncedStore", module="outbox"), files)


DJANGO_MIGRATION = '''\
"""Items can be hidden; what they hold fits."""

from django.db import migrations, models


def exclude(apps, editor):
    if editor.connection.vendor == "postgresql":
        rule = "EXCLUDE USING gist (int4range(shelf, shelf + 10) WITH &&)"
        rule += " WHERE (shelf IS NOT NULL)"
        editor.execute(f"ALTER TABLE items ADD CONSTRAINT ex_items_shelf {rule}")


class Migration(migrations.Migration):
    dependencies = (("items", "0001_initial"),)
    operations = (
        migrations.AddField("item", "hidden_at", models.DateTimeField(null=True, editable=False)),
        migrations.AddField("item", "shelf", models.PositiveIntegerField(null=True, blank=True)),
        migrations.AddConstraint(
            "item",
            models.CheckConstraint(
                condition=models.Q(shelf__lte=models.F("quantity")),
                name="shelf_fits",
                violation_error_message="Too far up.",
            ),
        ),
        migrations.AddConstraint(
            "item", models.CheckConstraint(condition=~models.Q(quantity=13), name="lucky")
        ),
        migrations.RunPython(exclude),
    )
'''

DJANGO_RULES = """\
        db_table = "items"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(shelf__lte=models.F("quantity")),
                name="shelf_fits",
                violation_error_message="Too far up.",
            ),
            models.CheckConstraint(condition=~models.Q(quantity=13), name="lucky"),
        )
"""

DJANGO_VIEWS = '''\
"""Items over HTTP."""

from django.utils import timezone
from rest_framework.filters import SearchFilter

from ..runtime.views import ResourceViewSet
from .models import Item
from .serializers import ItemSerializer


class ItemViewSet(ResourceViewSet[Item]):
    """Deleted items are hidden."""

    queryset = Item.objects.filter(hidden_at=None)
    serializer_class = ItemSerializer
    filter_backends = (SearchFilter,)
    search_fields = ("name",)

    def perform_destroy(self, row: Item) -> None:
        row.hidden_at = timezone.now()
        row.save()
'''


def ask_of_django(client: httpx.Client) -> None:
    ask_of_rules(client)
    found = assert_problem(client.post("/v1/items", json={"name": fresh_name(), "shelf": -1}), 422)
    assert found["errors"][0]["pointer"] in ("", "/shelf")
    for number in range(3):
        content = {"name": f"Searched {number}", "quantity": number}
        assert client.post("/v1/items", json=content).status_code == 201
    pages = [client.get("/v1/items?limit=2&search=searched")]
    pages.append(client.get(pages[0].links["next"]["url"]))
    found = [item["quantity"] for page in pages for item in page.json()["items"]]
    assert found == [0, 1, 2]
    assert_problem(client.get("/v1/items?q=searched"), 422)
    ask_of_hidden_rows(client)


def rules_of_django() -> Case:
    """The same for Django, by its own means."""
    return Case(
        "O1 O2 O3 R5",
        "rules a search and hidden rows",
        {
            "{package}/items/models.py": replaced(
                ('        db_table = "items"\n', DJANGO_RULES),
                (
                    "\n    class Meta",
                    "    shelf = models.PositiveIntegerField(null=True, blank=True)\n"
                    "    hidden_at = models.DateTimeField(null=True, editable=False)\n"
                    "\n    class Meta",
                ),
            ),
            "{package}/items/serializers.py": replaced(
                ('"quantity",\n', '"quantity",\n            "shelf",\n')
            ),
            "{package}/items/views.py": DJANGO_VIEWS,
            "{package}/items/migrations/0002_rules.py": DJANGO_MIGRATION,
        },
        ask_of_django,
    )


def _case(before: str, store: str, edits: Mapping[str, Callable[[str], str]]) -> Case:
    return Case(
        "O1 O2 O3 R5",
        "rules a search and hidden rows",
        {
            "{package}/items/model.py": MODEL,
            "{package}/items/store.py": store,
            "{package}/migrations/versions/rules.py": MIGRATION.replace("{before}", before),
        }
        | {f"{{package}}/items/{name}.py": edit for name, edit in edits.items()},
        ask_of_rules_a_search_and_hidden_rows,
    )
