"""Flask-RESTful, bare."""

from typing import Any

from flask import Flask, abort, request
from flask_restful import Api, Resource

from .granian_wsgi import serve
from .queries import LIVE, create, page, read


class Live(Resource):
    def get(self) -> dict[str, Any]:
        return LIVE


class Items(Resource):
    def get(self) -> dict[str, Any]:
        return page(request.query_string.decode())

    def post(self) -> tuple[dict[str, Any], int]:
        return create(request.get_json()), 201


class Item(Resource):
    def get(self, item_id: str) -> dict[str, Any]:
        return read(item_id) or abort(404)


application = Flask(__name__)
api = Api(application)
api.add_resource(Live, "/livez")
api.add_resource(Items, "/v1/items")
api.add_resource(Item, "/v1/items/<item_id>")

if __name__ == "__main__":
    serve("bare.flask_restful")
