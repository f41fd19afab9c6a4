"""Nameko, bare: its own server and container, and psycopg's wait made green."""

import os

import eventlet

eventlet.monkey_patch()
os.environ["PSYCOPG_WAIT_FUNC"] = "wait_select"

import json  # noqa: E402  only after the patch

from nameko.runners import ServiceRunner  # noqa: E402
from nameko.web.handlers import http  # noqa: E402
from werkzeug.wrappers import Request, Response  # noqa: E402

from .item import HOST, PORT, THREADS, read  # noqa: E402


class Items:
    name = "items"

    @http("GET", "/v1/items/<item_id>")
    def get_item(self, _: Request, item_id: str) -> Response:
        item = read(item_id)
        return Response(json.dumps(item), 200 if item else 404, content_type="application/json")


if __name__ == "__main__":
    runner = ServiceRunner({"WEB_SERVER_ADDRESS": f"{HOST}:{PORT}", "max_workers": THREADS})
    runner.add_service(Items)
    runner.start()
    runner.wait()
