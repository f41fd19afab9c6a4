"""What owners write alike in the eight frameworks whose services use SQLAlchemy."""

from __future__ import annotations

from tests.owner.case import Copy, Edit

ROOM_MODEL = '''\
"""What a room is: its table, and what a client may send."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from ..runtime.content import Content, Line
from ..runtime.resource import Resource
from ..runtime.tables import Record


class Room(Record):
    """A room that can be booked."""

    __tablename__ = "rooms"

    name: Mapped[str] = mapped_column(String(100), unique=True)
    seats: Mapped[int]


class RoomContent(Content):
    """What a client sends of a room."""

    name: Annotated[str, Line(1, 100)]
    seats: Annotated[int, Field(ge=1, le=500)] = 2


ROOMS = Resource(Room, RoomContent)
'''

BOOKING_MODEL = '''\
"""What a booking is: its table, and what a client may send."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from ..runtime.content import Content, Line, Timestamp
from ..runtime.resource import Resource
from ..runtime.tables import Record


class Booking(Record):
    """A room that is somebody's for some nights."""

    __tablename__ = "bookings"

    filters: ClassVar = ("paid",)
    sorts: ClassVar = ("starts_at",)

    room_id: Mapped[UUID] = mapped_column(ForeignKey("rooms.id"))
    guest: Mapped[str] = mapped_column(String(100))
    nights: Mapped[int]
    starts_at: Mapped[datetime]
    paid: Mapped[bool]


class BookingContent(Content):
    """What a client sends of a booking."""

    room_id: UUID
    guest: Annotated[str, Line(1, 100)]
    nights: Annotated[int, Field(ge=1, le=30)]
    starts_at: Timestamp
    paid: bool = False


BOOKINGS = Resource(Booking, BookingContent)
'''

MIGRATION = '''\
"""Create rooms and bookings."""

import sqlalchemy as sa
from alembic import op

revision = "rooms"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rooms",
        *columns("rooms"),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.UniqueConstraint("name", name=op.f("uq_rooms_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "bookings",
        *columns("bookings"),
        sa.Column("room_id", sa.Uuid(), nullable=False),
        sa.Column("guest", sa.String(length=100), nullable=False),
        sa.Column("nights", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["room_id"], ["rooms.id"], name=op.f("fk_bookings_room_id_rooms")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_bookings_paid_position"), "bookings", ["paid", "position"])
    op.create_index(op.f("ix_bookings_starts_at_position"), "bookings", ["starts_at", "position"])


def downgrade() -> None:
    op.drop_table("bookings")
    op.drop_table("rooms")


def columns(table: str) -> list[sa.Column | sa.Constraint]:
    return [
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("id", name=op.f(f"uq_{table}_id")),
    ]
'''


def models(before: str = "0001") -> dict[str, Edit]:
    """The files of rooms and bookings that have nothing of a framework in them."""
    return {
        "{package}/rooms/__init__.py": '"""Rooms."""\n',
        "{package}/rooms/model.py": ROOM_MODEL,
        "{package}/bookings/__init__.py": '"""Bookings."""\n',
        "{package}/bookings/model.py": BOOKING_MODEL,
        "{package}/migrations/versions/rooms_and_bookings.py": MIGRATION.replace(
            "{before}", before
        ),
    }


def copied(name: str, plural: str, file: str = "routes.py") -> Copy:
    """A file of items as that of another resource, as the README says: copied and renamed."""

    def renamed(text: str) -> str:
        for old, new in (
            ("ITEMS", plural.upper()),
            ("Items", plural.capitalize()),
            ("items", plural),
            ("Item", name.capitalize()),
            ("item", name),
        ):
            text = text.replace(old, new)
        return text

    return Copy(f"{{package}}/items/{file}", renamed)
