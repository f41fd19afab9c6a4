"""Movements over messages: calls, and an event."""

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
from .model import MOVEMENTS

_log = structlog.get_logger()


class Movements:
    """The methods that other services call as `movements`."""

    name = MOVEMENTS.plural
    movements = store(MOVEMENTS)

    @rpc
    def create(self, **fields: Any) -> dict[str, Any]:
        """Create one; raises `Duplicate` or `Invalid`."""
        return MOVEMENTS.show(self.movements.create(read_content(MOVEMENTS, fields)))

    @rpc
    def get(self, movement_id: str) -> dict[str, Any]:
        """Return one; raises `NotFound`."""
        return MOVEMENTS.show(self.movements.get(read_id(movement_id)))

    @rpc
    def list(self, **query: Any) -> dict[str, Any]:
        """Return a page of the list, with the parameters that the list has over HTTP."""
        return MOVEMENTS.show_page(self.movements.page(read_query(MOVEMENTS, query)))

    @rpc
    def replace(self, movement_id: str, **fields: Any) -> dict[str, Any]:
        """Replace one; raises `NotFound`, `Duplicate` or `Invalid`."""
        return MOVEMENTS.show(
            self.movements.replace(read_id(movement_id), read_content(MOVEMENTS, fields))
        )

    @rpc
    def patch(self, movement_id: str, **fields: Any) -> dict[str, Any]:
        """Change some fields of one; raises `NotFound`, `Duplicate` or `Invalid`."""
        return MOVEMENTS.show(
            self.movements.patch(read_id(movement_id), read_patch(MOVEMENTS, fields))
        )

    @rpc
    def delete(self, movement_id: str) -> None:
        """Delete one; raises `NotFound`."""
        self.movements.delete(read_id(movement_id))

    @event_handler(MOVEMENTS.plural, "movement_created")
    def on_movement_created(self, event: dict[str, Any]) -> None:
        """An example of a handler. The same `event_id` may come twice."""
        _log.info(
            "movement_created", event_id=event["event_id"], movement_id=event["movement"]["id"]
        )
