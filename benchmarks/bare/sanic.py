"""Sanic, bare: handlers that call the queries in a thread, on Sanic's own server."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from sanic import HTTPResponse, NotFound, Request, Sanic, json

from .environment import CONNECTIONS, HOST, PORT
from .item import LIVE, create, page, read

application = Sanic("bare", configure_logging=False)
threads = ThreadPoolExecutor(CONNECTIONS)


@application.get("/livez")
async def live(_: Request) -> HTTPResponse:
    return json(LIVE)


@application.get("/v1/items")
async def list_items(request: Request) -> HTTPResponse:
    loop = asyncio.get_running_loop()
    return json(await loop.run_in_executor(threads, page, request.query_string))


@application.post("/v1/items")
async def create_item(request: Request) -> HTTPResponse:
    loop = asyncio.get_running_loop()
    return json(await loop.run_in_executor(threads, create, request.json), 201)


@application.get("/v1/items/<item_id>")
async def get_item(_: Request, item_id: str) -> HTTPResponse:
    item = await asyncio.get_running_loop().run_in_executor(threads, read, item_id)
    if item is None:
        raise NotFound
    return json(item)


if __name__ == "__main__":
    application.run(HOST, PORT, single_process=True, access_log=False, motd=False, backlog=1024)
