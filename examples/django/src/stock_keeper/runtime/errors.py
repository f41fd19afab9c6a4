"""Convert errors of Django and Django REST Framework to problems."""

import sys
from collections.abc import Iterator
from typing import Any, cast

from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db import Error, IntegrityError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.fields import get_error_detail
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from . import StillReferenced, Unavailable
from .constraints import explain
from .database import is_unavailable, notice
from .http import EXPECTED, PROBLEM_CONTENT_TYPE, Problem, invalid_body, problem_of
from .wsgi import CONTEXT


def handle_exception(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """The problem for an exception in a view; None if it is unexpected."""
    known = _known(error, context["request"])
    if known is None:
        return None
    set_rollback()
    return problem_response(context["request"], problem_of(known))


def answer_exception(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400, handler403 and handler404."""
    known = _known(exception, request)
    return problem_response(request, problem_of(known or Problem(400)))


def answer_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500."""
    error = sys.exc_info()[1]
    known = _known(error, request) if isinstance(error, Exception) else Problem(500)
    return problem_response(request, problem_of(known or cast(Exception, error)))


def problem_response(request: HttpRequest | Request, problem: Problem) -> HttpResponse:
    """A problem as a Django response."""
    context = request.META[CONTEXT]
    body = problem.body(context.path, context.request_id)
    return HttpResponse(body, PROBLEM_CONTENT_TYPE, problem.status, headers=problem.headers)


def _known(error: Exception, request: HttpRequest | Request) -> Exception | None:
    """The problem for an exception of Django or DRF; None for all others."""
    notice(error)
    found: Exception | None = error if isinstance(error, EXPECTED) else None
    match error:
        case Http404():
            found = Problem(404, _message(error))
        case PermissionDenied():
            found = Problem(403, _message(error))
        case BadRequest():
            found = Problem(400, _message(error))
        case ProtectedError() | RestrictedError():
            _, rows = error.args
            names = sorted({row._meta.db_table for row in rows})
            found = StillReferenced(f"It is still referred to by {' and '.join(names)}.")
        case IntegrityError():
            explained = explain(error)
            found = None if explained is error else explained
        case Error() if is_unavailable(error):
            found = Unavailable(str(error))
        case exceptions.ValidationError():
            found = _invalid(error, request)
        case ValidationError():  # of a model
            found = _invalid(exceptions.ValidationError(get_error_detail(error)), request)
        case exceptions.APIException():
            found = Problem(error.status_code, _text(error.detail), headers=_headers(error))
    return found


def _invalid(error: exceptions.ValidationError, request: HttpRequest | Request) -> Problem:
    found = list(_located(error.detail))
    if error.status_code != 400:  # a status chosen by the class
        return Problem(error.status_code, "; ".join(why for _, why in found))
    if request.method in ("GET", "HEAD"):
        return Problem(
            422,
            "The request is not valid.",
            errors=[("/".join(map(str, where)), why) for where, why in found],
        )
    return invalid_body(found)


def _message(error: Exception) -> str:
    """The message with which it was raised; Django's own reveal too much to clients."""
    return error.args[0] if error.args and isinstance(error.args[0], str) else ""


def _text(detail: Any) -> str:
    return detail if isinstance(detail, str) else "; ".join(why for _, why in _located(detail))


def _headers(error: exceptions.APIException) -> dict[str, str]:
    """The headers that Django REST Framework would send with the exception."""
    wait = getattr(error, "wait", None)
    found = {
        "WWW-Authenticate": getattr(error, "auth_header", None),
        "Retry-After": f"{wait:.0f}" if wait else None,
    }
    return {name: value for name, value in found.items() if value}


def _located(detail: Any, *where: int | str) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """The errors, each with its keys and indices."""
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
