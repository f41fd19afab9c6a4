"""Where the service is put together: Django inside, the Edge around it."""

import logging
import re
from typing import TYPE_CHECKING

from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from .runtime.database import Database, bounded
from .runtime.http import BODILESS
from .runtime.settings import Settings
from .runtime.wsgi import EXCHANGE, Edge

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# `<str:item_id>`, and the admin's own `(?P<url>.*)$`.
_PARAMETER = re.compile(r"(?:\(\?P)?<(?:\w+:)?(\w+)>(?:[^)/]*\)\$?)?")


class Service(WSGIHandler):
    """Django, with a deadline for all that a request asks of the database."""

    def __init__(self, database_seconds: float) -> None:
        super().__init__()
        self._database_seconds = database_seconds

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        try:
            with bounded(self._database_seconds):
                response = super().get_response(request)
        finally:
            name_route(request)
        if isinstance(response, HttpResponse) and response.status_code not in BODILESS:
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response


def create_app(settings: Settings) -> "WSGIApplication":
    """The application. Django has one set of settings in a process; these are its database's."""
    Database(settings)
    # The Edge logs each request once.
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    return Edge(Service(settings.database_timeout_seconds), settings)


def name_route(request: HttpRequest) -> None:
    """Tell the metrics and the log which route matched, as the API's document writes it."""
    if request.resolver_match is not None:
        route = _PARAMETER.sub(r"{\1}", request.resolver_match.route)
        request.META[EXCHANGE].route = f"/{route}"
