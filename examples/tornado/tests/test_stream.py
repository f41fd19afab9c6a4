"""The stream of changes over a WebSocket."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import httpx
import psycopg
import pytest
import samples
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from stock_keeper.products.model import PRODUCTS, Product, ProductContent
from stock_keeper.runtime.database import Database
from stock_keeper.runtime.resource import PageRequest
from stock_keeper.runtime.stream import MAX_WAITING, Message, Stream, StreamedStore
from stock_keeper.settings import Settings

ClientOf = Callable[[Settings], AbstractContextManager[httpx.Client]]
PATH = "/v1/products/stream"
HANDSHAKE = {
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@contextmanager
def reading(client: httpx.Client, origin: str | None = None) -> Iterator[ClientConnection]:
    """A reader of the stream."""
    url = client.base_url.copy_with(scheme="ws", path=PATH)
    headers = {"Origin": origin} if origin else {}
    with connect(str(url), additional_headers=headers, close_timeout=1) as reader:
        yield reader


def told(reader: ClientConnection) -> tuple[str, str]:
    """What happened next, and to the row of which ID."""
    message = json.loads(reader.recv(timeout=10))
    return message["type"], message["product"]["id"]


def store_of(database: Database, stream: Stream) -> StreamedStore[Product, ProductContent]:
    return StreamedStore(PRODUCTS, database, stream)


def create(client: httpx.Client) -> dict[str, Any]:
    created = client.post("/v1/products", json=samples.product_content(client))
    assert created.status_code == 201
    row: dict[str, Any] = created.json()
    return row


def test_each_change_reaches_every_reader_once_and_in_order(client: httpx.Client) -> None:
    with reading(client) as one, reading(client) as other:
        row = create(client)
        path = f"/v1/products/{row['id']}"
        replaced = client.put(path, json=samples.product_content(client)).json()
        client.delete(path)
        last = create(client)
        for reader in (one, other):
            assert json.loads(reader.recv(timeout=10)) == {"type": "created", "product": row}
            assert json.loads(reader.recv(timeout=10)) == {"type": "updated", "product": replaced}
            assert json.loads(reader.recv(timeout=10)) == {"type": "deleted", "product": replaced}
            assert told(reader) == ("created", last["id"])


def test_what_changes_nothing_is_not_told(client: httpx.Client) -> None:
    path = f"/v1/products/{create(client)['id']}"
    with reading(client) as reader:
        assert client.patch(path, json={}).status_code == 200
        assert client.put(path, json={"id": "mine"}).status_code == 422
        last = create(client)
        assert told(reader) == ("created", last["id"])


def test_changes_of_one_transaction_are_told_if_it_is_stored(
    client: httpx.Client, database: Database, settings: Settings
) -> None:
    told: list[str] = []

    async def send(message: str) -> None:
        told.append(json.loads(message)["product"]["id"])

    def change(store: StreamedStore[Product, ProductContent], rows: list[str]) -> None:
        with database.writing():
            rows += [str(store.create(content).id) for content in contents[:2]]
        with suppress(KeyError), database.writing():
            store.create(contents[2])
            raise KeyError
        rows.append(str(store.create(contents[3]).id))

    async def watch(rows: list[str]) -> None:
        stream = Stream(settings)
        stream.subscribe("products", send, lambda _: None)
        await asyncio.to_thread(change, store_of(database, stream), rows)
        async with asyncio.timeout(10):
            while rows[-1] not in told:
                await asyncio.sleep(0.02)
        await stream.end(0)

    samples_sent = [samples.product_content(client) for _ in range(4)]
    contents = [ProductContent.model_validate_json(json.dumps(one)) for one in samples_sent]
    rows: list[str] = []
    asyncio.run(watch(rows))
    page = store_of(database, Stream(settings)).page(PageRequest())
    assert told == rows == [str(row.id) for row in page.rows]


def test_subscribers_of_a_topic_are_told_of_it_alone_and_of_any_size(
    database: Database, settings: Settings
) -> None:
    """PostgreSQL's notifications have room for 8000 bytes."""
    texts: list[str] = []
    odd = "one ' \\ \" %s %(x)s ;"
    sizes = (1, 6_999, 7_000, 7_001, 100_000)

    async def send(message: str) -> None:
        texts.append(json.loads(message)["text"])

    def announce(stream: Stream) -> None:
        for size in sizes:
            stream.announce(database, "elsewhere", {"text": "x" * size})
            stream.announce(database, "here", {"text": "é" * size + odd})

    async def watch(stream: Stream, replica: Stream) -> None:
        for one in (stream, replica) if not settings.on_sqlite else (stream,):
            one.subscribe("here", send, lambda _: None)
        while not (settings.on_sqlite or (stream._is_listening and replica._is_listening)):
            await asyncio.sleep(0.02)
        await asyncio.to_thread(announce, stream)
        async with asyncio.timeout(10):
            while len(texts) < len(sizes) * (1 if settings.on_sqlite else 2):
                await asyncio.sleep(0.02)
        await stream.end(0)
        await replica.end(0)

    asyncio.run(watch(Stream(settings), Stream(settings)))
    assert sorted(set(texts), key=len) == ["é" * size + odd for size in sizes]


