"""Items over HTTP, and their changes over a WebSocket."""

import json

from ..runtime.http import (
    cursor_after,
    entity_tag,
    if_match,
    none_match,
    read_id,
    read_json,
    read_page,
)
from ..runtime.web import Handler, route, stream_route
from .store import Item, ItemContent
from .stream import StreamedStore


class ItemsBase(Handler):
    @property
    def store(self) -> StreamedStore:
        return StreamedStore(self.application.database, self.application.stream)

    def content(self) -> ItemContent:
        headers = self.request.headers
        return read_json(
            ItemContent,
            headers.get("Content-Type"),
            headers.get("Content-Encoding"),
            self.request.body,
        )

    def answer_item(self, item: Item) -> None:
        self.set_header("ETag", entity_tag(item.revision))
        self.answer(json.dumps(item.representation()))


class Items(ItemsBase):
    async def get(self) -> None:
        page = read_page(self.request.query)
        found, last = await self.in_thread(self.store.page, page.limit, page.after)
        cursor = None if last is None else cursor_after(last)
        if cursor:
            following = f"{self.reverse_url('items')}?limit={page.limit}&cursor={cursor}"
            self.set_header("Link", f'<{following}>; rel="next"')
        items = [item.representation() for item in found]
        self.answer(json.dumps({"items": items, "next_cursor": cursor}))

    async def post(self) -> None:
        item = await self.in_thread(self.store.create, self.content())
        self.set_status(201)
        self.set_header("Location", self.reverse_url("item", str(item.id)))
        self.answer_item(item)


class OneItem(ItemsBase):
    async def get(self, item_id: str) -> None:
        item = await self.in_thread(self.store.get, read_id(item_id))
        if none_match(self.request.headers.get("If-None-Match"), item.revision):
            self.set_status(304)
            self.set_header("ETag", entity_tag(item.revision))
        else:
            self.answer_item(item)

    async def put(self, item_id: str) -> None:
        wanted = self.content()
        revisions = if_match(self.request.headers.get("If-Match"))
        item = await self.in_thread(self.store.replace, read_id(item_id), wanted, revisions)
        self.answer_item(item)

    async def delete(self, item_id: str) -> None:
        revisions = if_match(self.request.headers.get("If-Match"))
        await self.in_thread(self.store.delete, read_id(item_id), revisions)
        self.set_status(204)


routes = [
    # Each change of an item, `{"type": "created", "item": {...}}`, to whoever is connected.
    stream_route("/v1/items/stream"),
    route("/v1/items", Items, "items"),
    route("/v1/items/{item_id}", OneItem, "item"),
]
