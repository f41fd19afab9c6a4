"""Items over HTTP: their routes, and a view for each method of them."""

from typing import Any
from uuid import UUID

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from ..runtime.http import (
    cursor_after,
    entity_tag,
    if_match,
    none_match,
    read_id,
    read_json,
    read_page,
)
from .store import Item, ItemContent, ItemStore


def includeme(config: Configurator) -> None:
    config.add_resource("items", "/v1/items", GET=list_items, POST=create_item)
    config.add_resource(
        "item", "/v1/items/{item_id}", GET=get_item, PUT=replace_item, DELETE=delete_item
    )


def list_items(request: Request) -> dict[str, Any]:
    page = read_page(request.query_string)
    found, last = store(request).page(page.limit, page.after)
    cursor = None if last is None else cursor_after(last)
    if cursor:
        following = request.route_path("items", _query={"limit": page.limit, "cursor": cursor})
        request.response.headers["Link"] = f'<{following}>; rel="next"'
    return {"items": [item.representation() for item in found], "next_cursor": cursor}


def create_item(request: Request) -> dict[str, Any]:
    item = store(request).create(content(request))
    request.response.status_code = 201
    request.response.headers["Location"] = request.route_path("item", item_id=item.id)
    return shown(request, item)


def get_item(request: Request) -> dict[str, Any] | Response:
    item = store(request).get(item_id(request))
    if none_match(request.headers.get("If-None-Match"), item.revision):
        return Response(status=304, headerlist=[("ETag", entity_tag(item.revision))])
    return shown(request, item)


def replace_item(request: Request) -> dict[str, Any]:
    wanted = content(request)
    revisions = if_match(request.headers.get("If-Match"))
    return shown(request, store(request).replace(item_id(request), wanted, revisions))


def delete_item(request: Request) -> Response:
    store(request).delete(item_id(request), if_match(request.headers.get("If-Match")))
    return Response(status=204)


def store(request: Request) -> ItemStore:
    return ItemStore(request.registry.settings["database"])


def item_id(request: Request) -> UUID:
    return read_id(request.matchdict["item_id"])


def content(request: Request) -> ItemContent:
    kind, encoding = request.headers.get("Content-Type"), request.headers.get("Content-Encoding")
    return read_json(ItemContent, kind, encoding, request.body)


def shown(request: Request, item: Item) -> dict[str, Any]:
    request.response.headers["ETag"] = entity_tag(item.revision)
    return item.representation()
