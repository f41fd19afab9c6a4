"""Changes pushed over WebSockets, in the order in which they were committed.

With PostgreSQL the replicas notify each other: a change is announced (NOTIFY) in the transaction
that stores it, and each replica listens (LISTEN) on one connection to all announcements.
"""

import asyncio
import json
import logging
import re
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, Final, LiteralString, NamedTuple, TypeVar
from urllib.parse import urlsplit

import psycopg
from prometheus_client import Gauge
from psycopg import sql
from sqlalchemy import text

from .. import NAME
from .content import Content
from .database import Database
from .http import Problem, check_host
from .resource import Resource
from .settings import Settings
from .store import Change, Store
from .tables import Record

GOING_AWAY: Final = 1001
TOO_SLOW: Final = 1008
MAX_WAITING: Final = 256
# Otherwise the kernel may buffer megabytes for each of thousands of subscribers.
SEND_BUFFER_BYTES: Final = 65_536
PING_SECONDS: Final = 20
MAX_RECEIVED_BYTES: Final = 4_096  # from a subscriber, which is not expected to send anything

Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)
Send = Callable[[str], Awaitable[object]]
Close = Callable[[int], object]

_log = logging.getLogger(__name__)
_subscribers = Gauge(
    "stream_readers", "Open connections to the streams.", multiprocess_mode="livesum"
)
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
# How long a change of this replica waits for its notification, to keep the order.
_NOTIFICATION_SECONDS = 1.0
_RECONNECT_SECONDS = 1.0
_MAX_PUSHED = 10_000
_MAX_CHUNK = 7_000  # PostgreSQL's notifications are limited to 8000 bytes
# Sending takes a few iterations of the loop; without them a burst would fill the queues.
_TURNS = 4
# Specific to this service and schema: a database may hold several.
_CHANNEL: LiteralString = f"md5(concat('{NAME}/', current_schema()))"
_NOTIFY = text(f"SELECT pg_notify({_CHANNEL}, :payload)")


_POOLED = (
    "DATABASE_DIRECT_URL: must lead to PostgreSQL itself, because DATABASE_URL leads to a pooler;"
    " until then the stream has only the changes that this replica makes"
)


class PooledError(Exception):
    """The connection leads to a pooler, which does not pass notifications on."""


class Message(NamedTuple):
    """A message and its topic; the key is unique across all replicas."""

    key: str
    topic: str
    text: str


class Subscriber:
    """A connection: its queued messages, and how it is closed."""

    def __init__(self, topic: str, send: Send, close: Close) -> None:
        self.topic = topic
        self._send = send
        self._close = close
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue()
        self._delivery = asyncio.create_task(self._deliver())

    def push(self, message: str) -> bool:
        """Queue a message; if the queue is full, close the connection and return False."""
        if self._waiting.qsize() < MAX_WAITING:
            self._waiting.put_nowait(message)
            return True
        self._delivery.cancel()
        self._close(TOO_SLOW)
        return False

    def end(self) -> None:
        """Close the connection once the queue is empty."""
        self._waiting.put_nowait(None)

    def stop(self) -> None:
        """Send nothing more: the connection is closed."""
        self._delivery.cancel()

    async def _deliver(self) -> None:
        try:
            while (message := await self._waiting.get()) is not None:
                await self._send(message)
            self._close(GOING_AWAY)
        except Exception as error:
            _log.debug("subscriber_lost", exc_info=error)


