"""Events that are stored with what they tell of, and sent when the broker takes them.

An event is written in the transaction of its change: it is there if and only if the change is.
From there it is sent at least once, in order as long as one replica sends and the broker refuses
none; a broker that is away delays it and loses nothing.
"""

import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import structlog
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Integer,
    Row,
    String,
    Table,
    delete,
    insert,
    or_,
    select,
    update,
)

from .database import Database, metadata

CLAIM_SECONDS: Final = 30
_BATCH = 100

outbox = Table(
    "outbox",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("service", String(100), nullable=False),
    Column("event", String(100), nullable=False),
    Column("data", JSON, nullable=False),
    Column("headers", JSON, nullable=False),
    # A replica that dies while it sends leaves its claim behind; then another takes over.
    Column("claimed_until", DateTime(timezone=True)),
    sqlite_autoincrement=True,
)

Event = Row[Any]
Send = Callable[[Sequence[Event], Callable[[Event], None]], None]


class Outbox:
    """The events that are yet to be sent."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.filled = threading.Event()

    def add(self, service: str, event: str, data: dict[str, Any]) -> None:
        """Store an event in the transaction that is open; `data` gets an `event_id` of its own."""
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
        with self._database.writing(self.filled.set) as connection:
            connection.execute(insert(outbox).values(values))

    def send(self, send: Send) -> None:
        """Send what is there, oldest first; what `send` raises ends it, and the rest stays.

        `send` gets some events, and what to call with each that has arrived.
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
