"""Movements over HTTP."""

from ..runtime.views import ResourceViewSet
from .models import Movement
from .serializers import MovementSerializer


class MovementViewSet(ResourceViewSet[Movement]):
    queryset = Movement.objects.all()
    serializer_class = MovementSerializer
    filterset_fields = ("product_id", "reason")
    ordering_fields = ("moved_at",)
