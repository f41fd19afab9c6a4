"""What is asked of the streams of a service whose owner has added rooms, in any framework."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.contract.items import fresh_name
from tests.contract.websocket import WebSocket
from tests.owner.questions import ROOMS, new_room

SECONDS = 20


def watch(client: httpx.Client, paths: list[str], scenario: Callable[..., Awaitable[None]]) -> None:
    """Run a scenario with a subscriber of each path."""
    address = (client.base_url.host, client.base_url.port or 80)

    async def main() -> None:
        async with asyncio.timeout(SECONDS):
            subscribers = [await WebSocket.open(address, path) for path in paths]
            try:
                await scenario(*subscribers)
            finally:
                for subscriber in subscribers:
                    subscriber.close()

    asyncio.run(main())


def ask_of_a_stream_of_its_own(client: httpx.Client) -> None:
    """O1: subscribers of rooms are told of rooms alone, and of items those of items."""

    async def scenario(rooms: WebSocket, items: WebSocket) -> None:
        item = await asyncio.to_thread(new_item, client)
        room = await asyncio.to_thread(new_room, client)
        assert await rooms.message() == {"type": "created", "room": room}
        assert await items.message() == {"type": "created", "item": item}
        patch = {"seats": 9}
        patched = await asyncio.to_thread(client.patch, f"{ROOMS}/{room['id']}", json=patch)
        await asyncio.to_thread(client.delete, f"/v1/items/{item['id']}")
        assert await rooms.message() == {"type": "updated", "room": patched.json()}
        assert await items.message() == {"type": "deleted", "item": item}

    watch(client, [f"{ROOMS}/stream", "/v1/items/stream"], scenario)


def new_item(client: httpx.Client) -> dict[str, Any]:
    answer = client.post("/v1/items", json={"name": fresh_name()})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def ask_of_a_large_row(client: httpx.Client) -> None:
    """A row of any size is stored, and told; PostgreSQL's notifications hold 8000 bytes."""

    async def scenario(notes: WebSocket) -> None:
        for text in ("x" * 9_000, "é" * 9_000, "small"):
            created = await asyncio.to_thread(client.post, "/v1/notes", json={"text": text})
            assert created.status_code == 201, created.text
            assert await notes.message() == {"type": "created", "note": created.json()}

    watch(client, ["/v1/notes/stream"], scenario)
