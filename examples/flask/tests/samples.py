"""Content for each resource, as a client sends it; unique fields differ each time."""

from collections.abc import Callable
from itertools import count
from typing import Any

import httpx

Sample = Callable[[httpx.Client], dict[str, Any]]
_numbers = count()


def product_content(client: httpx.Client) -> dict[str, Any]:
    """The content of a product."""
    number = next(_numbers)
    return {
        "sku": f"sku {number}",
        "name": "name",
        "price": "1.50",
        "active": True,
    }


def movement_content(client: httpx.Client) -> dict[str, Any]:
    """The content of a movement."""
    return {
        "product_id": some_id(client, "products", product_content),
        "quantity": 7,
        "reason": "bought",
        "moved_at": "2027-01-31T09:30:00.000000Z",
        "note": "note",
    }


def new_id(client: httpx.Client, plural: str, sample: Sample) -> str:
    """The ID of a newly created row."""
    created: dict[str, str] = client.post(f"/v1/{plural}", json=sample(client)).json()
    return created["id"]


def some_id(client: httpx.Client, plural: str, sample: Sample) -> str:
    """The ID of the first row of a list, created if there is none."""
    rows: list[dict[str, str]] = client.get(f"/v1/{plural}", params={"limit": 1}).json()[plural]
    return rows[0]["id"] if rows else new_id(client, plural, sample)
