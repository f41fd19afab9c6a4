"""Events that are stored together with the change they report, and sent when the broker is up.

An event is written in the transaction of its change: it exists if and only if the change does.
It is then sent at least once, in order as long as one replica sends and the broker rejects none;
while the broker is away, events wait and none is lost.
"""

import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar, cast
from uuid import uuid4

import structlog
from sqlalchemy import (
    JSON,
    BigInteger,
    Integer,
    Row,
    String,
    Table,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from .content import Content
from .database import Database
from .store import Change, Store
from .tables import Base, Record

CLAIM_SECONDS: Final = 30
_BATCH = 100

Stored = TypeVar("Stored", bound=Record)
Sent = TypeVar("Sent", bound=Content)
Event = Row[Any]
Send = Callable[[Sequence[Event], Callable[[Event], None]], None]

# Set when events have been stored, to wake the sender early.
filled: Final = threading.Event()


class OutboxEvent(Base):
    """An event that has not been sent yet."""

    __tablename__ = "outbox"
    __table_args__ = ({"sqlite_autoincrement": True},)

    position: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True
    )
    service: Mapped[str] = mapped_column(String(100))
    event: Mapped[str] = mapped_column(String(100))
    data: Mapped[Any] = mapped_column(JSON)
    headers: Mapped[Any] = mapped_column(JSON)
    # If a replica dies while sending, another one takes over when its claim expires.
    claimed_until: Mapped[datetime | None]


outbox = cast(Table, OutboxEvent.__table__)


class Outbox:
    """The events that have not been sent yet."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, service: str, event: str, data: dict[str, Any]) -> None:
        """Store an event in the open transaction; `data` gets a unique `event_id`."""
        headers = {
            f"nameko.{name}": value
            for name, value in structlog.contextvars.get_contextvars().items()
        }
        values = {
            "service": service,
            "event": event,
            "data": {"event_id": str(uuid4()), **data},
            "headers": json.loads(json.dumps(headers, default=str)),
        }
        with self._database.writing(filled.set) as connection:
            connection.execute(insert(outbox).values(values))

    def backlog(self) -> int:
        """How many events have not been sent yet."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(outbox)) or 0

    def send(self, send: Send) -> None:
        """Send all events, oldest first, until `send` raises; the rest stays.

        `send` gets some events, and a function to call with each confirmed one.
        """
        while events := self._claim():
            self._send(events, send)
            if len(events) < _BATCH:
                return

    def _send(self, events: Sequence[Event], send: Send) -> None:
        arrived: list[int] = []
        try:
            send(events, lambda event: arrived.append(event.position))
        finally:
            self._settle(arrived, [e.position for e in events if e.position not in arrived])

    def _claim(self) -> list[Event]:
        now = datetime.now(UTC)
        free = or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until < now)
        oldest = select(outbox.c.position).where(free).order_by(outbox.c.position).limit(_BATCH)
        with self._database.reading() as connection:
            if not connection.execute(oldest.limit(1)).all():
                return []
        claim = update(outbox).where(
            outbox.c.position.in_(oldest.with_for_update(skip_locked=True).scalar_subquery())
        )
        until = now + timedelta(seconds=CLAIM_SECONDS)
        with self._database.writing() as connection:
            rows = connection.execute(claim.values(claimed_until=until).returning(outbox)).all()
        return sorted(rows, key=lambda row: row.position)

    def _settle(self, sent: list[int], unsent: list[int]) -> None:
        with self._database.writing() as connection:
            if sent:
                connection.execute(delete(outbox).where(outbox.c.position.in_(sent)))
            if unsent:
                release = update(outbox).where(outbox.c.position.in_(unsent))
                connection.execute(release.values(claimed_until=None))


class AnnouncedStore(Store[Stored, Sent]):
    """A store that announces each new row by an event in the same transaction.

    For `Item` in `items`, the event is `item_created` of the service `items`, with the row as
    `item`.
    """

    def changed(self, change: Change, row: Stored) -> None:
        """Store the event of a new row."""
        resource = self.resource
        if change == "created":
            data = {resource.name: resource.show(row)}
            Outbox(self.database).add(resource.plural, f"{resource.name}_created", data)
