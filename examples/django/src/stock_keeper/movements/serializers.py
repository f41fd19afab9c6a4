"""Movements as clients see them."""

from ..runtime.serializers import ResourceSerializer
from .models import Movement


class MovementSerializer(ResourceSerializer[Movement]):
    class Meta:
        model = Movement
        fields = (
            "id",
            "product_id",
            "quantity",
            "reason",
            "moved_at",
            "note",
            "created_at",
            "updated_at",
        )
