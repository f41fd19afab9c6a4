"""The Pyramid application that a service is built on, and what its views use."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from functools import cache, cached_property, partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pyramid.config import Configurator
from pyramid.events import NewRequest
from pyramid.exceptions import ConfigurationError, PredicateMismatch, URLDecodeError
from pyramid.httpexceptions import HTTPError, HTTPException, HTTPNotFound
from pyramid.interfaces import IExecutionPolicy, IRoutesMapper, ISecurityPolicy
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.router import Router
from pyramid.security import Denied
from pyramid.static import static_view
from pyramid.tweens import EXCVIEW
from webob.response import EmptyResponse

from . import NotFound
from .content import Content
from .database import Database
from .document import ApiDocument, Route
from .endpoints import Endpoints
from .health import Check, Checks
from .http import (
    JSON_CONTENT_TYPE,
    PROBLEM_CONTENT_TYPE,
    Problem,
    entity_tag,
    idempotency_key,
    if_match,
    none_match,
    problem_of,
)
from .resource import Page, PageRequest, Resource
from .settings import load_settings
from .tables import Record
from .wsgi import CONTEXT, REJECTED, ServiceMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from ..settings import Settings

Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)
View = Callable[[Request], Any]

_PARAMETER = re.compile(r"\{(\w+)(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}|[*:](\w+)")
_POLICY: Final = ("permits", "identity", "authenticated_userid")


def configure(settings: "Settings | None" = None, checks: Iterable[Check] = ()) -> Configurator:
    """Create a configurator whose `make_wsgi_app` returns a service.

    The service's own configuration is included, and yours takes precedence over it.
    """
    config = _Configurator(package=__name__.partition(".")[0])
    config.registry.service = Service(settings or load_settings(), config.registry, checks)
    config.registry.registerUtility(_execute, IExecutionPolicy)
    config.include(_include)
    return config


class Service:
    """Pyramid's router with the service's endpoints, settings and database."""

    router: Router

    def __init__(self, settings: "Settings", registry: Registry, checks: Iterable[Check]) -> None:
        self.settings = settings
        self.database = Database(settings)
        self.document = ApiDocument(self.routes, self.settings.root_path)
        self.registry = registry
        endpoints = Endpoints(Checks(self.database.checks, checks), self.document)
        self._middleware = ServiceMiddleware(self._handle, settings, endpoints)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        return self._middleware(environ, start_response)

    def _handle(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        environ.pop("HTTP_X_VHM_ROOT", None)  # it would move the root of all paths
        # The body is already in memory; WebOb would copy it to a file.
        environ["webob.is_body_seekable"] = bool(environ.get("CONTENT_LENGTH"))
        body: Iterable[bytes] = self.router(environ, start_response)
        return body

    def routes(self) -> Iterator[Route]:
        """Every method of every route, for the OpenAPI document."""
        mapper = self.registry.queryUtility(IRoutesMapper)
        for route in mapper.get_routes() if mapper else ():
            for method, view in sorted(self._views.get(route.name, {}).items()):
                if method not in ("HEAD", "OPTIONS") and not isinstance(view, static_view):
                    yield Route(method or "GET", _template(route.pattern), view)

    def methods(self, route_name: str) -> Set[str]:
        """The methods that the views of a route accept; "" stands for any."""
        return self._views.get(route_name, {}).keys()

    @cached_property
    def _views(self) -> Mapping[str, Mapping[str, View]]:
        """The views by route and method; the method is "" for a view that accepts any."""
        found: dict[str, dict[str, View]] = defaultdict(dict)
        for entry in self.registry.introspector.get_category("views") or ():
            view = entry["introspectable"]
            attribute = view["attr"]
            handler = getattr(view["callable"], attribute) if attribute else view["callable"]
            for method in _methods(view["request_methods"]):
                found[view["route_name"]].setdefault(method, handler)
        return found


class _Configurator(Configurator):  # type: ignore[misc]  # it has no types
    def make_wsgi_app(self) -> Service:
        service: Service = self.registry.service
        service.router = super().make_wsgi_app()
        service.router.handle_request = _answering(service.router.handle_request)
        return service


def _include(config: Configurator) -> None:
    config.add_directive("add_resource", add_resource)
    config.add_tween(f"{__name__}.enter", under=EXCVIEW)
    config.add_exception_view(_answer_http_error, context=HTTPError)
    config.add_exception_view(_answer_undecodable_path, context=URLDecodeError)
    config.add_exception_view(_answer_error, context=Exception)
    config.set_default_permission("write")
    config.action(None, partial(_reject_coroutines, config.registry), order=1000)


def _methods(given: str | Iterable[str] | None) -> tuple[str, ...]:
    methods = (given,) if isinstance(given, str) else tuple(given or ("",))
    return (*methods, "HEAD") if "GET" in methods else methods


def service(request: Request) -> Service:
    """The service that handles the request."""
    found: Service = request.registry.service
    return found


def database(request: Request) -> Database:
    """The service's database."""
    return service(request).database


