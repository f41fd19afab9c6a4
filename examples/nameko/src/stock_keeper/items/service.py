"""Items over messages: calls, and the event that tells of a new item."""

from typing import Any

import structlog

from ..runtime.messaging import (
    event_handler,
    read_content,
    read_id,
    read_patch,
    read_query,
    rpc,
)
from ..runtime.service import store
from .model import ITEMS

_log = structlog.get_logger()


class Items:
    """The service class for messages; other services call it as `items`."""

    name = ITEMS.plural
    items = store(ITEMS)

    @rpc
    def create(self, **fields: Any) -> dict[str, Any]:
        """Create an item; raises `Duplicate` or `Invalid`."""
        return ITEMS.show(self.items.create(read_content(ITEMS, fields)))

    @rpc
    def get(self, item_id: str) -> dict[str, Any]:
        """Return an item; raises `NotFound`."""
        return ITEMS.show(self.items.get(read_id(item_id)))

    @rpc
    def list(self, **query: Any) -> dict[str, Any]:
        """Return a page of items, with the parameters that the list has over HTTP."""
        return ITEMS.show_page(self.items.page(read_query(ITEMS, query)))

    @rpc
    def replace(self, item_id: str, **fields: Any) -> dict[str, Any]:
        """Replace an item; raises `NotFound`, `Duplicate` or `Invalid`."""
        return ITEMS.show(self.items.replace(read_id(item_id), read_content(ITEMS, fields)))

    @rpc
    def patch(self, item_id: str, **fields: Any) -> dict[str, Any]:
        """Change some fields of an item; raises `NotFound`, `Duplicate` or `Invalid`."""
        return ITEMS.show(self.items.patch(read_id(item_id), read_patch(ITEMS, fields)))

    @rpc
    def delete(self, item_id: str) -> None:
        """Delete an item; raises `NotFound`."""
        self.items.delete(read_id(item_id))

    @event_handler(ITEMS.plural, "item_created")
    def on_item_created(self, event: dict[str, Any]) -> None:
        """An example of a handler. The same `event_id` may come twice."""
        _log.info("item_created", event_id=event["event_id"], item_id=event["item"]["id"])
