"""What owners of a Django service change in a resource after some months."""

from __future__ import annotations

from uuid import uuid4

import httpx

from tests.contract.items import assert_invalid, assert_problem, fresh_name
from tests.owner.case import Case, Edit, replaced

TAG_MODELS = '''\
"""What a tag is, and how it is stored."""

from django.db import models

from ..runtime.models import LineField, Record


class Tag(Record):
    """A tag of items."""

    name = LineField(max_length=100, unique=True)

    class Meta(Record.Meta):
        db_table = "tags"
'''

TAG_SERIALIZERS = '''\
"""Tags as clients see them."""

from ..runtime.serializers import ResourceSerializer
from .models import Tag


class TagSerializer(ResourceSerializer[Tag]):
    class Meta:
        model = Tag
        fields = ("id", "name", "created_at", "updated_at")
'''

TAG_VIEWS = '''\
"""Tags over HTTP."""

from ..runtime.views import ResourceViewSet
from .models import Tag
from .serializers import TagSerializer


class TagViewSet(ResourceViewSet[Tag]):
    queryset = Tag.objects.all()
    serializer_class = TagSerializer
'''

TAG_MIGRATION = '''\
"""Create tags."""

import uuid

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Tag",
            fields=[
                ("position", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "uuid",
                    models.UUIDField(
                        db_column="id",
                        default=uuid.uuid4,
                        editable=False,
                        unique=True,
                        verbose_name="id",
                    ),
                ),
                ("revision", models.CharField(editable=False, max_length=16)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("name", models.CharField(max_length=100, unique=True)),
            ],
            options={"db_table": "tags", "ordering": ("position",)},
        ),
    ]
'''

ITEM_MIGRATION = '''\
"""Items have tags, attributes and an origin, and may be hidden."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("items", "0001_initial"), ("tags", "0001_initial")]
    operations = [
        migrations.AddField(
            "item", "attributes", models.JSONField(blank=True, default=dict)
        ),
        migrations.AddField("item", "hidden", models.BooleanField(default=False)),
        migrations.AddField("item", "tags", models.ManyToManyField(blank=True, to="tags.tag")),
        migrations.AddField(
            "item",
            "origin",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="items.item",
                to_field="uuid",
            ),
        ),
    ]
'''

MODELS: Edit = replaced(
    (
        "    class Meta(Record.Meta):\n",
        '    tags = models.ManyToManyField("tags.Tag", blank=True)\n'
        "    attributes = models.JSONField(default=dict, blank=True)\n"
        "    hidden = models.BooleanField(default=False, editable=False)\n"
        "    origin = models.ForeignKey(\n"
        '        "self", models.PROTECT, to_field="uuid", null=True, blank=True\n    )\n\n'
        "    class Meta(Record.Meta):\n",
    ),
    (
        "    def __str__(self)",
        "    def clean(self) -> None:\n"
        '        if self.name.startswith("no"):\n'
        '            raise ValidationError({"name": "Not like this."})\n\n'
        "    def __str__(self)",
    ),
    (
        "from django.db import models\n",
        "from django.core.exceptions import ValidationError\nfrom django.db import models\n",
    ),
)

VIEWS = '''\
"""Items over HTTP."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from ..runtime.pagination import CursorPages
from ..runtime.views import ResourceViewSet
from .models import Item
from .serializers import ItemSerializer


class SmallPages(CursorPages):
    page_size = 2
    max_page_size = 500


class ItemViewSet(ResourceViewSet[Item]):
    queryset = Item.objects.filter(hidden=False)
    serializer_class = ItemSerializer
    pagination_class = SmallPages
    ordering_fields = ("quantity",)

    def perform_create(self, serializer: BaseSerializer[Item]) -> None:
        serializer.save().full_clean()

    def perform_destroy(self, row: Item) -> None:
        row.hidden = True
        row.save(update_fields=["hidden"])

    @extend_schema(request=ItemSerializer(many=True), responses={201: ItemSerializer(many=True)})
    @action(detail=False, methods=["post"])
    def bulk(self, request: Request) -> Response:
        """Create several items, or none."""
        serializer: Any = self.get_serializer(data=request.data, many=True)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            serializer.save()
        return Response(serializer.data, 201)


class TaggedItemViewSet(ItemViewSet):
    def get_queryset(self) -> QuerySet[Item]:
        return super().get_queryset().filter(tags__uuid=self.kwargs["tag_tag_id"])
'''

URLS = '''\
"""The paths of items, below /v1."""

from rest_framework.routers import SimpleRouter
from rest_framework_nested.routers import NestedSimpleRouter

from ..tags.views import TagViewSet
from .views import ItemViewSet, TaggedItemViewSet

options = {"trailing_slash": False, "use_regex_path": False}
router = SimpleRouter(**options)
router.register("items", ItemViewSet)
router.register("tags", TagViewSet)
tagged = NestedSimpleRouter(router, "tags", lookup="tag", **options)
tagged.register("items", TaggedItemViewSet, basename="tagged-items")
urlpatterns = [*router.urls, *tagged.urls]
'''

FILES: dict[str, Edit] = {
    "{package}/tags/__init__.py": '"""Tags."""\n',
    "{package}/tags/models.py": TAG_MODELS,
    "{package}/tags/serializers.py": TAG_SERIALIZERS,
    "{package}/tags/views.py": TAG_VIEWS,
    "{package}/tags/migrations/__init__.py": "",
    "{package}/tags/migrations/0001_initial.py": TAG_MIGRATION,
    "{package}/items/models.py": MODELS,
    "{package}/items/migrations/0002_growth.py": ITEM_MIGRATION,
    "{package}/items/serializers.py": replaced(
        ('"quantity",', '"quantity",\n"tags",\n"attributes",\n"origin_id",')
    ),
    "{package}/items/views.py": VIEWS,
    "{package}/items/urls.py": URLS,
    "{package}/django_settings.py": replaced(
        (
            '    f"{__package__}.items",\n',
            '    f"{__package__}.tags",\n    f"{__package__}.items",\n',
        )
    ),
}


