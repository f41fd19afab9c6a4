"""Items as clients see them."""

from ..runtime.serializers import ResourceSerializer
from .models import Item


class ItemSerializer(ResourceSerializer[Item]):
    class Meta:
        model = Item
        fields = ("id", "name", "quantity", "created_at", "updated_at")
