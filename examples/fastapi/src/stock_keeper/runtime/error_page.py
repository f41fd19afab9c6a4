"""The page that shows an unexpected error to a browser in development: Starlette's."""

from fastapi import FastAPI, Request, Response
from starlette.middleware.errors import ServerErrorMiddleware

from . import errors


def show_errors(app: FastAPI) -> None:
    """Show it to clients that accept HTML."""
    answer, page = errors.answer_error, ServerErrorMiddleware(app)

    async def answer_in_development(request: Request, error: Exception) -> Response:
        response = await answer(request, error)
        if response.status_code == 500 and "text/html" in request.headers.get("Accept", ""):
            response = page.debug_response(request, error)
            response.status_code = 500
        return response

    errors.answer_error = answer_in_development
