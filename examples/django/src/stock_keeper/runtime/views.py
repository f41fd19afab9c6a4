"""What every view of the API is made of."""

from typing import Any, TypeVar

from django.db.models import Model
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from .http import check_json

Stored = TypeVar("Stored", bound=Model)


class Endpoint(APIView):
    """A view that tells its methods to whom asks; Allow is in every answer of the framework."""

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        return Response(status=204)


class ResourceViewSet(Endpoint, GenericViewSet[Stored]):
    """The views of a resource whose bodies are JSON."""

    def valid_serializer(self) -> BaseSerializer[Stored]:
        """A serializer that holds what the caller has sent; a refusal if that is not valid."""
        request = self.request
        headers = request.headers
        check_json(headers.get("Content-Type"), headers.get("Content-Encoding"), request.body)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return serializer
