"""Bounds the memory that large bodies take, however many of them arrive at once."""

import asyncio
import ctypes
import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

REQUEST_SECONDS: Final = 30  # for a request to arrive, from its first byte on
LARGE: Final = 65_536  # bytes; a smaller body is let in at any time
PLACES: Final = 4
MAX_WAITING: Final = 64
WAIT_SECONDS: Final = 2
# Of glibc's malloc.h, and what they are set to.
_M_MMAP_THRESHOLD, _MMAP_BYTES = -3, 131_072
_M_ARENA_MAX, _ARENAS = -8, 1

_parsing: Final = threading.Lock()
_unbounded: Final = nullcontext()


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
        self._free.release()

    def is_full(self) -> bool:
        """Whether no place is free."""
        return self._free.locked()


def parsing(body: bytes) -> AbstractContextManager[object]:
    """Parse one large body at a time: the GIL allows no more, and each may become 50 times as big.

    Threads that wait here leave the GIL to those that answer probes.
    """
    return _parse_large() if len(body) > LARGE else _unbounded


@contextmanager
def _parse_large() -> Iterator[None]:
    with _parsing:
        # Half a million new lists would be looked at for cycles again and again.
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if was_enabled:
                gc.enable()


def give_memory_back() -> None:
    """Have malloc return large buffers to the system, and share what it keeps between threads.

    By default each thread that has once held a large body keeps memory for another one.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
            mallopt(_M_ARENA_MAX, _ARENAS)
