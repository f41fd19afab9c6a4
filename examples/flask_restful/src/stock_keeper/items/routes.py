"""Items over HTTP: a resource for the list, and one for each item."""

from flask import Response, url_for
from flask_restful import Api, Resource

from ..runtime.api import PageParser
from ..runtime.http import read_id
from ..runtime.service import (
    answer,
    answer_page,
    database,
    read_content,
    read_patch,
    read_revisions,
)
from ..runtime.store import Store
from .model import ITEMS, Item, ItemContent

page = PageParser(ITEMS)


def add_resources(api: Api) -> None:
    api.add_resource(ItemList, ITEMS.path, endpoint="items")
    api.add_resource(SingleItem, f"{ITEMS.path}/<item_id>", endpoint="item")


def items() -> Store[Item, ItemContent]:
    return Store(ITEMS, database())


class ItemList(Resource):
    @ITEMS.lists
    def get(self) -> Response:
        return answer_page(ITEMS, items().page(page.parse_page()))

    @ITEMS.creates
    def post(self) -> Response:
        item = items().create(read_content(ITEMS))
        return answer(ITEMS, item, 201, location=url_for("item", item_id=item.id))


class SingleItem(Resource):
    @ITEMS.reads
    def get(self, item_id: str) -> Response:
        return answer(ITEMS, items().get(read_id(item_id)))

    @ITEMS.replaces
    def put(self, item_id: str) -> Response:
        content = read_content(ITEMS)
        return answer(ITEMS, items().replace(read_id(item_id), content, read_revisions()))

    @ITEMS.patches
    def patch(self, item_id: str) -> Response:
        changes = read_patch(ITEMS)
        return answer(ITEMS, items().patch(read_id(item_id), changes, read_revisions()))

    @ITEMS.deletes
    def delete(self, item_id: str) -> Response:
        items().delete(read_id(item_id), read_revisions())
        return Response(status=204)
