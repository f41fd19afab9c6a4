"""Tornado, bare: a handler that calls the query in a thread, on Tornado's own server."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler

from .environment import CONNECTIONS, HOST, PORT
from .item import read

threads = ThreadPoolExecutor(CONNECTIONS)


class Item(RequestHandler):
    """The one route."""

    async def get(self, item_id: str) -> None:
        item = await asyncio.get_running_loop().run_in_executor(threads, read, item_id)
        if item is None:
            raise HTTPError(404)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(item))


async def main() -> None:
    application = Application([(r"/v1/items/([^/]+)", Item)], log_function=lambda _: None)
    HTTPServer(application).listen(PORT, HOST, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
