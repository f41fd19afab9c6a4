"""The page that shows an unexpected error to a browser in development: Django's."""

import sys
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.debug import ExceptionReporter

from . import errors, urls


def show_errors(_: Any) -> None:
    """Show it to clients that accept HTML."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = errors.answer_error(request)
        if response.status_code == 500 and "text/html" in request.headers.get("Accept", ""):
            page = ExceptionReporter(request, *sys.exc_info()).get_traceback_html()
            response = HttpResponse(page, status=500)
        return response

    urls.handler500 = answer
