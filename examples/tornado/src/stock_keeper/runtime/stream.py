"""Messages pushed to whoever is connected, in the order in which their changes were stored.

With PostgreSQL the replicas tell each other: a change is announced (NOTIFY) in the transaction that
stores it, and every replica hears (LISTEN) what all of them announce.
"""

import asyncio
import json
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any, Final, LiteralString, cast
from urllib.parse import urlsplit

import psycopg
from prometheus_client import Gauge
from psycopg import sql
from psycopg.pq import Escaping
from sqlalchemy import Connection

from .. import NAME
from .database import Database, transaction
from .http import Problem, check_host
from .settings import Settings

GOING_AWAY: Final = 1001
TOO_SLOW: Final = 1008
MOST_WAITING: Final = 256
# What the kernel holds for one reader, which else may grow to megabytes for each of thousands.
SEND_BUFFER_BYTES: Final = 65_536
PING_SECONDS: Final = 20
MOST_HEARD_BYTES: Final = 4_096  # of a reader, who has nothing to say

Message = dict[str, Any]

_log = logging.getLogger(__name__)
_readers = Gauge("stream_readers", "How many readers the stream has now.")
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
# An own change waits so long to be heard, so that it takes its place among those of others.
_HEARING_SECONDS = 1.0
_RECONNECT_SECONDS = 1.0
_MOST_KNOWN = 10_000
# A message takes its readers a few turns of the loop: a burst must not fill their queues meanwhile.
_TURNS = 4
# Several statements go in one message only without parameters, and a % among them is none.
_AS_IT_IS = {"no_parameters": True}
# Of this service in this schema: a database may hold several.
_CHANNEL: LiteralString = f"md5(concat('{NAME}/', current_schema()))"


class Reader:
    """One connection: what waits for it, and how it ends."""

    def __init__(
        self, send: Callable[[str], Awaitable[object]], close: Callable[[int], object]
    ) -> None:
        self._send = send
        self._close = close
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue()
        self._delivery = asyncio.create_task(self._deliver())

    def push(self, message: str) -> bool:
        """Let a message wait for its turn; a reader for whom too many wait is closed: False."""
        if self._waiting.qsize() < MOST_WAITING:
            self._waiting.put_nowait(message)
            return True
        self._delivery.cancel()
        self._close(TOO_SLOW)
        return False

    def end(self) -> None:
        """Close after what waits already."""
        self._waiting.put_nowait(None)

    def stop(self) -> None:
        """The connection has gone: send nothing more."""
        self._delivery.cancel()

    async def _deliver(self) -> None:
        try:
            while (message := await self._waiting.get()) is not None:
                await self._send(message)
            self._close(GOING_AWAY)
        except Exception as error:
            _log.debug("reader_lost", exc_info=error)


