"""Tornado's own traceback page for unexpected errors, shown to browsers in development."""

from typing import Any

from tornado.web import HTTPError, RequestHandler

from .http import EXPECTED, problem_of
from .service import Handler, Service


def show_errors(app: Service) -> None:
    """Show it to clients that accept HTML."""
    app.settings["serve_traceback"] = True
    answer = Handler.write_error

    def answer_in_development(self: Handler, status_code: int, **kwargs: Any) -> None:
        error = self.translated(kwargs.get("exc_info", (None, HTTPError(status_code)))[1])
        accepts = "text/html" in self.request.headers.get("Accept", "")
        if accepts and not isinstance(error, (HTTPError, *EXPECTED)):
            problem_of(error)  # logs it
            RequestHandler.write_error(self, status_code, **kwargs)
        else:
            answer(self, status_code, **kwargs)

    Handler.write_error = answer_in_development  # type: ignore[method-assign]
