"""Items over messages: calls, and the event that tells of a new one."""

from typing import Any
from urllib.parse import urlencode

import structlog

from ..runtime.database import Database
from ..runtime.http import cursor_after, read_id, read_page
from ..runtime.messaging import Trace, event_handler, rpc
from ..runtime.outbox import Outbox
from ..runtime.service import dependency
from .store import Item, ItemContent, ItemStore

NAME = "items"
_log = structlog.get_logger()


class AnnouncedItems(ItemStore):
    """Items whose creation others are told of: both are stored, or neither."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        super().__init__(database)
        self._outbox = outbox

    def create(self, content: ItemContent) -> Item:
        """Store a new item, and the event `item_created` with it; `Duplicate` if it exists."""
        with self._database.writing():
            item = super().create(content)
            self._outbox.add(NAME, "item_created", {"item": item.representation()})
        return item


def items(config: dict[str, Any]) -> AnnouncedItems:
    return AnnouncedItems(config["database"], config["outbox"])


class Items:
    """What other services call as `items`."""

    name = NAME
    trace = Trace()
    store: ItemStore = dependency(items)

    @rpc
    def create(self, name: str, quantity: int = 0) -> dict[str, Any]:
        """The new item; `Duplicate` if its name is taken, `Invalid` if it cannot be."""
        return self.store.create(ItemContent(name=name, quantity=quantity)).representation()

    @rpc
    def get(self, item_id: str) -> dict[str, Any]:
        """The item of this id, or `NotFound`."""
        return self.store.get(read_id(str(item_id))).representation()

    @rpc
    def list(self, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
        """A page of items, oldest first, and the cursor of the next one."""
        query = {"limit": limit} if cursor is None else {"limit": limit, "cursor": cursor}
        page = read_page(urlencode(query))
        found, last = self.store.page(page.limit, page.after)
        return {
            "items": [item.representation() for item in found],
            "next_cursor": None if last is None else cursor_after(last),
        }

    @rpc
    def delete(self, item_id: str) -> None:
        """Remove an item; `NotFound` if there is none."""
        self.store.delete(read_id(str(item_id)), None)

    @event_handler(NAME, "item_created")
    def on_item_created(self, event: dict[str, Any]) -> None:
        """An example of a handler. An event may come twice: `event_id` tells."""
        _log.info("item_created", event_id=event["event_id"], item_id=event["item"]["id"])
