"""Tornado, bare: handlers that call the queries in a thread, on Tornado's own server."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler

from .environment import CONNECTIONS, HOST, PORT
from .item import LIVE, create, page, read

threads = ThreadPoolExecutor(CONNECTIONS)


class Handler(RequestHandler):
    """What the routes have in common."""

    async def in_thread(self, call: Callable[[Any], Any], argument: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(threads, call, argument)

    def answer(self, body: object) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(body))


class Live(Handler):
    def get(self) -> None:
        self.answer(LIVE)


class Items(Handler):
    async def get(self) -> None:
        self.answer(await self.in_thread(page, self.request.query))

    async def post(self) -> None:
        item = await self.in_thread(create, json.loads(self.request.body))
        self.set_status(201)
        self.answer(item)


class Item(Handler):
    async def get(self, item_id: str) -> None:
        item = await self.in_thread(read, item_id)
        if item is None:
            raise HTTPError(404)
        self.answer(item)


async def main() -> None:
    routes = [(r"/livez", Live), (r"/v1/items", Items), (r"/v1/items/([^/]+)", Item)]
    application = Application(routes, log_function=lambda _: None)
    HTTPServer(application).listen(PORT, HOST, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
