"""A load balancer as small as one can be: it sends each connection to a replica that is ready.

It asks every replica's ``/readyz`` again and again, never retries, and hides nothing: a request
that meets a closed listener or a cut connection fails for its caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Sequence
from typing import Self

Address = tuple[str, int]


class Balancer:
    """Listens on a free port of 127.0.0.1 while the block lasts."""

    def __init__(self, replicas: Sequence[Address], ask_every: float = 0.2) -> None:
        self.ready: list[Address] = []
        self.port = 0
        self._replicas = replicas
        self._ask_every = ask_every
        self.refused: list[str] = []
        self._turns = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._loop.run_forever()

    async def _start(self) -> None:
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._watchers = [asyncio.create_task(self._watch(one)) for one in self._replicas]
        self._listening.set()

    async def _watch(self, replica: Address) -> None:
        while True:
            ready = await self._is_ready(replica)
            if ready and replica not in self.ready:
                self.ready.append(replica)
            if not ready and replica in self.ready:
                self.ready.remove(replica)
            await asyncio.sleep(self._ask_every)

    async def _is_ready(self, replica: Address) -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(4):
                reader, writer = await asyncio.open_connection(*replica)
                try:
                    writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    return (await reader.readline()).split()[1:2] == [b"200"]
                finally:
                    writer.close()
        return False

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            replica = self.ready[next(self._turns) % len(self.ready)]
            to_read, to_write = await asyncio.open_connection(*replica)
        except (ZeroDivisionError, OSError) as error:
            self.refused.append(f"{self.ready}: {error!r}")
            writer.transport.abort()
            return
        await asyncio.gather(copy(reader, to_write), copy(to_read, writer))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything from one side to the other, then the end of it."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
