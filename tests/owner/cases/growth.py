"""What owners of the eight services with SQLAlchemy change in a table after some months."""

from __future__ import annotations

import httpx

from tests.contract.items import assert_problem, fresh_name
from tests.owner.case import Case, Edit, replaced

MIGRATION = '''\
"""Names are unique without regard to case, and quantity and size together."""

import sqlalchemy as sa
from alembic import op

revision = "shelves"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("items") as batch_op:
        batch_op.drop_constraint("uq_items_name", type_="unique")
        batch_op.add_column(sa.Column("shelf", sa.Integer(), nullable=True))
        batch_op.create_unique_constraint("uq_items_quantity_shelf", ["quantity", "shelf"])
    op.create_index("uq_items_lower_name", "items", [sa.text("lower(name)")], unique=True)


def downgrade() -> None:
    op.drop_index("uq_items_lower_name", "items")
    with op.batch_alter_table("items") as batch_op:
        batch_op.drop_constraint("uq_items_quantity_shelf", type_="unique")
        batch_op.drop_column("shelf")
        batch_op.create_unique_constraint("uq_items_name", ["name"])
'''

VIEW = '''\
Index("uq_items_lower_name", func.lower(Item.__table__.c.name), unique=True)


class ItemView(BaseModel):
    """An item."""

    id: UUID
    name: str
    quantity: int
    shelf: int | None
    created_at: datetime
    updated_at: datetime

    @computed_field  # type: ignore[prop-decorator]
    @property
    def places(self) -> list[UUID]:
        """One for each."""
        return [self.id] * self.quantity

    @computed_field  # type: ignore[prop-decorator]
    @property
    def due(self) -> datetime:
        """When it has to be looked at."""
        return self.created_at + timedelta(days=30)


ITEMS = Resource(Item, ItemContent, ItemView)
'''

MODEL: Edit = replaced(
    (
        "from typing import Annotated\n",
        "from datetime import datetime, timedelta\n"
        "from typing import Annotated\nfrom uuid import UUID\n",
    ),
    ("from pydantic import Field\n", "from pydantic import BaseModel, Field, computed_field\n"),
    (
        "from sqlalchemy import String\n",
        "from sqlalchemy import Index, String, UniqueConstraint, func\n",
    ),
    ('= "items"\n', '= "items"\n    __table_args__ = (UniqueConstraint("quantity", "shelf"),)\n'),
    (", unique=True)", ")"),
    ("    quantity: Mapped[int]\n", "    quantity: Mapped[int]\n    shelf: Mapped[int | None]\n"),
    ("= 0\n\n\nITEMS", "= 0\n    shelf: int | None = None\n\n\nITEMS"),
    ("ITEMS = Resource(Item, ItemContent)\n", VIEW),
)


def ask_of_constraints_and_a_view(client: httpx.Client) -> None:
    """A conflict is told by its columns and described; a computed field is in each answer."""
    name = fresh_name("Shelf")
    made = client.post("/v1/items", json={"name": name, "quantity": 2, "shelf": 7})
    assert made.status_code == 201, made.text
    item = made.json()
    assert item["places"] == [item["id"]] * 2
    assert item["due"][:4].isdecimal()
    assert item["due"].endswith("Z")
    assert client.get(f"/v1/items/{item['id']}").json() == item
    assert item in client.get("/v1/items?limit=100").json()["items"]
    again = assert_problem(client.post("/v1/items", json={"name": name.upper()}), 409)
    assert again["detail"] == "Another item has this name."
    other = client.post("/v1/items", json={"name": fresh_name("other")}).json()
    there = f"/v1/items/{other['id']}"
    full = assert_problem(client.patch(there, json={"quantity": 2, "shelf": 7}), 409)
    assert full["detail"] == "Another item has this combination of quantity and shelf."
    document = client.get("/openapi.json").json()
    paths = document["paths"]["/v1/items/{item_id}"]
    assert all("409" in paths[method]["responses"] for method in ("put", "patch"))
    assert "409" not in paths["delete"]["responses"]
    assert set(document["components"]["schemas"]["ItemView"]["required"]) == set(item)


def growth(before: str = "0001") -> Case:
    """The change, after the migration `before`."""
    return Case(
        "O1 O3 R5",
        "constraints and a view",
        {
            "{package}/items/model.py": MODEL,
            "{package}/migrations/versions/shelves.py": MIGRATION.replace("{before}", before),
        },
        ask_of_constraints_and_a_view,
    )
