"""A load balancer as small as one can be: it sends each connection to a replica that is ready.

It asks every replica's ``/readyz`` again and again, as the manifests have a cluster do it: two
refusals in a row take a replica out, one consent puts it in. A connection stays with its replica.
It never retries, and hides nothing: a request that meets a closed listener or a cut connection
fails for its caller, and ``events`` tells when and why.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Sequence
from typing import Self

Address = tuple[str, int]

FAILURES = 2


class Balancer:
    """Listens on a free port of 127.0.0.1 while the block lasts."""

    def __init__(self, replicas: Sequence[Address], ask_every: float = 0.2) -> None:
        self.ready: list[Address] = []
        self.port = 0
        self.events: list[str] = []
        self._replicas = replicas
        self._ask_every = ask_every
        self._turns = itertools.count()
        self._began = time.monotonic()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def note(self, event: str) -> None:
        """Remember what happened, and when, in seconds since the beginning."""
        self.events.append(f"{time.monotonic() - self._began:7.3f} {event}")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        watchers = [asyncio.create_task(self._watch(one)) for one in self._replicas]
        self._listening.set()
        await self._over.wait()
        for watcher in watchers:
            watcher.cancel()

    async def _watch(self, replica: Address) -> None:
        refusals = 0
        while True:
            said = await self._ask(replica)
            refusals = 0 if said == "200" else refusals + 1
            if refusals == 0 and replica not in self.ready:
                self.ready.append(replica)
                self.note(f"{replica} is in")
            if refusals == FAILURES and replica in self.ready:
                self.ready.remove(replica)
                self.note(f"{replica} is out: {said}")
            await asyncio.sleep(self._ask_every)

    async def _ask(self, replica: Address) -> str:
        """The status of ``/readyz``, or why there is none."""
        try:
            async with asyncio.timeout(4):
                reader, writer = await asyncio.open_connection(*replica)
                try:
                    writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    return b"".join((await reader.readline()).split()[1:2]).decode()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            return repr(error)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            replica = self.ready[next(self._turns) % len(self.ready)]
            to_read, to_write = await asyncio.open_connection(*replica)
        except (ZeroDivisionError, OSError) as error:
            self.note(f"a connection is lost, with {self.ready} ready: {error!r}")
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