def test_a_change_outlives_the_way_to_hear_of_it(
    client: httpx.Client, settings: Settings, client_of: ClientOf
) -> None:
    if settings.on_sqlite:
        return  # there it needs no way
    with client_of(settings) as replica, reading(client) as reader, reading(replica) as far:
        before = create(client)
        assert told(reader) == told(far) == ("created", before["id"])
        with psycopg.connect(settings.database_url, autocommit=True) as connection:
            listening = "FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND state = 'idle'"
            connection.execute(f"SELECT pg_terminate_backend(pid) {listening}".encode())
            meanwhile = [("created", create(client)["id"]) for _ in range(5)]
            assert [told(reader) for _ in meanwhile] == meanwhile
            while connection.execute(f"SELECT count(*) {listening}".encode()).fetchone() != (2,):
                time.sleep(0.02)
        after = create(replica)
        assert told(reader) == ("created", after["id"])


def test_a_reader_that_is_too_slow_is_closed() -> None:
    closed = []

    async def never(_: str) -> None:
        await asyncio.Event().wait()

    async def fill(stream: Stream) -> None:
        stream.subscribe("products", never, closed.append)
        for _ in range(MAX_WAITING + 10):
            await asyncio.sleep(0)
            stream._push(Message("key", "products", "change"))

    asyncio.run(fill(Stream(Settings(database_url="sqlite:///none.db"))))
    assert closed == [1008]


def test_a_service_that_ends_says_so(settings: Settings, client_of: ClientOf) -> None:
    with client_of(settings) as client:
        connection = reading(client)
        reader = connection.__enter__()
    with pytest.raises(ConnectionClosed) as closed:
        reader.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    connection.__exit__(None, None, None)


def test_readers_who_left_are_forgotten(client: httpx.Client) -> None:
    with reading(client):
        assert "stream_readers 1.0" in client.get("/metrics").text
    deadline = time.monotonic() + 5
    while "stream_readers 0.0" not in client.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_page_of_another_host_may_not_read(settings: Settings, client_of: ClientOf) -> None:
    allowing = settings.model_copy(update={"allowed_hosts": ("127.0.0.1", "*.example.com")})
    with client_of(allowing) as client:
        for origin in ("https://elsewhere.org", "https://example.com", "null", "http://[x"):
            refused = client.get(PATH, headers=HANDSHAKE | {"Origin": origin})
            assert (refused.status_code, refused.json()["status"]) == (403, 403)
        for origin in (str(client.base_url), "https://app.example.com"):
            with reading(client, origin) as reader:
                reader.ping().wait(timeout=5)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upgrade": ""}, 404),
        ({"Connection": "keep-alive"}, 404),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Key": "short"}, 400),
    ],
)
def test_what_is_no_handshake_is_refused(
    client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    refused = client.get(PATH, headers=HANDSHAKE | headers)
    assert refused.status_code == status
    assert refused.headers["Content-Type"] == "application/problem+json"
