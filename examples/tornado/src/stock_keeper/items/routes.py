"""Items over HTTP, and their changes over a WebSocket."""

from ..runtime.http import read_id
from ..runtime.service import Handler, route, stream_route
from ..runtime.stream import StreamedStore
from .model import ITEMS, Item, ItemContent


class ItemHandler(Handler):
    @property
    def items(self) -> StreamedStore[Item, ItemContent]:
        return StreamedStore(ITEMS, self.application.database, self.application.stream)


class Items(ItemHandler):
    @ITEMS.lists
    async def get(self) -> None:
        self.answer_page(ITEMS, await self.in_thread(self.items.page, self.read_query(ITEMS)))

    @ITEMS.creates
    async def post(self) -> None:
        item = await self.in_thread(self.items.create, self.read_content(ITEMS))
        self.answer(ITEMS, item, 201, location=self.reverse_url("item", item.id))


class OneItem(ItemHandler):
    @ITEMS.reads
    async def get(self, item_id: str) -> None:
        self.answer(ITEMS, await self.in_thread(self.items.get, read_id(item_id)))

    @ITEMS.replaces
    async def put(self, item_id: str) -> None:
        content, revisions = self.read_content(ITEMS), self.read_revisions()
        item = await self.in_thread(self.items.replace, read_id(item_id), content, revisions)
        self.answer(ITEMS, item)

    @ITEMS.patches
    async def patch(self, item_id: str) -> None:
        changes, revisions = self.read_patch(ITEMS), self.read_revisions()
        item = await self.in_thread(self.items.patch, read_id(item_id), changes, revisions)
        self.answer(ITEMS, item)

    @ITEMS.deletes
    async def delete(self, item_id: str) -> None:
        await self.in_thread(self.items.delete, read_id(item_id), self.read_revisions())
        self.set_status(204)


routes = [
    stream_route(ITEMS),
    route(ITEMS.path, Items),
    route(ITEMS.path + "/{item_id}", OneItem, name="item"),
]
