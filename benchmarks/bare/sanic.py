"""Sanic, bare: a handler that calls the query in a thread, on Sanic's own server."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from sanic import HTTPResponse, NotFound, Request, Sanic, json

from .environment import CONNECTIONS, HOST, PORT
from .item import read

application = Sanic("bare", configure_logging=False)
threads = ThreadPoolExecutor(CONNECTIONS)


@application.get("/v1/items/<item_id>")
async def get_item(_: Request, item_id: str) -> HTTPResponse:
    item = await asyncio.get_running_loop().run_in_executor(threads, read, item_id)
    if item is None:
        raise NotFound
    return json(item)


if __name__ == "__main__":
    application.run(HOST, PORT, single_process=True, access_log=False, motd=False, backlog=1024)
