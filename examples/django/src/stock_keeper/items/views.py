"""Items over HTTP."""

from ..runtime.views import ResourceViewSet
from .models import Item
from .serializers import ItemSerializer


class ItemViewSet(ResourceViewSet[Item]):
    queryset = Item.objects.all()
    serializer_class = ItemSerializer
