"""Pyramid, bare."""

from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request

from .granian_wsgi import serve
from .queries import LIVE, create, page, read


def live(_: Request) -> dict[str, Any]:
    return LIVE


def list_items(request: Request) -> dict[str, Any]:
    return page(request.query_string)


def create_item(request: Request) -> dict[str, Any]:
    request.response.status_int = 201
    return create(request.json_body)


def get_item(request: Request) -> dict[str, Any]:
    item = read(request.matchdict["item_id"])
    if item is None:
        raise HTTPNotFound
    return item


with Configurator() as config:
    config.add_route("live", "/livez")
    config.add_route("items", "/v1/items")
    config.add_route("item", "/v1/items/{item_id}")
    config.add_view(live, route_name="live", renderer="json")
    config.add_view(list_items, route_name="items", request_method="GET", renderer="json")
    config.add_view(create_item, route_name="items", request_method="POST", renderer="json")
    config.add_view(get_item, route_name="item", renderer="json")
application = config.make_wsgi_app()

if __name__ == "__main__":
    serve("bare.pyramid")
