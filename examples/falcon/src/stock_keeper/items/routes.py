"""Items over HTTP: a resource class for the list, and one for each item."""

from falcon import HTTP_201, HTTP_204, HTTP_304, App, Request, Response

from ..runtime.database import Database
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

PATH = "/v1/items"


def add_routes(app: App[Request, Response], database: Database) -> None:
    store = ItemStore(database)
    app.add_route(PATH, ItemList(store))
    app.add_route(PATH + "/{item_id}", SingleItem(store))


class ItemList:
    def __init__(self, store: ItemStore) -> None:
        self._store = store

    def on_get(self, req: Request, resp: Response) -> None:
        page = read_page(req.query_string)
        found, last = self._store.page(page.limit, page.after)
        cursor = None if last is None else cursor_after(last)
        resp.media = {"items": [item.representation() for item in found], "next_cursor": cursor}
        if cursor:
            resp.set_header("Link", f'<{PATH}?limit={page.limit}&cursor={cursor}>; rel="next"')

    def on_post(self, req: Request, resp: Response) -> None:
        item = self._store.create(content(req))
        resp.status = HTTP_201
        resp.location = f"{PATH}/{item.id}"
        show(item, resp)


class SingleItem:
    def __init__(self, store: ItemStore) -> None:
        self._store = store

    def on_get(self, req: Request, resp: Response, item_id: str) -> None:
        item = self._store.get(read_id(item_id))
        if none_match(req.get_header("If-None-Match"), item.revision):
            resp.status = HTTP_304
            resp.set_header("ETag", entity_tag(item.revision))
        else:
            show(item, resp)

    def on_put(self, req: Request, resp: Response, item_id: str) -> None:
        wanted = content(req)
        revisions = if_match(req.get_header("If-Match"))
        show(self._store.replace(read_id(item_id), wanted, revisions), resp)

    def on_delete(self, req: Request, resp: Response, item_id: str) -> None:
        self._store.delete(read_id(item_id), if_match(req.get_header("If-Match")))
        resp.status = HTTP_204


def content(req: Request) -> ItemContent:
    encoding = req.get_header("Content-Encoding")
    return read_json(ItemContent, req.content_type, encoding, req.bounded_stream.read())


def show(item: Item, resp: Response) -> None:
    resp.set_header("ETag", entity_tag(item.revision))
    resp.media = item.representation()
