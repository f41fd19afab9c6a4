"""Call blocking code, such as a store, from an event loop."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from . import Unavailable
from .deadlines import deadline, remaining

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# More than may wait for the database (`MAX_WAITING`, plus those that have a connection).
THREADS: Final = 256
_MOMENT_SECONDS = 0.5


class Threads:
    """Threads for one purpose: if all of them are busy, other purposes are not affected."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._closed = True
        self._ended: _Ended | None = None
        self.open()

    def open(self) -> None:
        """Accept calls again after `close`."""
        if self._closed:
            self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="blocking")
            self._closed = False

    async def run(
        self,
        call: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """The result of a call in a thread, in FIFO order.

        `Unavailable` if it is not done by the deadline, which starts now and not when a thread
        becomes free. The call has the same deadline, and a little more time to report its outcome.
        """
        with deadline(self._seconds):
            seconds, context = remaining() or 0.0, copy_context()
        loop = asyncio.get_running_loop()
        if self._ended is None or self._ended.loop is not loop:
            self._ended = _Ended(loop)
        future: asyncio.Future[Result] = loop.create_future()
        self._executor.submit(self._ended.call, future, context, partial(call, *args, **kwargs))
        timer = loop.call_later(seconds + _MOMENT_SECONDS, _give_up, future)
        try:
            return await future
        finally:
            timer.cancel()

    def close(self) -> None:
        """Accept no more calls, without waiting; calls that have not started never will."""
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)


class _Ended:
    """Passes completed calls to the event loop, waking it once for several of them.

    A `concurrent.futures` future for each call, which wakes the loop separately, takes twice the
    CPU time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._outcomes: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_told = False

    def call(
        self, future: asyncio.Future[Result], context: Context, work: Callable[[], Result]
    ) -> None:
        """Make a call in this thread, unless its caller has stopped waiting."""
        if future.done():
            return
        try:
            outcome = (future, context.run(work), None)
        except BaseException as error:
            self._outcomes.append((future, None, error))
            del future  # otherwise a cycle: future, error, traceback, this frame
        else:
            self._outcomes.append(outcome)
        if not self._is_told:
            self._is_told = True
            self.loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._is_told = False  # first, so that calls that end from here on wake the loop again
        while self._outcomes:
            future, result, error = self._outcomes.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            elif isinstance(error, StopIteration):  # a future does not accept it
                future.set_exception(RuntimeError("the call raised StopIteration"))
            else:
                future.set_exception(error)


def _give_up(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(Unavailable("there was no answer in time"))
