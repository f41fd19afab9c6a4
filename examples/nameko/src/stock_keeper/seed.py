"""Rows that `stock-keeper seed` creates in an empty database: change them, or add your own."""

from .movements.model import MOVEMENTS
from .products.model import PRODUCTS
from .runtime.seeding import Seeds


def seed(seeds: Seeds) -> None:
    """Create a few rows of each resource that has none, all in one transaction."""
    seeds.fill(
        PRODUCTS,
        (
            {
                "sku": f"sku {number}",
                "name": "name",
                "price": "1.50",
                "active": True,
            }
            for number in range(1, 4)
        ),
    )
    seeds.fill(
        MOVEMENTS,
        (
            {
                "product_id": product_id,
                "quantity": 7,
                "reason": "bought",
                "moved_at": "2027-01-31T09:30:00.000000Z",
                "note": "note",
            }
            for product_id in seeds.ids(PRODUCTS, 3)
        ),
    )
