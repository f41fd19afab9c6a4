"""Products over HTTP."""

from flask import Blueprint, Response, url_for

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

blueprint = Blueprint("products", __name__, url_prefix=PRODUCTS.path)


def products() -> Store[Product, ProductContent]:
    return Store(PRODUCTS, database())


@blueprint.get("")
@PRODUCTS.lists
def list_products() -> Response:
    return answer_page(PRODUCTS, products().page(read_query(PRODUCTS)))


@blueprint.post("")
@PRODUCTS.creates
def create_product() -> Response:
    product = products().create(read_content(PRODUCTS), idempotency_key=read_key())
    return answer(PRODUCTS, product, 201, location=url_for(".get_product", product_id=product.id))


@blueprint.get("/<product_id>")
@PRODUCTS.reads
def get_product(product_id: str) -> Response:
    return answer(PRODUCTS, products().get(read_id(product_id)))


@blueprint.put("/<product_id>")
@PRODUCTS.replaces
def replace_product(product_id: str) -> Response:
    content = read_content(PRODUCTS)
    return answer(PRODUCTS, products().replace(read_id(product_id), content, read_revisions()))


@blueprint.patch("/<product_id>")
@PRODUCTS.patches
def patch_product(product_id: str) -> Response:
    changes = read_patch(PRODUCTS)
    return answer(PRODUCTS, products().patch(read_id(product_id), changes, read_revisions()))


@blueprint.delete("/<product_id>")
@PRODUCTS.deletes
def delete_product(product_id: str) -> Response:
    products().delete(read_id(product_id), read_revisions())
    return Response(status=204)
