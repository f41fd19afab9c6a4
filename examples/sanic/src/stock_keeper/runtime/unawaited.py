"""Detect coroutines that an access check forgot to await, so that it cannot grant access."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

_WARNING: Final = "was never awaited"
_found: ContextVar[list[str] | None] = ContextVar("unawaited", default=None)


def watch() -> None:
    """Detect every dropped coroutine, not only the first one of each line of code."""
    warnings.filterwarnings("always", f".*{_WARNING}", RuntimeWarning)
    show = warnings.showwarning

    def notice(message: Any, *others: Any, **options: Any) -> None:
        found = _found.get()
        if found is not None and _WARNING in str(message):
            found.append(str(message))
        show(message, *others, **options)

    warnings.showwarning = notice


def begin() -> None:
    """Start recording the coroutines that this request drops."""
    _found.set([])


def check() -> None:
    """Raise an error if a coroutine was dropped since `begin`."""
    if found := _found.get():
        raise RuntimeError(found[0])


@contextmanager
def all_awaited() -> Iterator[None]:
    """Raise an error at the end of the block if a coroutine was dropped in it."""
    found: list[str] = []
    token = _found.set(found)
    try:
        yield
    finally:
        _found.reset(token)
    if found:
        raise RuntimeError(found[0])
