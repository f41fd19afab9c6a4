"""Flask, bare."""

from typing import Any

from flask import Flask, abort, request

from .granian_wsgi import serve
from .queries import LIVE, create, page, read

application = Flask(__name__)


@application.get("/livez")
def live() -> dict[str, Any]:
    return LIVE


@application.get("/v1/items")
def list_items() -> dict[str, Any]:
    return page(request.query_string.decode())


@application.post("/v1/items")
def create_item() -> tuple[dict[str, Any], int]:
    return create(request.get_json()), 201


@application.get("/v1/items/<item_id>")
def get_item(item_id: str) -> dict[str, Any]:
    return read(item_id) or abort(404)


if __name__ == "__main__":
    serve("bare.flask")
