"""Items over HTTP: a resource class for the list, and one for each item."""

from falcon import HTTP_204, Request, Response

from ..runtime.http import read_id
from ..runtime.service import (
    Service,
    answer,
    answer_page,
    read_content,
    read_patch,
    read_query,
    read_revisions,
)
from ..runtime.store import Store
from .model import ITEMS, Item, ItemContent


def add_routes(app: Service) -> None:
    items = Store(ITEMS, app.database)
    app.add_route(ITEMS.path, ItemList(items))
    app.add_route(ITEMS.path + "/{item_id}", SingleItem(items))


class ItemList:
    def __init__(self, items: Store[Item, ItemContent]) -> None:
        self._items = items

    @ITEMS.lists
    def on_get(self, req: Request, resp: Response) -> None:
        answer_page(req, resp, ITEMS, self._items.page(read_query(req, ITEMS)))

    @ITEMS.creates
    def on_post(self, req: Request, resp: Response) -> None:
        item = self._items.create(read_content(req, ITEMS))
        answer(req, resp, ITEMS, item, 201, location=f"{ITEMS.path}/{item.id}")


class SingleItem:
    def __init__(self, items: Store[Item, ItemContent]) -> None:
        self._items = items

    @ITEMS.reads
    def on_get(self, req: Request, resp: Response, item_id: str) -> None:
        answer(req, resp, ITEMS, self._items.get(read_id(item_id)))

    @ITEMS.replaces
    def on_put(self, req: Request, resp: Response, item_id: str) -> None:
        content = read_content(req, ITEMS)
        item = self._items.replace(read_id(item_id), content, read_revisions(req))
        answer(req, resp, ITEMS, item)

    @ITEMS.patches
    def on_patch(self, req: Request, resp: Response, item_id: str) -> None:
        changes = read_patch(req, ITEMS)
        item = self._items.patch(read_id(item_id), changes, read_revisions(req))
        answer(req, resp, ITEMS, item)

    @ITEMS.deletes
    def on_delete(self, req: Request, resp: Response, item_id: str) -> None:
        self._items.delete(read_id(item_id), read_revisions(req))
        resp.status = HTTP_204
