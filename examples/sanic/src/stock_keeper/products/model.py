"""The table that stores a product, and what a client may send."""

from decimal import Decimal
from typing import Annotated

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from ..runtime.content import Content, Digits, Line
from ..runtime.resource import Resource
from ..runtime.tables import Exact, Record


class Product(Record):
    """A product."""

    __tablename__ = "products"
    filters = ("active",)

    sku: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    price: Mapped[Decimal | None] = mapped_column(Exact(10, 2))
    active: Mapped[bool]


class ProductContent(Content):
    """What a client sends of a product."""

    sku: Annotated[str, Line(1, 40)]
    name: Annotated[str, Line(1, 100)]
    price: Annotated[Decimal, Digits(10, 2)] | None = None
    active: bool = True


PRODUCTS = Resource(Product, ProductContent)
