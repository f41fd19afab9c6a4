"""Items over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from ..runtime import Duplicate, NotFound, Outdated
from ..runtime.http import entity_tag, if_match, none_match, read_id
from ..runtime.views import ResourceViewSet
from .models import Item
from .serializers import ItemSerializer


class ItemViewSet(ResourceViewSet[Item]):
    queryset = Item.objects.all()
    serializer_class = ItemSerializer
    lookup_url_kwarg = "item_id"

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def create(self, request: Request) -> Response:
        serializer = self.valid_serializer()
        with storing():
            item = serializer.save()
        location = reverse("item-detail", [item.uuid])
        return self.answer(item, serializer.data, 201, Location=location)

    def retrieve(self, request: Request, item_id: str) -> Response:
        item = self.find(item_id)
        if none_match(request.headers.get("If-None-Match"), item.revision):
            return Response(status=304, headers={"ETag": entity_tag(item.revision)})
        return self.answer(item, self.get_serializer(item).data)

    def update(self, request: Request, item_id: str) -> Response:
        serializer = self.valid_serializer()
        with storing():
            serializer.instance = self.find_expected(item_id)
            item = serializer.save()
        return self.answer(item, serializer.data)

    def destroy(self, request: Request, item_id: str) -> Response:
        with storing():
            self.find_expected(item_id).delete()
        return Response(status=204)

    def find(self, item_id: str, *, lock: bool = False) -> Item:
        queryset = self.get_queryset().select_for_update() if lock else self.get_queryset()
        try:
            return queryset.get(uuid=read_id(item_id))
        except Item.DoesNotExist:
            raise NotFound from None

    def find_expected(self, item_id: str) -> Item:
        """The item, locked until the transaction ends, if it is still what the caller has seen."""
        item = self.find(item_id, lock=True)
        revisions = if_match(self.request.headers.get("If-Match"))
        if revisions is not None and item.revision not in revisions:
            raise Outdated("The item was changed since you read it.")
        return item

    def answer(self, item: Item, shown: Any, status: int = 200, **headers: str) -> Response:
        headers["ETag"] = entity_tag(item.revision)
        return Response(shown, status, headers=headers)


@contextmanager
def storing() -> Iterator[None]:
    """A transaction: stored when the block ends, undone when it raises."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise Duplicate("Another item has this name.") from error
