"""Where the service is put together."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator
from pyramid.exceptions import URLDecodeError
from pyramid.httpexceptions import HTTPError
from pyramid.request import Request
from pyramid.response import Response
from pyramid.router import Router
from webob.response import EmptyResponse

from .runtime import NotFound
from .runtime.database import Database
from .runtime.http import PROBLEM_CONTENT_TYPE, Problem, problem_of
from .runtime.settings import Settings
from .runtime.wsgi import EXCHANGE, Edge
from .security import Anyone

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

View = Callable[[Request], Any]


def create_app(
    settings: Settings, database: Database | None = None, policy: Anyone | None = None
) -> "WSGIApplication":
    """The application, on a database of its own unless it is given one."""
    config = Configurator(settings={"database": database or Database(settings)})
    config.set_security_policy(policy or Anyone())
    config.set_execution_policy(execute)
    config.add_directive("add_resource", add_resource)
    config.add_exception_view(answer_http_error, context=HTTPError)
    config.add_exception_view(answer_undecodable_path, context=URLDecodeError)
    config.add_exception_view(answer_error, context=Exception)
    config.include(".health")
    config.include(".items.routes")
    return Edge(config.make_wsgi_app(), settings)


def add_resource(
    config: Configurator, name: str, pattern: str, *, guarded: bool = True, **views: View
) -> None:
    """`config.add_resource`: a route with a view for each method; what else is asked is refused.

    Where it is guarded, its views ask the policy for the permission "read" (GET) or "write".
    """
    config.add_route(name, pattern)
    allowed = ", ".join(sorted({*views, "HEAD", "OPTIONS"} if "GET" in views else views))
    for method, view in views.items():
        permission = ("read" if method == "GET" else "write") if guarded else None
        config.add_view(
            view, route_name=name, request_method=method, permission=permission, renderer="json"
        )
    config.add_view(partial(tell_methods, allowed), route_name=name, request_method="OPTIONS")
    config.add_view(partial(refuse_method, allowed), route_name=name)


def tell_methods(allowed: str, request: Request) -> Response:
    return Response(status=204, headerlist=[("Allow", allowed)])


def refuse_method(allowed: str, request: Request) -> Response:
    raise Problem(405, headers={"Allow": allowed})


def execute(environ: "WSGIEnvironment", router: Router) -> "WSGIApplication":
    """Pyramid's own way through a request, but for what a caller could make of it.

    A route would match a line feed behind its path too, and X-Vhm-Root would move the root.
    """
    if environ["PATH_INFO"].endswith("\n"):
        raise NotFound
    environ.pop("HTTP_X_VHM_ROOT", None)
    # A body is in memory already; WebOb would copy it to a file.
    environ["webob.is_body_seekable"] = bool(environ.get("CONTENT_LENGTH"))
    with router.request_context(environ) as request:
        response = router.invoke_request(request)
        if request.matched_route is not None:
            environ[EXCHANGE].route = request.matched_route.pattern
    return partial(send, response)


def send(
    response: Response, environ: "WSGIEnvironment", start_response: "StartResponse"
) -> Iterable[bytes]:
    """The response as it is: WebOb itself would make a relative Location absolute."""
    start_response(response.status, response.headerlist)
    body: Iterable[bytes] = response.app_iter
    return EmptyResponse(body) if environ["REQUEST_METHOD"] == "HEAD" else body


def answer_http_error(error: HTTPError, request: Request) -> Response:
    """What Pyramid itself refuses, as a problem."""
    return answer_error(Problem(error.code), request)


def answer_undecodable_path(error: URLDecodeError, request: Request) -> Response:
    """A path that is not UTF-8 leads nowhere."""
    return answer_error(NotFound(), request)


def answer_error(error: Exception, request: Request) -> Response:
    """Any error, as a problem."""
    problem = problem_of(error)
    exchange = request.environ[EXCHANGE]
    body = problem.body(exchange.path, exchange.request_id)
    response = Response(body, status=problem.status.value, content_type=PROBLEM_CONTENT_TYPE)
    response.headers.update(problem.headers)
    return response
