"""What items are and how they are kept."""

import secrets
from typing import Any
from uuid import uuid4

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone

no_control_characters = RegexValidator(
    r"[\x00-\x1f\x7f-\x9f]", "It must not contain control characters.", inverse_match=True
)


class Item(models.Model):
    """A thing with a unique name and a quantity; `revision` is another one after each `save`."""

    # The order of the list; never used twice, so that a page walk can rely on it.
    position = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField("id", db_column="id", unique=True, default=uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True, validators=[no_control_characters])
    quantity = models.IntegerField(
        default=0, validators=[MinValueValidator(0), MaxValueValidator(1_000_000)]
    )
    revision = models.CharField(max_length=16, editable=False)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    class Meta:
        db_table = "items"
        ordering = ("position",)

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **options: Any) -> None:
        self.revision = secrets.token_hex(8)
        self.updated_at = timezone.now()
        if self._state.adding:
            self.created_at = self.updated_at
        super().save(*args, **options)
