"""The store of items, with every change of them pushed to the stream."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from ..runtime.database import Database
from ..runtime.stream import Stream
from .store import Item, ItemContent, ItemStore


class StreamedStore(ItemStore):
    """Changes are announced in the transaction that stores them: never one without the other."""

    def __init__(self, database: Database, stream: Stream) -> None:
        super().__init__(database)
        self._stream = stream

    def create(self, content: ItemContent) -> Item:
        return self._announced("created", partial(super().create, content))

    def replace(
        self, item_id: UUID, content: ItemContent, revisions: frozenset[str] | None
    ) -> Item:
        return self._announced("updated", partial(super().replace, item_id, content, revisions))

    def delete(self, item_id: UUID, revisions: frozenset[str] | None) -> Item:
        return self._announced("deleted", partial(super().delete, item_id, revisions))

    def _announced(self, kind: str, change: Callable[[], Item]) -> Item:
        with self._stream.writing(self._database) as announce:
            item = change()
            announce({"type": kind, "item": item.representation()})
        return item
