"""The same queries for an event loop: asyncpg, and `sqlite3` in threads."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any
from uuid import UUID

from ..bare.environment import CONNECTIONS, DATABASE_URL
from . import driver
from .driver import MARK, NEW, ON_SQLITE, ONE, SOME, asked, represented, represented_page, values

threads = ThreadPoolExecutor(CONNECTIONS)
_pool: Any = None


async def start() -> None:
    """Connect, as the server starts."""
    global _pool
    if not ON_SQLITE:
        import asyncpg

        settings = {"timezone": "UTC"}
        sizes = {"min_size": CONNECTIONS, "max_size": CONNECTIONS}
        _pool = await asyncpg.create_pool(DATABASE_URL, server_settings=settings, **sizes)


async def read(item_id: str) -> dict[str, Any] | None:
    """The item as it goes out as JSON, or nothing."""
    if ON_SQLITE:
        return await asyncio.get_running_loop().run_in_executor(threads, driver.read, item_id)
    row = await _pool.fetchrow(_numbered(ONE), UUID(item_id))
    return represented(row) if row else None


async def page(query: str) -> dict[str, Any]:
    """A page of the list as it goes out as JSON; `query` is what stands behind the `?`."""
    if ON_SQLITE:
        return await asyncio.get_running_loop().run_in_executor(threads, driver.page, query)
    limit, after = asked(query)
    return represented_page(await _pool.fetch(_numbered(SOME), after, limit + 1), limit)


async def create(content: dict[str, Any]) -> dict[str, Any]:
    """Store a new item; as it goes out as JSON."""
    if ON_SQLITE:
        return await asyncio.get_running_loop().run_in_executor(threads, driver.create, content)
    return represented(await _pool.fetchrow(_numbered(NEW), *values(content)))


@cache
def _numbered(statement: str) -> str:
    first, *rest = statement.split(MARK)
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))
