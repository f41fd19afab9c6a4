"""Calls of code that blocks, such as a store's, from an event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Final, ParamSpec, TypeVar

from . import Unavailable
from .deadlines import deadline, remaining

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# More than may wait for the database (`MAX_WAITING` and those that have a connection).
THREADS: Final = 256
_MOMENT_SECONDS = 0.5


class Threads:
    """Threads of one purpose: when all of them wait, nothing but that purpose waits with them."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._closed = True
        self.open()

    def open(self) -> None:
        """Take calls again after `close`."""
        if self._closed:
            self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="blocking")
            self._closed = False

    async def run(
        self,
        call: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """The result of a call, made in a thread, first come first served.

        `Unavailable` if it is not there by the deadline, which begins now and not when a thread
        is free. The call has the same deadline, and a moment more to say how it ended.
        """
        with deadline(self._seconds):
            seconds, context = remaining() or 0.0, copy_context()
        work = self._executor.submit(context.run, partial(call, *args, **kwargs))
        limit = asyncio.timeout(seconds + _MOMENT_SECONDS)
        try:
            async with limit:
                # Cancelled with the caller: no thread takes it up for one who has gone.
                return await asyncio.wrap_future(work)
        except TimeoutError as error:
            if not limit.expired():  # the call has raised it
                raise
            raise Unavailable("there was no answer in time") from error

    def close(self) -> None:
        """Take no more calls, and wait for none."""
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)
