"""Where the service is put together."""

from typing import TYPE_CHECKING, Any

import falcon
from falcon.routing import CompiledRouter

from . import health
from .items import routes as items
from .runtime.database import Database
from .runtime.http import PROBLEM_CONTENT_TYPE, Problem, problem_of
from .runtime.settings import Settings
from .runtime.wsgi import EXCHANGE, Edge

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Responders(dict[str, Any]):
    """What a resource answers, by method: HEAD wherever there is GET, and always OPTIONS.

    Every other method is refused, also one that nobody has heard of.
    """

    def __init__(self, own: dict[str, Any]) -> None:
        super().__init__(own, OPTIONS=self.tell_methods)
        if "GET" in own:
            self["HEAD"] = own["GET"]
        self.allowed = sorted(self)

    def __missing__(self, method: str) -> None:
        raise falcon.HTTPMethodNotAllowed(self.allowed)

    def tell_methods(self, req: falcon.Request, resp: falcon.Response, **_: str) -> None:
        resp.status = falcon.HTTP_204
        resp.set_header("Allow", ", ".join(self.allowed))


class Router(CompiledRouter):
    """Falcon's router with paths taken literally: no slash too many is forgiven."""

    def map_http_methods(self, resource: object, **options: Any) -> Any:
        return Responders(super().map_http_methods(resource, **options))

    def find(self, uri: str, req: falcon.Request | None = None) -> Any:
        if "//" in uri or uri.endswith("/"):
            return None
        return super().find(uri, req)


class RouteNames:
    """Middleware that tells the metrics and the log which route matched."""

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: object, params: dict[str, Any]
    ) -> None:
        req.env[EXCHANGE].route = req.uri_template


def create_app(settings: Settings, database: Database | None = None) -> "WSGIApplication":
    """The application, on a database of its own unless it is given one."""
    database = database or Database(settings)
    # A check of who may call is one more component of the middleware, behind this one.
    app = falcon.App(middleware=[RouteNames()], router=Router())
    app.add_error_handler(Exception, answer_error)
    app.add_error_handler(falcon.HTTPError, answer_http_error)
    health.add_routes(app, database)
    items.add_routes(app, database)
    return Edge(app, settings)


def answer_http_error(
    req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: dict[str, Any]
) -> None:
    """What Falcon itself refuses, as a problem."""
    problem = Problem(error.status_code, headers=dict(error.headers or {}))
    answer_error(req, resp, problem, params)


def answer_error(
    req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]
) -> None:
    """Any error, as a problem."""
    problem = problem_of(error)
    exchange = req.env[EXCHANGE]
    resp.status = problem.status
    resp.content_type = PROBLEM_CONTENT_TYPE
    resp.set_headers(problem.headers)
    resp.data = problem.body(exchange.path, exchange.request_id)
