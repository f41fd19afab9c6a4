"""The model of a movement."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from ..runtime.models import LinesField, Record


class MovementReason(models.TextChoices):
    """What `reason` may be."""

    BOUGHT = "bought"
    SOLD = "sold"
    COUNTED = "counted"


class Movement(Record):
    """A movement."""

    product = models.ForeignKey("products.Product", models.PROTECT, to_field="uuid")
    quantity = models.IntegerField(
        validators=[MinValueValidator(-100_000), MaxValueValidator(100_000)]
    )
    reason = models.CharField(max_length=7, choices=MovementReason, default=MovementReason.COUNTED)
    moved_at = models.DateTimeField()
    note = LinesField(min_length=0, max_length=1_000, null=True)

    class Meta(Record.Meta):
        db_table = "movements"
        indexes = (
            models.Index(fields=["product", "position"]),
            models.Index(fields=["reason", "position"]),
            models.Index(fields=["moved_at", "position"]),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(reason__in=MovementReason.values), name="movements_reason"
            ),
        )

    def __str__(self) -> str:
        return str(self.uuid)
