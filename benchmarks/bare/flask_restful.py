"""Flask-RESTful, bare."""

from typing import Any

from flask import Flask, abort
from flask_restful import Api, Resource

from .granian_wsgi import serve
from .item import read


class Item(Resource):
    def get(self, item_id: str) -> dict[str, Any]:
        return read(item_id) or abort(404)


application = Flask(__name__)
Api(application).add_resource(Item, "/v1/items/<item_id>")

if __name__ == "__main__":
    serve("flask_restful")
