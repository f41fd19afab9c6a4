"""Items over HTTP: their routes, and a view for each method."""

from typing import Any
from uuid import UUID

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from ..runtime.http import read_id
from ..runtime.service import (
    answer,
    answer_page,
    database,
    read_content,
    read_patch,
    read_query,
    read_revisions,
)
from ..runtime.store import Store
from .model import ITEMS, Item, ItemContent


def includeme(config: Configurator) -> None:
    config.add_resource("items", ITEMS.path, GET=list_items, POST=create_item)
    config.add_resource(
        "item",
        ITEMS.path + "/{item_id}",
        GET=get_item,
        PUT=replace_item,
        PATCH=patch_item,
        DELETE=delete_item,
    )


def items(request: Request) -> Store[Item, ItemContent]:
    return Store(ITEMS, database(request))


def item_id(request: Request) -> UUID:
    return read_id(request.matchdict["item_id"])


@ITEMS.lists
def list_items(request: Request) -> dict[str, Any]:
    return answer_page(request, ITEMS, items(request).page(read_query(request, ITEMS)))


@ITEMS.creates
def create_item(request: Request) -> dict[str, Any] | Response:
    item = items(request).create(read_content(request, ITEMS))
    location = request.route_path("item", item_id=item.id)
    return answer(request, ITEMS, item, 201, location=location)


@ITEMS.reads
def get_item(request: Request) -> dict[str, Any] | Response:
    return answer(request, ITEMS, items(request).get(item_id(request)))


@ITEMS.replaces
def replace_item(request: Request) -> dict[str, Any] | Response:
    content = read_content(request, ITEMS)
    item = items(request).replace(item_id(request), content, read_revisions(request))
    return answer(request, ITEMS, item)


@ITEMS.patches
def patch_item(request: Request) -> dict[str, Any] | Response:
    changes = read_patch(request, ITEMS)
    item = items(request).patch(item_id(request), changes, read_revisions(request))
    return answer(request, ITEMS, item)


@ITEMS.deletes
def delete_item(request: Request) -> Response:
    items(request).delete(item_id(request), read_revisions(request))
    return Response(status=204)
