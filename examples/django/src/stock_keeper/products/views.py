"""Products over HTTP."""

from ..runtime.views import ResourceViewSet
from .models import Product
from .serializers import ProductSerializer


class ProductViewSet(ResourceViewSet[Product]):
    queryset = Product.objects.all()
    serializer_class = ProductSerializer
    filterset_fields = ("active",)
