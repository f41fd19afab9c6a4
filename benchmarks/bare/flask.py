"""Flask, bare."""

from typing import Any

from flask import Flask, abort

from .granian_wsgi import serve
from .item import read

application = Flask(__name__)


@application.get("/v1/items/<item_id>")
def get_item(item_id: str) -> dict[str, Any]:
    return read(item_id) or abort(404)


if __name__ == "__main__":
    serve("flask")
