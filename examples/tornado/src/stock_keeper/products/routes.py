"""Products over HTTP, and their changes over a WebSocket."""

from ..runtime.http import read_id
from ..runtime.service import Handler, route, stream_route
from ..runtime.stream import StreamedStore
from .model import PRODUCTS, Product, ProductContent


class ProductHandler(Handler):
    @property
    def products(self) -> StreamedStore[Product, ProductContent]:
        return StreamedStore(PRODUCTS, self.application.database, self.application.stream)


class Products(ProductHandler):
    @PRODUCTS.lists
    async def get(self) -> None:
        self.answer_page(
            PRODUCTS, await self.in_thread(self.products.page, self.read_query(PRODUCTS))
        )

    @PRODUCTS.creates
    async def post(self) -> None:
        content, idempotency_key = self.read_content(PRODUCTS), self.read_key()
        product = await self.in_thread(
            self.products.create, content, idempotency_key=idempotency_key
        )
        self.answer(PRODUCTS, product, 201, location=self.reverse_url("product", product.id))


class OneProduct(ProductHandler):
    @PRODUCTS.reads
    async def get(self, product_id: str) -> None:
        self.answer(PRODUCTS, await self.in_thread(self.products.get, read_id(product_id)))

    @PRODUCTS.replaces
    async def put(self, product_id: str) -> None:
        content, revisions = self.read_content(PRODUCTS), self.read_revisions()
        product = await self.in_thread(
            self.products.replace, read_id(product_id), content, revisions
        )
        self.answer(PRODUCTS, product)

    @PRODUCTS.patches
    async def patch(self, product_id: str) -> None:
        changes, revisions = self.read_patch(PRODUCTS), self.read_revisions()
        product = await self.in_thread(self.products.patch, read_id(product_id), changes, revisions)
        self.answer(PRODUCTS, product)

    @PRODUCTS.deletes
    async def delete(self, product_id: str) -> None:
        await self.in_thread(self.products.delete, read_id(product_id), self.read_revisions())
        self.set_status(204)


routes = [
    stream_route(PRODUCTS),
    route(PRODUCTS.path, Products),
    route(PRODUCTS.path + "/{product_id}", OneProduct, name="product"),
]
