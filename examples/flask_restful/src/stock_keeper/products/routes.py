"""Products over HTTP: one resource for the list, one for a row."""

from flask import Response, url_for
from flask_restful import Api, Resource

from ..runtime.api import PageParser
from ..runtime.http import read_id
from ..runtime.service import (
    answer,
    answer_page,
    database,
    read_content,
    read_key,
    read_patch,
    read_revisions,
)
from ..runtime.store import Store
from .model import PRODUCTS, Product, ProductContent

page = PageParser(PRODUCTS)


def add_resources(api: Api) -> None:
    api.add_resource(ProductList, PRODUCTS.path, endpoint="products")
    api.add_resource(SingleProduct, PRODUCTS.path + "/<product_id>", endpoint="product")


def products() -> Store[Product, ProductContent]:
    return Store(PRODUCTS, database())


class ProductList(Resource):
    @PRODUCTS.lists
    def get(self) -> Response:
        return answer_page(PRODUCTS, products().page(page.parse_page()))

    @PRODUCTS.creates
    def post(self) -> Response:
        product = products().create(read_content(PRODUCTS), idempotency_key=read_key())
        return answer(PRODUCTS, product, 201, location=url_for("product", product_id=product.id))


class SingleProduct(Resource):
    @PRODUCTS.reads
    def get(self, product_id: str) -> Response:
        return answer(PRODUCTS, products().get(read_id(product_id)))

    @PRODUCTS.replaces
    def put(self, product_id: str) -> Response:
        content = read_content(PRODUCTS)
        return answer(PRODUCTS, products().replace(read_id(product_id), content, read_revisions()))

    @PRODUCTS.patches
    def patch(self, product_id: str) -> Response:
        changes = read_patch(PRODUCTS)
        return answer(PRODUCTS, products().patch(read_id(product_id), changes, read_revisions()))

    @PRODUCTS.deletes
    def delete(self, product_id: str) -> Response:
        products().delete(read_id(product_id), read_revisions())
        return Response(status=204)
