"""Products as clients see them."""

from ..runtime.serializers import ResourceSerializer
from .models import Product


class ProductSerializer(ResourceSerializer[Product]):
    class Meta:
        model = Product
        fields = (
            "id",
            "sku",
            "name",
            "price",
            "active",
            "created_at",
            "updated_at",
        )
