"""The page that shows an unexpected error to a browser in development: Sanic's."""

from typing import Any

from sanic import HTTPResponse, Request
from sanic.pages.error import ErrorPage

from .service import Service


def show_errors(app: Service) -> None:
    """Show it to clients that accept HTML."""
    answer: Any = app.error_handler.default

    def answer_in_development(request: Request, error: Exception) -> HTTPResponse:
        response: HTTPResponse = answer(request, error)
        if response.status == 500 and "text/html" in request.headers.get("Accept", ""):
            page = ErrorPage(True, "Internal Server Error", str(error), request, error)
            response = HTTPResponse(page.render(), 500, content_type="text/html; charset=utf-8")
        return response

    vars(app.error_handler)["default"] = answer_in_development
