"""Werkzeug's page for unexpected errors, shown to browsers in development."""

from typing import Any, cast

from flask import Flask, Response, request
from werkzeug.debug import DebuggedApplication
from werkzeug.debug.tbtools import DebugTraceback

from .service import answer_error


def show_errors(app: Flask) -> None:
    """Show it to clients that accept HTML, without the console, which would run anybody's code."""
    files = DebuggedApplication(app.wsgi_app)

    def answer(error: Exception) -> Response:
        response = answer_error(error)
        if response.status_code == 500 and "text/html" in request.headers.get("Accept", ""):
            page = DebugTraceback(error).render_debugger_html(False, "", False)
            response = Response(page, 500, mimetype="text/html")
        return response

    def answer_file() -> Response | None:
        """The style sheet and the script of the page."""
        if request.args.get("__debugger__") != "yes" or "f" not in request.args:
            return None
        return cast(Response, files.get_resource(cast(Any, request), request.args["f"]))

    app.register_error_handler(Exception, answer)
    app.before_request(answer_file)
