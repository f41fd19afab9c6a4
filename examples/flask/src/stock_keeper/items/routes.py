"""Items over HTTP."""

from flask import Blueprint, Response, url_for

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

blueprint = Blueprint("items", __name__, url_prefix=ITEMS.path)


def items() -> Store[Item, ItemContent]:
    return Store(ITEMS, database())


@blueprint.get("")
@ITEMS.lists
def list_items() -> Response:
    return answer_page(ITEMS, items().page(read_query(ITEMS)))


@blueprint.post("")
@ITEMS.creates
def create_item() -> Response:
    item = items().create(read_content(ITEMS))
    return answer(ITEMS, item, 201, location=url_for(".get_item", item_id=item.id))


@blueprint.get("/<item_id>")
@ITEMS.reads
def get_item(item_id: str) -> Response:
    return answer(ITEMS, items().get(read_id(item_id)))


@blueprint.put("/<item_id>")
@ITEMS.replaces
def replace_item(item_id: str) -> Response:
    content = read_content(ITEMS)
    return answer(ITEMS, items().replace(read_id(item_id), content, read_revisions()))


@blueprint.patch("/<item_id>")
@ITEMS.patches
def patch_item(item_id: str) -> Response:
    changes = read_patch(ITEMS)
    return answer(ITEMS, items().patch(read_id(item_id), changes, read_revisions()))


@blueprint.delete("/<item_id>")
@ITEMS.deletes
def delete_item(item_id: str) -> Response:
    items().delete(read_id(item_id), read_revisions())
    return Response(status=204)
