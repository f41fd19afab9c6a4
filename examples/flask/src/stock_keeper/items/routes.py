"""Items over HTTP."""

from flask import Blueprint, Response, current_app, jsonify, request, url_for

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

blueprint = Blueprint("items", __name__, url_prefix="/v1/items")


@blueprint.get("")
def list_items() -> Response:
    page = read_page(request.query_string.decode())
    found, last = store().page(page.limit, page.after)
    cursor = None if last is None else cursor_after(last)
    response = jsonify(items=[item.representation() for item in found], next_cursor=cursor)
    if cursor:
        following = url_for("items.list_items", limit=page.limit, cursor=cursor)
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response


@blueprint.post("")
def create_item() -> Response:
    item = store().create(content())
    response = answer(item)
    response.status_code = 201
    response.headers["Location"] = url_for("items.get_item", item_id=item.id)
    return response


@blueprint.get("/<item_id>")
def get_item(item_id: str) -> Response:
    item = store().get(read_id(item_id))
    if none_match(request.headers.get("If-None-Match"), item.revision):
        return Response(status=304, headers={"ETag": entity_tag(item.revision)})
    return answer(item)


@blueprint.put("/<item_id>")
def replace_item(item_id: str) -> Response:
    wanted = content()
    revisions = if_match(request.headers.get("If-Match"))
    return answer(store().replace(read_id(item_id), wanted, revisions))


@blueprint.delete("/<item_id>")
def delete_item(item_id: str) -> Response:
    store().delete(read_id(item_id), if_match(request.headers.get("If-Match")))
    return Response(status=204)


def store() -> ItemStore:
    return ItemStore(current_app.extensions["database"])


def content() -> ItemContent:
    kind, encoding = request.content_type, request.headers.get("Content-Encoding")
    return read_json(ItemContent, kind, encoding, request.get_data())


def answer(item: Item) -> Response:
    response = jsonify(item.representation())
    response.headers["ETag"] = entity_tag(item.revision)
    return response
