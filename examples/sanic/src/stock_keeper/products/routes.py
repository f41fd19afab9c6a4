"""Products over HTTP."""

from sanic import Blueprint, HTTPResponse, empty

from ..runtime.http import read_id
from ..runtime.service import (
    Request,
    answer,
    answer_page,
    read_content,
    read_key,
    read_patch,
    read_query,
    read_revisions,
)
from ..runtime.stream import StreamedStore
from ..runtime.websocket import stream_route
from .model import PRODUCTS, Product, ProductContent

blueprint = Blueprint("products", url_prefix=PRODUCTS.path)
stream_route(blueprint, PRODUCTS)


def products(request: Request) -> StreamedStore[Product, ProductContent]:
    return StreamedStore(PRODUCTS, request.app.database, request.app.stream)


@blueprint.get("")
@PRODUCTS.lists
async def list_products(request: Request) -> HTTPResponse:
    page = await request.app.in_thread(products(request).page, read_query(request, PRODUCTS))
    return answer_page(request, PRODUCTS, page)


@blueprint.post("")
@PRODUCTS.creates
async def create_product(request: Request) -> HTTPResponse:
    content, idempotency_key = read_content(request, PRODUCTS), read_key(request)
    product = await request.app.in_thread(
        products(request).create, content, idempotency_key=idempotency_key
    )
    location = request.app.url_for("products.get_product", product_id=product.id)
    return answer(request, PRODUCTS, product, 201, location)


@blueprint.get("/<product_id>")
@PRODUCTS.reads
async def get_product(request: Request, product_id: str) -> HTTPResponse:
    product = await request.app.in_thread(products(request).get, read_id(product_id))
    return answer(request, PRODUCTS, product)


@blueprint.put("/<product_id>")
@PRODUCTS.replaces
async def replace_product(request: Request, product_id: str) -> HTTPResponse:
    content, revisions = read_content(request, PRODUCTS), read_revisions(request)
    product = await request.app.in_thread(
        products(request).replace, read_id(product_id), content, revisions
    )
    return answer(request, PRODUCTS, product)


@blueprint.patch("/<product_id>")
@PRODUCTS.patches
async def patch_product(request: Request, product_id: str) -> HTTPResponse:
    changes, revisions = read_patch(request, PRODUCTS), read_revisions(request)
    product = await request.app.in_thread(
        products(request).patch, read_id(product_id), changes, revisions
    )
    return answer(request, PRODUCTS, product)


@blueprint.delete("/<product_id>")
@PRODUCTS.deletes
async def delete_product(request: Request, product_id: str) -> HTTPResponse:
    await request.app.in_thread(
        products(request).delete, read_id(product_id), read_revisions(request)
    )
    return empty()
