"""What an item is, and how it is stored."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from ..runtime.models import LineField, Record


class Item(Record):
    """Something with a unique name and a quantity."""

    name = LineField(max_length=100, unique=True)
    quantity = models.IntegerField(
        default=0, validators=[MinValueValidator(0), MaxValueValidator(1_000_000)]
    )

    class Meta(Record.Meta):
        db_table = "items"

    def __str__(self) -> str:
        return self.name
