"""The views of a resource."""

import re
from copy import copy
from typing import Any, TypeVar

from django.db import router, transaction
from django.db.models import PROTECT
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from . import NotFound, StaleRevision
from .constraints import referring, still_referenced, storing
from .http import (
    check_json,
    entity_tag,
    idempotency_key,
    if_match,
    invalid,
    none_match,
    read_id,
)
from .idempotency import FirstRequest
from .models import Record
from .pagination import query_of
from .parsers import MERGE_PATCH
from .permissions import require_sync
from .serializers import merged_objects, sent_objects
from .service import current_service, route_of

Row = TypeVar("Row", bound=Record)

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class ResourceViewSet(GenericViewSet[Row]):
    """Lists, creates, reads, replaces, changes and deletes the rows of a queryset.

    The usual hooks of a viewset apply: permissions, including object permissions,
    `filter_backends`, `get_queryset`, `get_object`, and the `perform_` methods, which run in the
    transaction. `http_method_names` restricts the methods.
    """

    lookup_field = "uuid"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.queryset is not None and cls.lookup_url_kwarg is None:
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.queryset.model.__name__)
            cls.lookup_url_kwarg = f"{words.lower()}_id"

    def list(self, request: Request, **_: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def create(self, request: Request, **_: Any) -> Response:
        serializer = self._read_body()
        key = idempotency_key(request.headers.get("Idempotency-Key"))
        serializer.is_valid(raise_exception=True)
        first = key and FirstRequest(request.path, key, request.data, self._database)
        with storing(self._database) as write:
            if first and (earlier := first.response()) is not None:
                return earlier
            self.perform_create(serializer)
            write.row = serializer.instance
            if first:
                first.keep(self._answer_created(serializer))
        return self._answer_created(serializer)

    def retrieve(self, request: Request, **_: Any) -> Response:
        row = self.get_object()
        if none_match(request.headers.get("If-None-Match"), row.revision):
            return Response(status=304, headers={"ETag": entity_tag(row.revision)})
        return self._answer(self.get_serializer(row))

    def update(self, request: Request, **_: Any) -> Response:
        return self._change(self._read_body())

    def partial_update(self, request: Request, **_: Any) -> Response:
        return self._change(self._read_body(MERGE_PATCH, partial=True))

    def destroy(self, request: Request, **_: Any) -> Response:
        with storing(self._database) as write:
            row = self._expected_object()
            write.row, write.deletes = copy(row), True
            self.perform_destroy(row)
        return Response(status=204)

    def options(self, request: Any, *_: Any, **__: Any) -> Response:
        return Response(status=204)  # the framework sets Allow in every response

    def perform_create(self, serializer: BaseSerializer[Row]) -> None:
        serializer.save()

    def perform_update(self, serializer: BaseSerializer[Row]) -> None:
        serializer.save()

    def perform_destroy(self, row: Row) -> None:
        # Django itself would read all rows that refer to this one.
        if names := list(referring(row, self._database, PROTECT)):
            raise still_referenced(row, names)
        row.delete()

    def get_object(self) -> Row:
        """The row named by the path; locked if it is about to be changed in a transaction."""
        queryset = self.filter_queryset(self.get_queryset())
        text = self.kwargs[self.lookup_url_kwarg or self.lookup_field]
        key = {self.lookup_field: read_id(text) if self.lookup_field == "uuid" else text}
        reads = self.request.method in _SAFE
        if not reads and transaction.get_connection(queryset.db).in_atomic_block:
            if queryset.query.group_by is None and not queryset.query.distinct:
                queryset = queryset.select_for_update(of=("self",))
            else:  # a grouped query cannot lock its rows
                queryset.model._base_manager.select_for_update().filter(**key).first()
        try:
            row: Row = queryset.get(**key)
        except queryset.model.DoesNotExist:
            raise NotFound from None
        self.check_object_permissions(self.request, row)
        return row

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method in ("GET", "HEAD") and (self.detail is False or self.action == "list"):
            self._check_query(request)

    def check_permissions(self, request: Request) -> None:
        require_sync(self.get_permissions())
        super().check_permissions(request)

    @property
    def _database(self) -> str:
        return router.db_for_write(self.get_queryset().model)

    def _change(self, serializer: BaseSerializer[Row]) -> Response:
        # Invalid content is reported before the row is looked up.
        objects = sent_objects(serializer) if serializer.partial else {}
        sent: Any = self.request.data
        serializer.to_internal_value(
            {name: sent[name] for name in sent if name not in objects} if objects else sent
        )
        with storing(self._database) as write:
            row = serializer.instance = self._expected_object()
            if objects:
                serializer.initial_data = {**sent, **merged_objects(objects, sent, row)}
            serializer.is_valid(raise_exception=True)
            if not serializer.partial or _differs(row, serializer.validated_data):
                self.perform_update(serializer)
            write.row = serializer.instance
        return self._answer(serializer)

    def _read_body(self, *other_types: str, partial: bool = False) -> BaseSerializer[Row]:
        """A serializer with the data that the client sent, if it is JSON."""
        headers = self.request.headers
        sent = headers.get("Content-Type"), headers.get("Content-Encoding"), self.request.body
        check_json(*sent, *other_types)
        return self.get_serializer(data=self.request.data, partial=partial)

    def _expected_object(self) -> Row:
        """The row, if it has not changed since the client read it."""
        row = self.get_object()
        revisions = if_match(self.request.headers.get("If-Match"))
        if revisions is not None and row.revision not in revisions:
            name = row._meta.verbose_name
            raise StaleRevision(f"The {name} has changed since you read it.")
        return row

    def _check_query(self, request: Request) -> None:
        """Reject parameters that are not in the OpenAPI document."""
        sent = query_of(request)
        if sent:
            route = route_of(request._request)
            known = current_service().document.query_parameters(route, "get")
            for name in sent.keys() - known:
                raise invalid(name[:100], "There is no such parameter.")

    def _answer_created(self, serializer: BaseSerializer[Row]) -> Response:
        row: Any = serializer.instance
        # A nested route has the parameters of the routes that it is in.
        own = {self.lookup_url_kwarg or self.lookup_field: getattr(row, self.lookup_field)}
        location = self.reverse_action("detail", kwargs={**self.kwargs, **own}, request=None)
        return self._answer(serializer, 201, {"Location": location})

    def _answer(
        self,
        serializer: BaseSerializer[Row],
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Response:
        row: Any = serializer.instance
        return Response(
            serializer.data, status, headers={"ETag": entity_tag(row.revision)} | (headers or {})
        )


def _differs(row: Record, values: Any) -> bool:
    return any(getattr(row, name) != value for name, value in values.items())