class Stream:
    """Pushes each message once to every subscriber of its topic, on all replicas."""

    def __init__(self, settings: Settings) -> None:
        self._url = None if settings.on_sqlite else settings.direct_url
        self._subscribers: defaultdict[str, set[Subscriber]] = defaultdict(set)
        self._replica = secrets.token_hex(8)
        self._numbers = count()
        self._pushed: dict[str, None] = {}
        self._unconfirmed: dict[str, Message] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener: asyncio.Task[None] | None = None
        self._is_listening = False

    def start(self) -> None:
        """Start pushing, in the running event loop; the first `subscribe` does this too."""
        if self._loop is not None:
            return
        self._loop = asyncio.get_running_loop()
        if self._url is not None:
            self._listener = self._loop.create_task(self._listen_forever(self._url))

    async def end(self, seconds: float) -> None:
        """Close all connections, and wait at most `seconds` until they are closed."""
        if self._listener is not None:
            self._listener.cancel()
        for subscriber in self._all():
            subscriber.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._all():
                    await asyncio.sleep(0.02)

    def subscribe(self, topic: str, send: Send, close: Close) -> Subscriber:
        """Send every message of a topic from now on; `close` takes a WebSocket's close code."""
        self.start()
        subscriber = Subscriber(topic, send, close)
        self._subscribers[topic].add(subscriber)
        _subscribers.set(len(self._all()))
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Send nothing more to a subscriber."""
        subscriber.stop()
        self._subscribers[subscriber.topic].discard(subscriber)
        _subscribers.set(len(self._all()))

    def announce(self, database: Database, topic: str, content: Mapping[str, Any]) -> None:
        """Push a message when the current transaction is committed, or in a new one.

        Called in a thread, like the database. A message may have any size.
        """
        key = f"{self._replica}:{next(self._numbers)}"
        message = Message(key, topic, json.dumps(content))
        # PostgreSQL only guarantees notifications for transactions committed from now on.
        committed = partial(self._committed, message, self._is_listening)
        with database.writing(committed) as connection:
            if self._url is not None:
                for payload in _payloads(message):
                    connection.execute(_NOTIFY, {"payload": payload})

    def _all(self) -> list[Subscriber]:
        return [one for subscribers in self._subscribers.values() for one in subscribers]

    def _committed(self, message: Message, was_listening: bool) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended, and with it all connections
                self._loop.call_soon_threadsafe(self._push_own, message, was_listening)

    def _push_own(self, message: Message, was_listening: bool) -> None:
        if self._loop is None or self._url is None:
            self._push(message)
        elif not self._subscribers[message.topic]:
            return
        elif was_listening and self._is_listening and message.key not in self._pushed:
            self._unconfirmed[message.key] = message
            self._loop.call_later(_NOTIFICATION_SECONDS, self._push_once, message)
        else:
            self._push_once(message)

    def _push_once(self, message: Message) -> None:
        """Push a message once, although both commit and notification deliver it."""
        if message.key in self._pushed:
            del self._pushed[message.key]
            return
        self._pushed[message.key] = None
        self._unconfirmed.pop(message.key, None)
        if len(self._pushed) > _MAX_PUSHED:
            del self._pushed[next(iter(self._pushed))]
        self._push(message)

    def _push(self, message: Message) -> None:
        for subscriber in tuple(self._subscribers[message.topic]):
            if not subscriber.push(message.text):
                self.unsubscribe(subscriber)

    async def _listen_forever(self, url: str) -> None:
        while True:
            try:
                await self._listen(url)
            except PooledError:
                _log.error(_POOLED)
            except (psycopg.Error, OSError):
                _log.warning("stream_disconnected", exc_info=True)
            self._is_listening = False
            for message in tuple(self._unconfirmed.values()):  # before anything committed later
                self._push_once(message)
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen(self, url: str) -> None:
        connection = await psycopg.AsyncConnection.connect(
            url,
            autocommit=True,
            connect_timeout=5,
            keepalives_idle=15,
            keepalives_interval=5,
            keepalives_count=3,
        )
        try:
            await _check_direct(connection)
            found = await connection.execute(f"SELECT {_CHANNEL}")
            for (channel,) in await found.fetchall():
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            self._is_listening = True
            chunks: list[str] = []
            async for notification in connection.notifies():
                if message := _assembled(chunks, notification.payload):
                    await self._receive(message)
        finally:
            await connection.close()

    async def _receive(self, message: Message) -> None:
        if not self._subscribers[message.topic]:
            return
        if message.key.startswith(self._replica):
            self._push_once(message)
        else:
            self._push(message)
        for _ in range(_TURNS):
            await asyncio.sleep(0)


async def _check_direct(connection: psycopg.AsyncConnection[Any]) -> None:
    found = await connection.execute("SELECT pg_backend_pid()")
    if await found.fetchone() != (connection.info.backend_pid,):  # a pooler reports its own
        raise PooledError


class StreamedStore(Store[Row, Sent]):
    """A store whose changes are pushed to the subscribers of its resource.

    A change is announced in the transaction that stores it, so neither happens without the other.
    """

    def __init__(self, resource: Resource[Row, Sent], database: Database, stream: Stream) -> None:
        super().__init__(resource, database)
        self.stream = stream

    def changed(self, change: Change, row: Row) -> None:
        content = {"type": change, self.resource.name: self.resource.show(row)}
        self.stream.announce(self.database, self.resource.plural, content)


def _payloads(message: Message) -> Iterator[str]:
    """The message in chunks that fit into a notification; the last one has the number 0.

    The notifications of a transaction arrive in sequence, never mixed with those of others.
    """
    last = (len(message.text) - 1) // _MAX_CHUNK
    for number in range(last + 1):
        chunk = message.text[number * _MAX_CHUNK : (number + 1) * _MAX_CHUNK]
        yield f"{message.key}\n{message.topic}\n{last - number}\n{chunk}"


def _assembled(chunks: list[str], payload: str) -> Message | None:
    """The message that this payload completes, if any; `chunks` keeps the earlier ones."""
    key, topic, left, chunk = payload.split("\n", 3)
    chunks.append(chunk)
    if left != "0":
        return None
    message = Message(key, topic, "".join(chunks))
    chunks.clear()
    return message


def wants_stream(headers: Mapping[str, str]) -> bool:
    """Whether a request is a WebSocket handshake."""
    connection = (token.strip().lower() for token in headers.get("Connection", "").split(","))
    return "upgrade" in connection and headers.get("Upgrade", "").lower() == "websocket"


def check_handshake(headers: Mapping[str, str], allowed_hosts: Iterable[str]) -> None:
    """Reject (426, 400, 403) a handshake that is not valid, or from a page of another host.

    A browser lets any page connect and sends its origin, which must be this host or be allowed.
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
