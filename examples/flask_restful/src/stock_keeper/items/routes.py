"""Items over HTTP: a resource for the list, and one for each item."""

from typing import Any

from flask import Response, current_app, request, url_for
from flask_restful import Api, Resource

from ..api import QueryParser
from ..runtime.http import (
    cursor_after,
    entity_tag,
    if_match,
    none_match,
    read_cursor,
    read_id,
    read_json,
    read_limit,
)
from .store import Item, ItemContent, ItemStore

Headers = dict[str, str]
Representation = dict[str, Any]


def add_resources(api: Api) -> None:
    api.add_resource(ItemList, "/v1/items", endpoint="items")
    api.add_resource(SingleItem, "/v1/items/<item_id>", endpoint="item")


page = QueryParser()
page.add_argument("limit", type=read_limit, default=50)
page.add_argument("cursor", type=read_cursor, default=0)


class ItemList(Resource):
    def get(self) -> tuple[Representation, int, Headers]:
        arguments = page.parse_args()
        found, last = store().page(arguments.limit, arguments.cursor)
        cursor = None if last is None else cursor_after(last)
        headers = {}
        if cursor:
            following = url_for("items", limit=arguments.limit, cursor=cursor)
            headers["Link"] = f'<{following}>; rel="next"'
        items = [item.representation() for item in found]
        return {"items": items, "next_cursor": cursor}, 200, headers

    def post(self) -> tuple[Representation, int, Headers]:
        item = store().create(content())
        location = url_for("item", item_id=item.id)
        return item.representation(), 201, {"Location": location, **tag(item)}


class SingleItem(Resource):
    def get(self, item_id: str) -> tuple[Representation, int, Headers] | Response:
        item = store().get(read_id(item_id))
        if none_match(request.headers.get("If-None-Match"), item.revision):
            return Response(status=304, headers=tag(item))
        return item.representation(), 200, tag(item)

    def put(self, item_id: str) -> tuple[Representation, int, Headers]:
        wanted = content()
        revisions = if_match(request.headers.get("If-Match"))
        item = store().replace(read_id(item_id), wanted, revisions)
        return item.representation(), 200, tag(item)

    def delete(self, item_id: str) -> Response:
        store().delete(read_id(item_id), if_match(request.headers.get("If-Match")))
        return Response(status=204)


def store() -> ItemStore:
    return ItemStore(current_app.extensions["database"])


def content() -> ItemContent:
    kind, encoding = request.content_type, request.headers.get("Content-Encoding")
    return read_json(ItemContent, kind, encoding, request.get_data())


def tag(item: Item) -> Headers:
    return {"ETag": entity_tag(item.revision)}
