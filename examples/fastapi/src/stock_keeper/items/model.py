"""What an item is: its table, and what a client may send."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from ..runtime.content import Content, Line
from ..runtime.resource import Resource
from ..runtime.tables import Record


class Item(Record):
    """Something with a unique name and a quantity."""

    __tablename__ = "items"

    name: Mapped[str] = mapped_column(String(100), unique=True)
    quantity: Mapped[int]


class ItemContent(Content):
    """What a client sends of an item."""

    name: Annotated[str, Line(1, 100)]
    quantity: Annotated[int, Field(ge=0, le=1_000_000)] = 0


ITEMS = Resource(Item, ItemContent)
