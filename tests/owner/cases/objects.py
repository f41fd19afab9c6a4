"""Objects in a JSON column, and pages of other sizes, in the eight services with SQLAlchemy."""

from __future__ import annotations

import httpx

from tests.contract.items import assert_invalid, assert_problem, fresh_name
from tests.owner.case import Case, Edit, replaced

MIGRATION = '''\
"""Items have attributes and a size."""

import sqlalchemy as sa
from alembic import op

revision = "objects"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("items") as batch_op:
        attributes = sa.Column("attributes", sa.JSON(), server_default="{{}}", nullable=False)
        batch_op.add_column(attributes)
        batch_op.add_column(sa.Column("size", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("items") as batch_op:
        batch_op.drop_column("size")
        batch_op.drop_column("attributes")
'''

SIZE = '''

class Size(Content):
    """How large an item is."""

    width: int
    height: int = 1


class Item(Record):
'''

MODEL: Edit = replaced(
    ("from typing import Annotated\n", "from typing import Annotated, Any\n"),
    ("from pydantic import Field\n", "from pydantic import Field, JsonValue\n"),
    ("from sqlalchemy import String\n", "from sqlalchemy import JSON, String\n"),
    ("\n\nclass Item(Record):\n", SIZE),
    (
        "    quantity: Mapped[int]\n",
        "    quantity: Mapped[int]\n"
        '    attributes: Mapped[dict[str, Any]] = mapped_column(JSON, server_default="{}")\n'
        "    size: Mapped[dict[str, Any] | None] = mapped_column(JSON)\n",
    ),
    (
        "= 0\n\n\nITEMS = Resource(Item, ItemContent)",
        "= 0\n"
        "    attributes: dict[str, JsonValue] = Field(default_factory=dict)\n"
        "    size: Size | None = None\n"
        "\n\nITEMS = Resource(Item, ItemContent, page_size=2, max_page_size=500)",
    ),
)


def ask_of_objects_and_pages(client: httpx.Client) -> None:
    sent = {"name": fresh_name(), "attributes": {"a": {"x": 1}, "b": 2}, "size": {"width": 3}}
    created = client.post("/v1/items", json=sent)
    assert created.status_code == 201, created.text
    assert created.json()["attributes"] == sent["attributes"]
    there = created.headers["Location"]
    ask_of_merge_patches(client, there)
    ask_of_an_object_with_fields(client, there)
    ask_of_numbers_that_json_lacks(client, there)
    ask_of_pages(client)


def ask_of_merge_patches(client: httpx.Client, there: str) -> None:
    """RFC 7396 merges objects too, and removes their members by null."""
    changed = client.patch(there, json={"attributes": {"b": None, "a": {"y": 2}}})
    assert changed.json()["attributes"] == {"a": {"x": 1, "y": 2}}
    assert client.get(there).json() == changed.json()
    as_list = client.patch(there, json={"attributes": {"a": [1, None]}})
    assert as_list.json()["attributes"] == {"a": [1, None]}
    assert_invalid(client.patch(there, json={"attributes": None}), "/attributes")


def ask_of_an_object_with_fields(client: httpx.Client, there: str) -> None:
    taller = client.patch(there, json={"size": {"height": 5}})
    assert taller.json()["size"] == {"width": 3, "height": 5}
    assert_invalid(client.patch(there, json={"size": {"width": None}}), "/size/width")
    assert_invalid(client.patch(there, json={"size": {"width": "3"}}), "/size/width")
    assert_invalid(client.patch(there, json={"size": {"depth": 3}}), "/size/depth")
    assert client.patch(there, json={"size": {"height": None}}).json()["size"]["height"] == 1
    assert client.patch(there, json={"size": None}).json()["size"] is None
    assert_invalid(client.patch(there, json={"size": {"height": 5}}), "/size/width")


def ask_of_numbers_that_json_lacks(client: httpx.Client, there: str) -> None:
    """Python would store them, and then could not show the row any more."""
    json = {"Content-Type": "application/json"}
    before = client.get(there).json()
    for number in ("NaN", "-Infinity", "1e999"):
        content = '{"name": "' + fresh_name() + '", "attributes": {"a": [' + number + "]}}"
        for method, path in (("POST", "/v1/items"), ("PUT", there), ("PATCH", there)):
            answer = client.request(method, path, content=content, headers=json)
            assert_problem(answer, 422)
    assert client.get(there).json() == before
    assert client.get("/v1/items?limit=100").status_code == 200


def ask_of_pages(client: httpx.Client) -> None:
    """The sizes of the pages are this resource's own, in the document too."""
    for _ in range(3):
        assert client.post("/v1/items", json={"name": fresh_name()}).status_code == 201
    first = client.get("/v1/items")
    assert len(first.json()["items"]) == 2
    assert "limit=2&" in first.headers["Link"]
    assert len(client.get("/v1/items?limit=500").json()["items"]) > 2
    refused = client.get("/v1/items?limit=501")
    assert_invalid(refused, "limit")
    assert "from 1 to 500" in refused.text
    document = client.get("/openapi.json").json()
    parameters = document["paths"]["/v1/items"]["get"]["parameters"]
    (limit,) = (one for one in parameters if one.get("name") == "limit")
    bounds = {"type": "integer", "minimum": 1, "maximum": 500, "default": 2}
    assert limit["schema"] == bounds
    page = document["components"]["schemas"]["ItemPage"]
    assert page["properties"]["items"]["maxItems"] == 500


def objects(before: str = "0001") -> Case:
    """The change, after the migration `before`."""
    return Case(
        "R2 R6 E3",
        "objects and pages",
        {
            "{package}/items/model.py": MODEL,
            "{package}/migrations/versions/objects.py": MIGRATION.format(before=before),
        },
        ask_of_objects_and_pages,
    )