def new_tag(client: httpx.Client) -> str:
    created: dict[str, str] = client.post("/v1/tags", json={"name": fresh_name()}).json()
    return created["id"]


def ask_of_growth(client: httpx.Client) -> None:
    red, blue = new_tag(client), new_tag(client)
    content = {"name": fresh_name(), "tags": [blue, red]}
    created = client.post("/v1/items", json=content | {"attributes": {"a": {"x": 1}, "b": 2}})
    assert created.status_code == 201, created.text
    there = created.headers["Location"]
    ask_of_references_to_many(client, there, red)
    ask_of_a_merge_patch(client, there)
    ask_of_several_at_once(client)
    ask_of_nested_paths(client, red)
    ask_of_hidden_rows(client, there)
    ask_of_the_document(client)


def ask_of_references_to_many(client: httpx.Client, there: str, red: str) -> None:
    """They are shown and sent as IDs, and rejected one by one."""
    assert red in client.get(there).json()["tags"]
    odd = client.patch(there, json={"tags": [red, 1, "x", str(uuid4())]})
    assert_invalid(odd, "/tags/1", "/tags/2", "/tags/3")
    one = client.patch(there, json={"tags": [red, red]})
    assert one.json()["tags"] == [red]
    assert client.put(there, json={"name": fresh_name()}).json()["tags"] == []


def ask_of_a_merge_patch(client: httpx.Client, there: str) -> None:
    client.patch(there, json={"attributes": {"a": {"x": 1}, "b": 2}})
    changed = client.patch(there, json={"attributes": {"b": None, "a": {"y": 2}}})
    assert changed.json()["attributes"] == {"a": {"x": 1, "y": 2}}
    sent = {"Content-Type": "application/json"}
    for value in ("NaN", "1e999"):
        body = '{"attributes": {"a": ' + value + "}}"
        assert_invalid(client.patch(there, content=body, headers=sent), "/attributes")
    nul = client.patch(there, content='{"attributes": {"a": "\\u0000"}}', headers=sent)
    assert nul.status_code in (200, 422), nul.text
    assert client.get(there).status_code == 200


def ask_of_several_at_once(client: httpx.Client) -> None:
    """In a transaction of its owner's, references are checked at the commit only."""
    first, second = {"name": fresh_name("bulk")}, {"name": fresh_name()}
    missing = client.post("/v1/items/bulk", json=[first, second | {"origin_id": str(uuid4())}])
    assert_invalid(missing, "/origin_id")
    assert_problem(client.post("/v1/items/bulk", json=[first, first]), 409)
    made = client.post("/v1/items/bulk", json=[first, second])
    assert [item["name"] for item in made.json()] == [first["name"], second["name"]]
    assert_invalid(client.post("/v1/items", json={"name": fresh_name("no")}), "/name")
    assert_problem(client.post("/v1/items/bulk", content=b"[]"), 415)


def ask_of_nested_paths(client: httpx.Client, red: str) -> None:
    names = [fresh_name() for _ in range(3)]
    for name in names:
        path = f"/v1/tags/{red}/items"
        created = client.post(path, json={"name": name, "tags": [red]})
        assert created.status_code == 201, created.text
        assert created.headers["Location"].startswith(f"{path}/")
        assert client.get(created.headers["Location"]).json() == created.json()
    page = client.get(path)
    assert [item["name"] for item in page.json()["items"]] == names[:2]
    assert "limit=2&" in page.headers["Link"]
    assert len(client.get(f"{path}?limit=500").json()["items"]) == 3
    assert_invalid(client.get(f"{path}?limit=501"), "limit")
    assert_problem(client.get("/v1/tags/x/items"), 422)


def ask_of_hidden_rows(client: httpx.Client, there: str) -> None:
    """What hides a row instead of deleting it is not asked who refers to it."""
    ident = there.rpartition("/")[2]
    child = client.post("/v1/items", json={"name": fresh_name(), "origin_id": ident})
    assert child.status_code == 201, child.text
    assert client.delete(there).status_code == 204
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", {}), ("PUT", {"name": "x"})):
        assert_problem(client.request(method, there, json=body), 404)
    listed = client.get("/v1/items?limit=500").json()["items"]
    assert ident not in {item["id"] for item in listed}


def ask_of_the_document(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    tags = document["components"]["schemas"]["ItemContent"]["properties"]["tags"]
    assert tags == {"type": "array", "items": {"type": "string", "format": "uuid"}}
    parameters = document["paths"]["/v1/items"]["get"]["parameters"]
    (limit,) = (one for one in parameters if one.get("name") == "limit")
    bounds = {"type": "integer", "minimum": 1, "maximum": 500, "default": 2}
    assert limit["schema"] == bounds
    bulk = document["paths"]["/v1/items/bulk"]["post"]
    assert "parameters" not in bulk
    assert set(bulk["requestBody"]["content"]) == {"application/json"}
    answer = bulk["responses"]["201"]["content"]["application/json"]["schema"]
    assert answer == {"type": "array", "items": {"$ref": "#/components/schemas/Item"}}


GROWTH = Case(
    "O1 O2 O3 O11 R2 R6 R9",
    "tags attributes and nested paths",
    FILES,
    ask_of_growth,
    packages=("drf-nested-routers",),
)
