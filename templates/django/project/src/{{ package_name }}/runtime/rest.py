"""What REST_FRAMEWORK in `settings` names: how requests are read, pages cut, errors answered."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from pydantic_core import from_json
from rest_framework import exceptions
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import BasePagination
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from .http import PROBLEM_CONTENT_TYPE, Problem, cursor_after, invalid_body, not_json, read_page
from .wsgi import EXCHANGE


class StrictJSONParser(BaseParser):
    """JSON in UTF-8, bounded in its depth and in the length of its numbers."""

    media_type = "application/json"

    def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
        try:
            return from_json(stream.read())
        except ValueError:
            raise not_json() from None


class JSONOnly(DefaultContentNegotiation):
    """There is one kind of answer, whatever the caller accepts."""

    def select_renderer(self, request: Request, renderers: Any, *_: Any, **__: Any) -> Any:
        return renderers[0], renderers[0].media_type


class CursorPages(BasePagination):
    """Pages in the order of primary keys, which stays right while others are added."""

    _path: str
    _limit: int
    _cursor: str | None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        page = read_page(request.META["QUERY_STRING"])
        rows = queryset.order_by("pk").filter(pk__gt=page.after)[: page.limit + 1]
        found = list(rows)
        more = len(found) > page.limit
        del found[page.limit :]
        self._path, self._limit = request.path, page.limit
        self._cursor = cursor_after(found[-1].pk) if more else None
        return found

    def get_paginated_response(self, data: Any) -> Response:
        name = self._path.rpartition("/")[2]  # /v1/items: the list is called items
        response = Response({name: data, "next_cursor": self._cursor})
        if self._cursor:
            following = f"{self._path}?limit={self._limit}&cursor={self._cursor}"
            response["Link"] = f'<{following}>; rel="next"'
        return response


def answer_error(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """What the framework itself refuses, as a problem; any other error is the Edge's to answer."""
    match error:
        case Http404():
            error = exceptions.NotFound()
        case PermissionDenied():
            error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.ValidationError):
        return problem_response(context["request"], invalid_body(_located(error.detail)))
    if not isinstance(error, exceptions.APIException):
        return None
    headers = {"WWW-Authenticate": getattr(error, "auth_header", None)}
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = f"{wait:.0f}"
    sent = {name: value for name, value in headers.items() if value}
    problem = Problem(error.status_code, str(error.detail), headers=sent)
    return problem_response(context["request"], problem)


def answer_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's answer to a path that nothing stands at."""
    return problem_response(request, Problem(404))


def answer_bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's answer to a request that is suspicious."""
    return problem_response(request, Problem(400))


def problem_response(request: HttpRequest | Request, problem: Problem) -> HttpResponse:
    """A problem as Django's response."""
    exchange = request.META[EXCHANGE]
    body = problem.body(exchange.path, exchange.request_id)
    return HttpResponse(body, PROBLEM_CONTENT_TYPE, problem.status, headers=problem.headers)


def _located(detail: Any, *where: int | str) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """What is wrong, each with the keys and indices that lead to it."""
    if isinstance(detail, dict):
        for key, inner in detail.items():
            own = key == api_settings.NON_FIELD_ERRORS_KEY
            yield from _located(inner, *where, *(() if own else (key,)))
    elif isinstance(detail, list) and not all(isinstance(inner, str) for inner in detail):
        for index, inner in enumerate(detail):
            yield from _located(inner, *where, index)
    else:
        for why in detail if isinstance(detail, list) else [detail]:
            yield where, str(why)
