"""Tornado, raw: its own server and handlers, on asyncpg."""

import asyncio
import json

from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler

from ..bare.environment import HOST, PORT
from .asynchronous import create, page, read, start
from .driver import LIVE


class Handler(RequestHandler):
    """What the routes have in common."""

    def answer(self, body: object) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(body))


class Live(Handler):
    def get(self) -> None:
        self.answer(LIVE)


class Items(Handler):
    async def get(self) -> None:
        self.answer(await page(self.request.query))

    async def post(self) -> None:
        item = await create(json.loads(self.request.body))
        self.set_status(201)
        self.answer(item)


class Item(Handler):
    async def get(self, item_id: str) -> None:
        item = await read(item_id)
        if item is None:
            raise HTTPError(404)
        self.answer(item)


async def main() -> None:
    await start()
    routes = [(r"/livez", Live), (r"/v1/items", Items), (r"/v1/items/([^/]+)", Item)]
    application = Application(routes, log_function=lambda _: None)
    HTTPServer(application).listen(PORT, HOST, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