def add_resource(
    config: Configurator,
    name: str,
    pattern: str,
    *,
    read: str = "read",
    write: str = "write",
    **views: View,
) -> None:
    """Add a route with a view for each method: `config.add_resource`.

    The views respond in JSON. Each requires a permission from the security policy: `read` for GET,
    `write` for all other methods.
    """
    config.add_route(name, pattern)
    for method, view in views.items():
        config.add_view(
            view,
            route_name=name,
            request_method=method,
            permission=read if method == "GET" else write,
            renderer="json",
        )


def read_query(request: Request, resource: Resource[Row, Sent]) -> PageRequest:
    """The page requested by the query string."""
    return resource.read_query(request.query_string)


def read_content(request: Request, resource: Resource[Row, Sent]) -> Sent:
    """Parse the request's body as the content of a resource."""
    headers = request.headers
    sent = headers.get("Content-Type"), headers.get("Content-Encoding"), request.body
    key = headers.get("Idempotency-Key") if request.method == "POST" else None
    return resource.read(*sent, key)


def read_patch(request: Request, resource: Resource[Row, Sent]) -> dict[str, Any]:
    """Parse the request's body as a merge patch: the fields that it sets."""
    headers = request.headers
    return resource.read_patch(
        headers.get("Content-Type"), headers.get("Content-Encoding"), request.body
    )


def read_key(request: Request) -> str | None:
    """The request's Idempotency-Key, if it has one."""
    return idempotency_key(request.headers.get("Idempotency-Key"))


def read_revisions(request: Request) -> frozenset[str] | None:
    """The revisions that the request's If-Match permits; None if any will do."""
    return if_match(request.headers.get("If-Match"))


def answer(
    request: Request,
    resource: Resource[Row, Sent],
    row: Row,
    status: int = 200,
    *,
    location: str | None = None,
) -> Response:
    """A row with its entity tag, or 304 if the client has it already."""
    tag = entity_tag(row.revision)
    if request.method in ("GET", "HEAD") and none_match(
        request.headers.get("If-None-Match"), row.revision
    ):
        return Response(status=304, headerlist=[("ETag", tag)])
    response = request.response
    if status != 200:
        response.status = status
    response.headerlist.append(("ETag", tag))
    if location is not None:
        response.headerlist.append(("Location", location))
    return _with_body(response, resource.encode(row))


def answer_page(request: Request, resource: Resource[Row, Sent], page: Page[Row]) -> Response:
    """A page of a list, with the link to the next one."""
    if link := page.link(request.path):
        request.response.headers["Link"] = link
    return _with_body(request.response, resource.encode_page(page))


def _with_body(response: Response, body: bytes) -> Response:
    response.content_type = JSON_CONTENT_TYPE
    response.body = body
    return response


def _answering(handle: View) -> View:
    """Let exception views handle the errors of all tweens, including those outside them."""

    def answered(request: Request) -> Response:
        try:
            return handle(request)
        except Exception:
            return request.invoke_exception_view(reraise=True)

    return answered


def _execute(environ: "WSGIEnvironment", router: Router) -> "WSGIApplication":
    """Pyramid's execution policy, with relative URLs."""
    with router.request_context(environ) as request:
        return partial(_send, router.invoke_request(request))


