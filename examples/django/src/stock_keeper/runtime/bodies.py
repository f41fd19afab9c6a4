"""Bounds the memory that large bodies take, however many of them arrive at once."""

import asyncio
import ctypes
import gc
import sys
import threading
from itertools import count
from typing import Final

REQUEST_SECONDS: Final = 30  # for a request to arrive, from its first byte on
LARGE: Final = 65_536  # bytes; a smaller body is let in at any time
MAX_VALUES: Final = 10_000  # of one body; parsed, they may take fifty times its bytes
PLACES: Final = 4
MAX_WAITING: Final = 64
WAIT_SECONDS: Final = 2
COLLECT_EVERY: Final = 8  # large bodies
# Of glibc's malloc.h, and what they are set to.
_M_MMAP_THRESHOLD, _MMAP_BYTES = -3, 131_072
_M_ARENA_MAX, _ARENAS = -8, 1

_answered: Final = count(1)


class Places:
    """Places for large bodies, each held from the 64th kilobyte on to the response."""

    def __init__(self) -> None:
        self._free = threading.Semaphore(PLACES)
        self._queue = threading.Semaphore(MAX_WAITING)

    def acquire(self) -> bool:
        """Take a place; False if none becomes free in time, or at once if too many wait."""
        if self._free.acquire(blocking=False):
            return True
        if not self._queue.acquire(blocking=False):
            return False
        try:
            return self._free.acquire(timeout=WAIT_SECONDS)
        finally:
            self._queue.release()

    def release(self) -> None:
        """Return the place."""
        _collect_bodies()
        self._free.release()

    def is_full(self) -> bool:
        """Whether no place is free."""
        if not self._free.acquire(blocking=False):
            return True
        self._free.release()
        return False


class AsyncPlaces:
    """The same for the tasks of an event loop."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(PLACES)
        self._waiting = 0

    async def acquire(self) -> bool:
        """Take a place; False if none becomes free in time, or at once if too many wait."""
        if self._waiting >= MAX_WAITING:
            return False
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await self._free.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1

    def release(self) -> None:
        """Return the place."""
        _collect_bodies()
        self._free.release()

    def is_full(self) -> bool:
        """Whether no place is free."""
        return self._free.locked()


def has_too_many_values(body: bytes) -> bool:
    """Whether a JSON text has more than MAX_VALUES members and elements, without parsing it."""
    if len(body) <= MAX_VALUES or _separators(body) <= MAX_VALUES:
        return False
    # Those in strings do not count.
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    if plain.count(b'"') > 4 * MAX_VALUES:  # of as many names and as many strings
        return True
    return _separators(b"".join(plain.split(b'"')[::2])) > MAX_VALUES


def _separators(text: bytes) -> int:
    """As many as there are members, elements and empty objects and arrays."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _collect_bodies() -> None:
    """Free the large bodies of earlier requests.

    Frameworks and errors keep a request, its body and what was parsed of it in reference cycles.
    A collection of the youngest objects misses those that were there at the one before.
    """
    if next(_answered) % COLLECT_EVERY == 0:
        gc.collect()


def give_memory_back() -> None:
    """Have malloc return large buffers to the system, and share what it keeps between threads.

    By default each thread that has once held a large body keeps memory for another one.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
            mallopt(_M_ARENA_MAX, _ARENAS)
