"""Where the service is put together."""

import re

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from . import health
from .api import Resources
from .items import routes as items
from .runtime import NotFound
from .runtime.database import Database
from .runtime.http import PROBLEM_CONTENT_TYPE, Problem, problem_of
from .runtime.settings import Settings
from .runtime.wsgi import EXCHANGE, Edge, path_of


class Service(Flask):
    """Flask with paths taken literally, and with an answer to OPTIONS that has no body."""

    def __init__(self) -> None:
        super().__init__(__package__, static_folder=None)
        self.url_map.merge_slashes = False

    def make_default_options_response(self) -> Response:
        response = super().make_default_options_response()
        response.status_code = 204
        return response


def create_app(settings: Settings) -> Flask:
    """The application, as a factory: each call makes one that stands alone."""
    app = Service()
    app.extensions["database"] = Database(settings)
    app.register_blueprint(health.blueprint)
    items.add_resources(Resources(app))
    # A check of who may call goes here: app.before_request(your_check).
    app.before_request(name_route)
    app.register_error_handler(HTTPException, answer_http_exception)
    app.register_error_handler(Exception, answer_error)
    app.wsgi_app = Edge(app.wsgi_app, settings)  # type: ignore[method-assign]
    return app


def name_route() -> None:
    """Tell the metrics and the log which route matched, as the API's document writes it."""
    if request.path != path_of(request.environ):  # Werkzeug forgives a doubled first slash
        raise NotFound
    if request.url_rule is not None:
        request.environ[EXCHANGE].route = re.sub(r"<(\w+)>", r"{\1}", request.url_rule.rule)


def answer_http_exception(error: HTTPException) -> Response:
    """What Flask itself refuses, as a problem."""
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return answer_error(Problem(error.code or 500, headers=headers))


def answer_error(error: Exception) -> Response:
    """Any error, as a problem."""
    problem = problem_of(error)
    exchange = request.environ[EXCHANGE]
    return Response(
        problem.body(exchange.path, exchange.request_id),
        problem.status,
        problem.headers,
        content_type=PROBLEM_CONTENT_TYPE,
    )
