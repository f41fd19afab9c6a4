"""The Falcon application that a service is built on, and what its resources use."""

import re
from collections.abc import Callable, Iterable, Iterator
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeVar

from falcon import HTTP_204, App, HTTPError, HTTPMethodNotAllowed, Request, Response
from falcon.inspect import inspect_compiled_router, register_router
from falcon.routing import CompiledRouter
from falcon.util import code_to_http_status

from .content import Content
from .database import Database
from .document import ApiDocument, Route
from .endpoints import Endpoints
from .health import Check, Checks
from .http import (
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
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from ..settings import Settings

Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)

_CONVERTER = re.compile(r"\{(\w+):[^}]*\}")


class Service(App[Request, Response]):
    """Falcon with the service's endpoints, settings and database; all errors become problems.

    `options` are those of `falcon.App`, such as `cors_enable=True`.
    """

    def __init__(
        self, settings: "Settings | None" = None, checks: Iterable[Check] = (), **options: Any
    ) -> None:
        router = _Router()
        super().__init__(middleware=[_Outermost()], router=router, **options)
        self.settings = settings or load_settings()
        self.database = Database(self.settings)
        self.document = ApiDocument(router.routes, self.settings.root_path)
        self.add_error_handler(Exception, _answer_error)
        self.set_error_serializer(_serialize)
        endpoints = Endpoints(Checks(self.database.checks, checks), self.document)
        self._serve = ServiceMiddleware(super().__call__, self.settings, endpoints)

    def __call__(self, env: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return self._serve(env, start_response)


def read_query(req: Request, resource: Resource[Row, Sent]) -> PageRequest:
    """The page requested by the query string."""
    return resource.read_query(req.query_string)


def read_content(req: Request, resource: Resource[Row, Sent]) -> Sent:
    """Parse the request's body as the content of a resource."""
    encoding = req.get_header("Content-Encoding")
    key = req.get_header("Idempotency-Key") if req.method == "POST" else None
    return resource.read(req.content_type, encoding, req.bounded_stream.read(), key)


def read_patch(req: Request, resource: Resource[Row, Sent]) -> dict[str, Any]:
    """Parse the request's body as a merge patch: the fields that it sets."""
    encoding = req.get_header("Content-Encoding")
    return resource.read_patch(req.content_type, encoding, req.bounded_stream.read())


def read_key(req: Request) -> str | None:
    """The request's Idempotency-Key, if it has one."""
    return idempotency_key(req.get_header("Idempotency-Key"))


def read_revisions(req: Request) -> frozenset[str] | None:
    """The revisions that the request's If-Match permits; None if any will do."""
    return if_match(req.get_header("If-Match"))


def answer(  # noqa: PLR0913
    req: Request,
    resp: Response,
    resource: Resource[Row, Sent],
    row: Row,
    status: int = 200,
    *,
    location: str | None = None,
) -> None:
    """Respond with a row and its entity tag, or with 304 if the client has it already."""
    resp.set_header("ETag", entity_tag(row.revision))
    if req.method in ("GET", "HEAD") and none_match(req.get_header("If-None-Match"), row.revision):
        resp.status = 304
        return
    resp.status = status
    resp.data = resource.encode(row)
    if location is not None:
        resp.location = req.root_path + location


def answer_page(
    req: Request, resp: Response, resource: Resource[Row, Sent], page: Page[Row]
) -> None:
    """Respond with a page of a list, and the link to the next one."""
    resp.data = resource.encode_page(page)
    if link := page.link(req.root_path + req.path):
        resp.set_header("Link", link)


class _Outermost:
    """The middleware that sees each request first and its response last."""

    def process_request(self, req: Request, resp: Response) -> None:
        if (rejected := req.env.get(REJECTED)) is not None:
            raise rejected

    def process_response(
        self, req: Request, resp: Response, resource: object, req_succeeded: bool
    ) -> None:
        # If this failed later, Falcon would send the problem without a body.
        resp.render_body()


class _Responders(dict[str, Any]):
    """The responders of a route by method; HEAD and OPTIONS are added, all others rejected."""

    def __init__(self, own: dict[str, Any], path: str) -> None:
        super().__init__(own)
        if "GET" in own:
            self.setdefault("HEAD", own["GET"])
        self.path = path
        self._allowed = sorted({*self, "OPTIONS"})
        self.setdefault("OPTIONS", self.on_options)

    def on_options(self, req: Request, resp: Response, **_: object) -> None:
        resp.status = HTTP_204
        resp.set_header("Allow", ", ".join(self._allowed))

    def __missing__(self, method: str) -> None:
        raise HTTPMethodNotAllowed(self._allowed)


class _Router(CompiledRouter):
    """Falcon's router, but paths are taken literally and every method is answered."""

    def __init__(self) -> None:
        super().__init__()
        self._added: dict[str, dict[str, Callable[..., Any]]] = {}

    def add_route(self, uri_template: str, resource: object, **options: Any) -> None:
        super().add_route(uri_template, resource, **options, template=uri_template)

    def map_http_methods(self, resource: object, **options: Any) -> Any:
        own = dict(super().map_http_methods(resource, **options))
        for responder in own.values():
            _reject_unawaited_hooks(responder)
        path = _CONVERTER.sub(r"{\1}", options["template"])
        self._added[path] = own
        return _Responders(own, path)

    def find(self, uri: str, req: Request | None = None) -> Any:
        found = super().find(uri, req)
        # Falcon accepts doubled first slashes and empty parameters.
        if found is None or uri.startswith("//") or "" in found[2].values():
            return None
        if req is not None and isinstance(found[1], _Responders):
            req.env[CONTEXT].route = found[1].path
        return found

    def routes(self) -> Iterator[Route]:
        """Every method of every route, for the OpenAPI document."""
        for path, responders in self._added.items():
            for method in sorted(responders.keys() - {"HEAD", "OPTIONS"}):
                yield Route(method, path, responders[method])


register_router(_Router)(inspect_compiled_router)


def _reject_unawaited_hooks(responder: Any) -> None:
    """Reject a hook that is a coroutine function: Falcon would call it and never await it."""
    while responder is not None:
        if getattr(responder, "__globals__", {}).get("__name__") == "falcon.hooks":
            for cell in responder.__closure__ or ():
                if iscoroutinefunction(cell.cell_contents):
                    raise TypeError(f"{cell.cell_contents} is a hook that nothing awaits")
        responder = getattr(responder, "__wrapped__", None)


def _answer_error(req: Request, resp: Response, error: Exception, params: dict[str, Any]) -> None:
    problem = problem_of(error)
    resp.status = problem.status
    resp.set_headers(problem.headers)
    _write(req, resp, problem)


def _serialize(req: Request, resp: Response, error: HTTPError) -> None:
    """Write one of Falcon's own errors, whose status and headers are already set."""
    title = error.title if error.title != code_to_http_status(error.status) else None
    members = {"title": title, "code": error.code, "link": error.link}
    said = {name: value for name, value in members.items() if value is not None}
    _write(req, resp, Problem(error.status_code, error.description or "", members=said))


def _write(req: Request, resp: Response, problem: Problem) -> None:
    context = req.env[CONTEXT]
    resp.content_type = PROBLEM_CONTENT_TYPE
    resp.data = problem.body(context.path, context.request_id)
