"""Items as callers see them."""

from typing import ClassVar

from rest_framework import serializers

from ..runtime.serializers import StrictCharField, StrictModelSerializer
from .models import Item, no_control_characters


class ItemSerializer(StrictModelSerializer[Item]):
    """An item; whether its name is free is the database's to say, and a conflict if it is not."""

    id = serializers.UUIDField(source="uuid", read_only=True)
    name = StrictCharField(max_length=100, validators=[no_control_characters])

    class Meta:
        model = Item
        fields = ("id", "name", "quantity", "created_at", "updated_at")
        # What a PUT leaves out is not what it was before.
        extra_kwargs: ClassVar = {"quantity": {"default": 0}}
