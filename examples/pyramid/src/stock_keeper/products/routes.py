"""Products over HTTP: their routes, and a view for each method."""

from uuid import UUID

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from ..runtime.http import read_id
from ..runtime.service import (
    answer,
    answer_page,
    database,
    read_content,
    read_key,
    read_patch,
    read_query,
    read_revisions,
)
from ..runtime.store import Store
from .model import PRODUCTS, Product, ProductContent


def includeme(config: Configurator) -> None:
    config.add_resource("products", PRODUCTS.path, GET=list_products, POST=create_product)
    config.add_resource(
        "product",
        PRODUCTS.path + "/{product_id}",
        GET=get_product,
        PUT=replace_product,
        PATCH=patch_product,
        DELETE=delete_product,
    )


def products(request: Request) -> Store[Product, ProductContent]:
    return Store(PRODUCTS, database(request))


def product_id(request: Request) -> UUID:
    return read_id(request.matchdict["product_id"])


@PRODUCTS.lists
def list_products(request: Request) -> Response:
    return answer_page(request, PRODUCTS, products(request).page(read_query(request, PRODUCTS)))


@PRODUCTS.creates
def create_product(request: Request) -> Response:
    content, idempotency_key = read_content(request, PRODUCTS), read_key(request)
    product = products(request).create(content, idempotency_key=idempotency_key)
    location = request.route_path("product", product_id=product.id)
    return answer(request, PRODUCTS, product, 201, location=location)


@PRODUCTS.reads
def get_product(request: Request) -> Response:
    return answer(request, PRODUCTS, products(request).get(product_id(request)))


@PRODUCTS.replaces
def replace_product(request: Request) -> Response:
    content = read_content(request, PRODUCTS)
    product = products(request).replace(product_id(request), content, read_revisions(request))
    return answer(request, PRODUCTS, product)


@PRODUCTS.patches
def patch_product(request: Request) -> Response:
    changes = read_patch(request, PRODUCTS)
    product = products(request).patch(product_id(request), changes, read_revisions(request))
    return answer(request, PRODUCTS, product)


@PRODUCTS.deletes
def delete_product(request: Request) -> Response:
    products(request).delete(product_id(request), read_revisions(request))
    return Response(status=204)
