"""The model of a product."""

from django.db import models

from ..runtime.models import ExactField, LineField, Record


class Product(Record):
    """A product."""

    sku = LineField(min_length=1, max_length=40, unique=True)
    name = LineField(min_length=1, max_length=100)
    price = ExactField(max_digits=10, decimal_places=2, null=True, blank=True)
    active = models.BooleanField(default=True)

    class Meta(Record.Meta):
        db_table = "products"
        indexes = (models.Index(fields=["active", "position"]),)

    def __str__(self) -> str:
        return self.sku
