"""The table that stores a movement, and what a client may send."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from ..runtime.content import Content, Lines, Timestamp, Uuid
from ..runtime.resource import Resource
from ..runtime.tables import Record

MovementReason = Literal["bought", "sold", "counted"]


class Movement(Record):
    """A movement."""

    __tablename__ = "movements"
    filters = ("product_id", "reason")
    sorts = ("moved_at",)

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    quantity: Mapped[int]
    reason: Mapped[MovementReason]
    moved_at: Mapped[datetime]
    note: Mapped[str | None] = mapped_column(Text)


class MovementContent(Content):
    """What a client sends of a movement."""

    product_id: Uuid
    quantity: Annotated[int, Field(ge=-100_000, le=100_000)]
    reason: MovementReason = "counted"
    moved_at: Timestamp
    note: Annotated[str, Lines(0, 1_000)] | None = None


MOVEMENTS = Resource(Movement, MovementContent)
