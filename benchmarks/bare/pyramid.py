"""Pyramid, bare."""

from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request

from .granian_wsgi import serve
from .item import read


def get_item(request: Request) -> dict[str, Any]:
    item = read(request.matchdict["item_id"])
    if item is None:
        raise HTTPNotFound
    return item


with Configurator() as config:
    config.add_route("item", "/v1/items/{item_id}")
    config.add_view(get_item, route_name="item", renderer="json")
application = config.make_wsgi_app()

if __name__ == "__main__":
    serve("pyramid")