class Stream:
    """Every message once to every reader, those of other replicas included."""

    def __init__(self, settings: Settings) -> None:
        self._url = None if settings.on_sqlite else settings.database_url
        self._readers: set[Reader] = set()
        self._replica = secrets.token_hex(8)
        self._numbers = count()
        self._known: dict[str, None] = {}
        self._unheard: dict[str, str] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._hears = False

    def start(self) -> None:
        """Begin to push; called in the event loop of the readers."""
        self._loop = asyncio.get_running_loop()
        if self._url is not None:
            self._hearing = self._loop.create_task(self._hear_forever(self._url))

    async def end(self, seconds: float) -> None:
        """Close every reader, and wait so long at the most until they have gone."""
        if self._hearing is not None:
            self._hearing.cancel()
        for reader in self._readers:
            reader.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._readers:
                    await asyncio.sleep(0.02)

    def join(
        self, send: Callable[[str], Awaitable[object]], close: Callable[[int], object]
    ) -> Reader:
        """A new reader: each message from now on is sent; `close` gets a WebSocket's close code."""
        reader = Reader(send, close)
        self._readers.add(reader)
        _readers.set(len(self._readers))
        return reader

    def leave(self, reader: Reader) -> None:
        """Push nothing more to a reader."""
        reader.stop()
        self._readers.discard(reader)
        _readers.set(len(self._readers))

    @contextmanager
    def writing(self, database: Database) -> Iterator[Callable[[Message], None]]:
        """A transaction, in a thread; what is announced in it is pushed when it is stored.

        PostgreSQL takes messages of less than 8000 bytes.
        """
        announced: dict[str, str] = {}
        last = ["COMMIT"] if transaction.get() is None else []
        hears = self._hears  # of what is stored from now on; what began before may never be heard
        with database.writing(lambda: self._stored(announced, hears)) as connection:

            def announce(message: Message) -> None:
                announced[f"{self._replica}:{next(self._numbers)}"] = json.dumps(message)

            yield announce
            if announced and self._url is not None:
                # In one turn with the commit, which then finds nothing left to do.
                statements = [*_notifications(connection, announced), *last]
                connection.exec_driver_sql("; ".join(statements), execution_options=_AS_IT_IS)

    def _stored(self, announced: Mapping[str, str], hears: bool) -> None:
        if self._loop is None:
            return
        with suppress(RuntimeError):  # the loop has ended, and every reader with it
            for key, message in announced.items():
                self._loop.call_soon_threadsafe(self._push_own, key, message, hears)

    def _push_own(self, key: str, message: str, hears: bool) -> None:
        if self._loop is None or self._url is None:
            self._push(message)
        elif not self._readers:
            return
        elif hears and self._hears and key not in self._known:
            self._unheard[key] = message
            self._loop.call_later(_HEARING_SECONDS, self._push_once, key, message)
        else:
            self._push_once(key, message)

    def _push_once(self, key: str, message: str) -> None:
        """An own change comes twice, stored here and heard from the database; the first counts."""
        if key in self._known:
            del self._known[key]
            return
        self._known[key] = None
        self._unheard.pop(key, None)
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._push(message)

    def _push(self, message: str) -> None:
        for reader in tuple(self._readers):
            if not reader.push(message):
                self.leave(reader)

    async def _hear_forever(self, url: str) -> None:
        while True:
            try:
                await self._hear(url)
            except (psycopg.Error, OSError):
                _log.warning("stream_apart", exc_info=True)
            self._hears = False
            for key, message in tuple(self._unheard.items()):  # before what is stored from now on
                self._push_once(key, message)
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _hear(self, url: str) -> None:
        connection = await psycopg.AsyncConnection.connect(
            url,
            autocommit=True,
            connect_timeout=5,
            keepalives_idle=15,
            keepalives_interval=5,
            keepalives_count=3,
        )
        try:
            found = await connection.execute(f"SELECT {_CHANNEL}")
            for (channel,) in await found.fetchall():
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            self._hears = True
            async for notification in connection.notifies():
                if not self._readers:
                    continue
                self._take(notification.payload)
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
        finally:
            await connection.close()

    def _take(self, payload: str) -> None:
        key, _, message = payload.partition(" ")
        if key.startswith(self._replica):
            self._push_once(key, message)
        else:
            self._push(message)


def _notifications(connection: Connection, announced: Mapping[str, str]) -> Iterator[str]:
    driver = cast("psycopg.Connection", connection.connection.driver_connection)
    escaping = Escaping(driver.pgconn)
    for key, message in announced.items():
        payload = escaping.escape_literal(f"{key} {message}".encode())
        yield f"SELECT pg_notify({_CHANNEL}, {bytes(payload).decode()})"


def wants_stream(headers: Mapping[str, str]) -> bool:
    """Whether a request asks to become a WebSocket."""
    connection = (token.strip().lower() for token in headers.get("Connection", "").split(","))
    return "upgrade" in connection and headers.get("Upgrade", "").lower() == "websocket"


def check_handshake(headers: Mapping[str, str], allowed_hosts: Iterable[str]) -> None:
    """A `Problem` for a handshake that cannot succeed, or comes from a page of another host.

    A browser lets any page connect, and says which: one of this host may, or of an allowed one.
    """
    if headers.get("Sec-WebSocket-Version") != "13":
        raise Problem(426, headers={"Sec-WebSocket-Version": "13", "Upgrade": "websocket"})
    if not _KEY.fullmatch(headers.get("Sec-WebSocket-Key", "")):
        raise Problem(400, "The Sec-WebSocket-Key is not valid.")
    origin = headers.get("Origin")
    if origin is None:
        return
    with suppress(ValueError, Problem):
        host = urlsplit(origin).netloc.lower()
        if host and host != headers.get("Host", "").lower():
            check_host(host, allowed_hosts)
        if host:
            return
    raise Problem(403, "A page of this origin may not read the stream.")
