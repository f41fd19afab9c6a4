"""Products over messages: calls, and an event."""

from typing import Any

import structlog

from ..runtime.messaging import (
    event_handler,
    read_content,
    read_id,
    read_patch,
    read_query,
    rpc,
)
from ..runtime.service import store
from .model import PRODUCTS

_log = structlog.get_logger()


class Products:
    """The methods that other services call as `products`."""

    name = PRODUCTS.plural
    products = store(PRODUCTS)

    @rpc
    def create(self, **fields: Any) -> dict[str, Any]:
        """Create one; raises `Duplicate` or `Invalid`."""
        return PRODUCTS.show(self.products.create(read_content(PRODUCTS, fields)))

    @rpc
    def get(self, product_id: str) -> dict[str, Any]:
        """Return one; raises `NotFound`."""
        return PRODUCTS.show(self.products.get(read_id(product_id)))

    @rpc
    def list(self, **query: Any) -> dict[str, Any]:
        """Return a page of the list, with the parameters that the list has over HTTP."""
        return PRODUCTS.show_page(self.products.page(read_query(PRODUCTS, query)))

    @rpc
    def replace(self, product_id: str, **fields: Any) -> dict[str, Any]:
        """Replace one; raises `NotFound`, `Duplicate` or `Invalid`."""
        return PRODUCTS.show(
            self.products.replace(read_id(product_id), read_content(PRODUCTS, fields))
        )

    @rpc
    def patch(self, product_id: str, **fields: Any) -> dict[str, Any]:
        """Change some fields of one; raises `NotFound`, `Duplicate` or `Invalid`."""
        return PRODUCTS.show(self.products.patch(read_id(product_id), read_patch(PRODUCTS, fields)))

    @rpc
    def delete(self, product_id: str) -> None:
        """Delete one; raises `NotFound`."""
        self.products.delete(read_id(product_id))

    @event_handler(PRODUCTS.plural, "product_created")
    def on_product_created(self, event: dict[str, Any]) -> None:
        """An example of a handler. The same `event_id` may come twice."""
        _log.info("product_created", event_id=event["event_id"], product_id=event["product"]["id"])
