"""Sanic, raw: its own server and handlers, on asyncpg."""

from sanic import HTTPResponse, NotFound, Request, Sanic, json

from ..bare.environment import HOST, PORT
from .asynchronous import create, page, read, start
from .driver import LIVE

application = Sanic("raw", configure_logging=False)


@application.before_server_start
async def connect(_: Sanic) -> None:
    await start()


@application.get("/livez")
async def live(_: Request) -> HTTPResponse:
    return json(LIVE)


@application.get("/v1/items")
async def list_items(request: Request) -> HTTPResponse:
    return json(await page(request.query_string))


@application.post("/v1/items")
async def create_item(request: Request) -> HTTPResponse:
    return json(await create(request.json), 201)


@application.get("/v1/items/<item_id>")
async def get_item(_: Request, item_id: str) -> HTTPResponse:
    item = await read(item_id)
    if item is None:
        raise NotFound
    return json(item)


if __name__ == "__main__":
    application.run(HOST, PORT, single_process=True, access_log=False, motd=False, backlog=1024)
