"""Products over HTTP: one class for the list, one for a row."""

from falcon import HTTP_204, Request, Response

from ..runtime.http import read_id
from ..runtime.service import (
    Service,
    answer,
    answer_page,
    read_content,
    read_key,
    read_patch,
    read_query,
    read_revisions,
)
from ..runtime.store import Store
from .model import PRODUCTS, Product, ProductContent


def add_routes(app: Service) -> None:
    products = Store(PRODUCTS, app.database)
    app.add_route(PRODUCTS.path, ProductList(products))
    app.add_route(PRODUCTS.path + "/{product_id}", SingleProduct(products))


class ProductList:
    def __init__(self, products: Store[Product, ProductContent]) -> None:
        self._products = products

    @PRODUCTS.lists
    def on_get(self, req: Request, resp: Response) -> None:
        answer_page(req, resp, PRODUCTS, self._products.page(read_query(req, PRODUCTS)))

    @PRODUCTS.creates
    def on_post(self, req: Request, resp: Response) -> None:
        content, idempotency_key = read_content(req, PRODUCTS), read_key(req)
        product = self._products.create(content, idempotency_key=idempotency_key)
        answer(req, resp, PRODUCTS, product, 201, location=PRODUCTS.path_of(product))


class SingleProduct:
    def __init__(self, products: Store[Product, ProductContent]) -> None:
        self._products = products

    @PRODUCTS.reads
    def on_get(self, req: Request, resp: Response, product_id: str) -> None:
        answer(req, resp, PRODUCTS, self._products.get(read_id(product_id)))

    @PRODUCTS.replaces
    def on_put(self, req: Request, resp: Response, product_id: str) -> None:
        content = read_content(req, PRODUCTS)
        product = self._products.replace(read_id(product_id), content, read_revisions(req))
        answer(req, resp, PRODUCTS, product)

    @PRODUCTS.patches
    def on_patch(self, req: Request, resp: Response, product_id: str) -> None:
        changes = read_patch(req, PRODUCTS)
        product = self._products.patch(read_id(product_id), changes, read_revisions(req))
        answer(req, resp, PRODUCTS, product)

    @PRODUCTS.deletes
    def on_delete(self, req: Request, resp: Response, product_id: str) -> None:
        self._products.delete(read_id(product_id), read_revisions(req))
        resp.status = HTTP_204
