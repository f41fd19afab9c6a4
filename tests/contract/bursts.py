"""Many connections to one service at once: bursts, load, and clients that trickle.

One event loop and plain streams, so that what is measured is the service and not the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.contract.wire import Address, request

Ask = tuple[str, str, dict[str, object] | None]
"""Method, path, and the content of a JSON body."""


@dataclass(frozen=True)
class Timed:
    """The status of an answer, and the seconds from the first byte sent to the last one read."""

    status: int
    seconds: float


def burst(address: Address, asks: list[Ask], timeout: float = 60) -> list[Timed]:
    """All requests at the same moment, each on a connection that is open already."""

    async def main() -> list[Timed]:
        streams = [await asyncio.open_connection(*address) for _ in asks]
        pairs = zip(streams, asks, strict=True)
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.gather(*(one(*stream, ask) for stream, ask in pairs))
        finally:
            for _reader, writer in streams:
                writer.close()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ask: Ask) -> Timed:
        before = time.monotonic()
        writer.write(encoded(ask))
        status = await read_answer(reader)
        return Timed(status, time.monotonic() - before)

    return asyncio.run(main())


def encoded(ask: Ask) -> bytes:
    method, path, content = ask
    if content is None:
        return request(method, path)
    headers = [("Content-Type", "application/json")]
    return request(method, path, headers, json.dumps(content).encode())


async def read_answer(reader: asyncio.StreamReader) -> int:
    """Read one whole answer (with a Content-Length, or without a body); its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.partition(b":")[2]))
    return status


@dataclass
class Load:
    """What a load of many connections met with."""

    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0


def load(address: Address, paths: list[str], connections: int, seconds: float) -> Load:
    """Ask again and again on each of the connections; one that is closed counts as an error."""
    result = Load()

    async def main() -> None:
        end = time.monotonic() + seconds
        await asyncio.gather(*(client(paths[n % len(paths)], end) for n in range(connections)))

    async def client(path: str, end: float) -> None:
        try:
            reader, writer = await asyncio.open_connection(*address)
            while time.monotonic() < end:
                before = time.monotonic()
                writer.write(request("GET", path))
                async with asyncio.timeout(30):
                    result.statuses[await read_answer(reader)] += 1
                result.slowest = max(result.slowest, time.monotonic() - before)
            writer.close()
        except (OSError, EOFError, TimeoutError) as error:
            result.errors[type(error).__name__] += 1

    asyncio.run(main())
    return result


@dataclass
class Trickled:
    """How long each slow connection stayed open: None where it still was at the end."""

    heads: list[float | None]
    bodies: list[float | None]
    probes: list[float]
    """Seconds until ``/livez`` answered; infinite where it did not."""


HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
BODY = request(
    "POST", "/v1/items", [("Content-Type", "application/json"), ("Content-Length", "1000")]
)


def trickle(address: Address, heads: int, bodies: int, seconds: float, pause: float) -> Trickled:
    """Open the connections, send a byte each ``pause`` seconds, ask ``/livez`` meanwhile.

    The probes begin when all connections are open: before that a probe would wait in the client.
    """
    result = Trickled([None] * heads, [None] * bodies, [])
    all_open = asyncio.Barrier(heads + bodies + 1)

    async def main() -> None:
        end = time.monotonic() + seconds
        slow = [crawl(HEAD, result.heads, n, end) for n in range(heads)]
        slow += [crawl(BODY, result.bodies, n, end) for n in range(bodies)]
        await asyncio.gather(probe(end), *slow)

    async def crawl(start: bytes, closed: list[float | None], number: int, end: float) -> None:
        began = time.monotonic()
        reader, writer = await asyncio.open_connection(*address)
        ended = asyncio.ensure_future(until_closed(reader))
        with contextlib.suppress(OSError):
            writer.write(start)
            await all_open.wait()
            while time.monotonic() < end and not ended.done():
                await asyncio.wait([ended], timeout=min(pause, max(0.0, end - time.monotonic())))
                writer.write(b"x")
        if ended.done():
            closed[number] = time.monotonic() - began
        ended.cancel()
        writer.close()

    async def probe(end: float) -> None:
        await all_open.wait()
        while time.monotonic() < end:
            before = time.monotonic()
            answered = await ask_once()
            result.probes.append(time.monotonic() - before if answered else float("inf"))
            await asyncio.sleep(0.5)

    async def ask_once() -> bool:
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection(*address)
                writer.write(request("GET", "/livez"))
                status = await read_answer(reader)
                writer.close()
        except (OSError, EOFError, TimeoutError):
            return False
        return status == 200

    asyncio.run(main())
    return result


async def until_closed(reader: asyncio.StreamReader) -> None:
    """The server's side of the connection ends, with an answer (such as 408) or without."""
    with contextlib.suppress(OSError):
        while await reader.read(4096):
            pass
