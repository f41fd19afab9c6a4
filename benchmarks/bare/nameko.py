"""Nameko, bare: its own server and container, and psycopg's wait made green."""

import os

import eventlet

eventlet.monkey_patch()
os.environ["PSYCOPG_WAIT_FUNC"] = "wait_select"

import json  # noqa: E402  only after the patch

from nameko.runners import ServiceRunner  # noqa: E402
from nameko.web.handlers import http  # noqa: E402
from werkzeug.wrappers import Request, Response  # noqa: E402

from .environment import HOST, PORT, THREADS  # noqa: E402
from .queries import LIVE, create, page, read  # noqa: E402


def as_json(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


class Items:
    name = "items"

    @http("GET", "/livez")
    def live(self, _: Request) -> Response:
        return as_json(LIVE)

    @http("GET", "/v1/items")
    def list_items(self, request: Request) -> Response:
        return as_json(page(request.query_string.decode()))

    @http("POST", "/v1/items")
    def create_item(self, request: Request) -> Response:
        return as_json(create(json.loads(request.get_data())), 201)

    @http("GET", "/v1/items/<item_id>")
    def get_item(self, _: Request, item_id: str) -> Response:
        item = read(item_id)
        return as_json(item, 200 if item else 404)


if __name__ == "__main__":
    runner = ServiceRunner({"WEB_SERVER_ADDRESS": f"{HOST}:{PORT}", "max_workers": THREADS})
    runner.add_service(Items)
    runner.start()
    runner.wait()
