"""Products over HTTP."""

from werkzeug.wrappers import Request, Response

from ..runtime.http import read_id
from ..runtime.service import (
    answer,
    answer_page,
    read_content,
    read_key,
    read_patch,
    read_query,
    read_revisions,
    store,
)
from ..runtime.web import http
from .model import PRODUCTS


class ProductRoutes:
    """The service class for HTTP."""

    name = PRODUCTS.plural
    products = store(PRODUCTS)

    @http("GET", PRODUCTS.path)
    @PRODUCTS.lists
    def list_products(self, request: Request) -> Response:
        return answer_page(PRODUCTS, self.products.page(read_query(PRODUCTS, request)), request)

    @http("POST", PRODUCTS.path)
    @PRODUCTS.creates
    def create_product(self, request: Request) -> Response:
        content, idempotency_key = read_content(PRODUCTS, request), read_key(request)
        product = self.products.create(content, idempotency_key=idempotency_key)
        return answer(PRODUCTS, product, request, 201, location=PRODUCTS.path_of(product))

    @http("GET", PRODUCTS.path + "/<product_id>")
    @PRODUCTS.reads
    def get_product(self, request: Request, product_id: str) -> Response:
        return answer(PRODUCTS, self.products.get(read_id(product_id)), request)

    @http("PUT", PRODUCTS.path + "/<product_id>")
    @PRODUCTS.replaces
    def replace_product(self, request: Request, product_id: str) -> Response:
        content = read_content(PRODUCTS, request)
        product = self.products.replace(read_id(product_id), content, read_revisions(request))
        return answer(PRODUCTS, product, request)

    @http("PATCH", PRODUCTS.path + "/<product_id>")
    @PRODUCTS.patches
    def patch_product(self, request: Request, product_id: str) -> Response:
        changes = read_patch(PRODUCTS, request)
        product = self.products.patch(read_id(product_id), changes, read_revisions(request))
        return answer(PRODUCTS, product, request)

    @http("DELETE", PRODUCTS.path + "/<product_id>")
    @PRODUCTS.deletes
    def delete_product(self, request: Request, product_id: str) -> Response:
        self.products.delete(read_id(product_id), read_revisions(request))
        return Response(status=204)