def _send(
    response: Response, environ: "WSGIEnvironment", start_response: "StartResponse"
) -> Iterable[bytes]:
    """Send a response; WebOb itself would make a relative Location absolute."""
    body: Iterable[bytes]
    if getattr(response, "conditional_response", True):  # such as a file, with its ranges
        body = response(environ, start_response)
        return body
    if isinstance(response, HTTPException):
        response.prepare(environ)
    start_response(response.status, response.headerlist)
    body = response.app_iter
    return EmptyResponse(body) if environ["REQUEST_METHOD"] == "HEAD" else body


@cache
def _template(pattern: str) -> str:
    """A path with its parameters in the format of the OpenAPI document."""
    named = _PARAMETER.sub(lambda found: "{" + (found[1] or found[2]) + "}", pattern)
    return "/" + named.removeprefix("/")


def enter(handler: View, registry: Registry) -> View:
    """The innermost tween: it raises what the middleware has rejected, and errors of views.

    This way other tweens, subscribers and response callbacks see the response.
    """

    def tween(request: Request) -> Response:
        environ = request.environ
        if (rejected := environ.get(REJECTED)) is not None:
            registry.notify(NewRequest(request))
            raise rejected
        if environ["PATH_INFO"].endswith("\n"):  # a route's pattern would match
            raise NotFound
        try:
            response = handler(request)
        finally:
            if request.matched_route is not None:
                environ[CONTEXT].route = _template(request.matched_route.pattern)
        if isinstance(response, HTTPError):
            raise response
        return response

    return tween


def _reject_coroutines(registry: Registry) -> None:
    """Reject coroutine functions, which Pyramid would call but never await."""
    policy = registry.queryUtility(ISecurityPolicy)
    found = [getattr(policy, name, None) for name in _POLICY]
    for category, key in (("views", "callable"), ("subscribers", "subscriber")):
        entries = registry.introspector.get_category(category) or ()
        found += [entry["introspectable"][key] for entry in entries]
    for function in found:
        if iscoroutinefunction(function):
            raise ConfigurationError(f"{function} is a coroutine function; nothing awaits it")


def _answer_http_error(error: HTTPError, request: Request) -> Response:
    """Convert Pyramid's own errors, keeping their status, detail and headers."""
    if error.has_body:
        return error
    route = getattr(request, "matched_route", None)
    if isinstance(error, HTTPNotFound) and route is not None:
        methods = service(request).methods(route.name)
        if not methods & {request.method, ""}:
            return _answer_other_method(request, methods)
    own = not type(error).__module__.startswith("pyramid.")
    members = {"title": error.title} if own else None
    said = _said(error, request) or (error.explanation if own else "")
    response = _answer_error(Problem(error.status_int, said, members=members), request)
    response.headerlist.extend(
        (name, value)
        for name, value in error.headerlist
        if name.lower() not in ("content-type", "content-length")
    )
    return response


def _answer_other_method(request: Request, methods: Iterable[str]) -> Response:
    headers = {"Allow": ", ".join(sorted({*methods, "OPTIONS"}))}
    if request.method == "OPTIONS":
        return Response(status=204, headerlist=list(headers.items()))
    return _answer_error(Problem(405, headers=headers), request)


def _said(error: HTTPError, request: Request) -> str:
    """The detail for the client; Pyramid's own messages name views and paths."""
    denial = getattr(error, "result", None)
    if denial is not None:
        return denial.msg if type(denial) is Denied else ""
    detail = str(error.detail or "")
    inner = isinstance(error, PredicateMismatch) or detail.startswith("debug_notfound")
    return "" if inner or detail == getattr(request, "path_info", None) else detail


def _answer_undecodable_path(error: URLDecodeError, request: Request) -> Response:
    return _answer_error(NotFound(), request)


def _answer_error(error: Exception, request: Request) -> Response:
    problem = problem_of(error)
    context = request.environ[CONTEXT]
    body = problem.body(context.path, context.request_id)
    response = Response(body, status=problem.status, content_type=PROBLEM_CONTENT_TYPE)
    response.headers.update(problem.headers)
    return response
