"""The service's Flask application, and helpers for its views."""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

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
from .wsgi import CONTEXT, REJECTED, ServiceMiddleware, path_of

if TYPE_CHECKING:
    from ..settings import Settings

Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)

_CONVERTER = re.compile(r"<(?:[^<>:]*:)?(\w+)>")


class Service(Flask):
    """Flask with the service's endpoints, settings and database; all errors become problems."""

    def __init__(self, settings: "Settings | None" = None, checks: Iterable[Check] = ()) -> None:
        super().__init__(__name__.partition(".")[0], static_folder=None)
        self.settings = settings or load_settings()
        self.database = Database(self.settings)
        self.document = ApiDocument(self.routes, self.settings.root_path)
        self.json.sort_keys = False  # type: ignore[attr-defined]
        self.url_map.merge_slashes = False
        self.before_request(_enter)
        self.register_error_handler(HTTPException, _answer_http_exception)
        self.register_error_handler(Exception, answer_error)
        endpoints = Endpoints(Checks(self.database.checks, checks), self.document)
        self.wsgi_app = ServiceMiddleware(  # type: ignore[method-assign]
            self.wsgi_app, self.settings, endpoints
        )

    def make_default_options_response(self) -> Response:
        response = super().make_default_options_response()
        response.status_code = 204
        return response

    def routes(self) -> Iterator[Route]:
        """Every method of every route, for the OpenAPI document."""
        for rule in self.url_map.iter_rules():
            view = self.view_functions[rule.endpoint]
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                handler = getattr(getattr(view, "view_class", None), method.lower(), view)
                yield Route(method, _template(rule.rule), handler)


def database() -> Database:
    """The database of the current application."""
    return cast(Service, current_app).database


def read_query(resource: Resource[Row, Sent]) -> PageRequest:
    """The page requested by the query string."""
    return resource.read_query(request.query_string.decode(errors="replace"))


def read_content(resource: Resource[Row, Sent]) -> Sent:
    """Parse the request's body as the content of a resource."""
    encoding = request.headers.get("Content-Encoding")
    key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
    return resource.read(request.content_type, encoding, request.get_data(), key)


def read_patch(resource: Resource[Row, Sent]) -> dict[str, Any]:
    """Parse the request's body as a merge patch: the fields that it sets."""
    encoding = request.headers.get("Content-Encoding")
    return resource.read_patch(request.content_type, encoding, request.get_data())


def read_key() -> str | None:
    """The request's Idempotency-Key, if it has one."""
    return idempotency_key(request.headers.get("Idempotency-Key"))


def read_revisions() -> frozenset[str] | None:
    """The revisions that the request's If-Match permits; None if any will do."""
    return if_match(request.headers.get("If-Match"))


def answer(
    resource: Resource[Row, Sent], row: Row, status: int = 200, location: str | None = None
) -> Response:
    """A row with its entity tag, or 304 if the client has it already."""
    tag = entity_tag(row.revision)
    if request.method in ("GET", "HEAD") and none_match(
        request.headers.get("If-None-Match"), row.revision
    ):
        return Response(status=304, headers={"ETag": tag})
    response = _json(resource.encode(row), status)
    response.headers["ETag"] = tag
    if location is not None:
        response.headers["Location"] = location
    return response


def answer_page(resource: Resource[Row, Sent], page: Page[Row]) -> Response:
    """A page of a list, with the link to the next one."""
    response = _json(resource.encode_page(page))
    if link := page.link(request.root_path + request.path):
        response.headers["Link"] = link
    return response


def _json(body: bytes, status: int = 200) -> Response:
    return current_app.response_class(body, status, content_type=JSON_CONTENT_TYPE)


def _enter() -> None:
    """Raise what the middleware has rejected, and pass the route to the metrics and the log."""
    if (rejected := request.environ.get(REJECTED)) is not None:
        raise rejected
    if request.path != path_of(request.environ):  # Werkzeug accepts a doubled first slash
        raise NotFound
    if request.url_rule is not None:
        request.environ[CONTEXT].route = _template(request.url_rule.rule)


def _template(rule: str) -> str:
    """A path with its parameters in the format of the OpenAPI document."""
    return _CONVERTER.sub(r"{\1}", rule)


def _answer_http_exception(error: HTTPException) -> BaseResponse | HTTPException:
    """Convert Flask's own errors, keeping their status, description and headers."""
    if error.response is not None or (error.code or 500) < 400:  # a response, or a redirect
        return error
    original = getattr(error, "original_exception", None)
    if original is not None:
        return answer_error(original)
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    said = error.description if error.description != type(error).description else None
    return answer_error(Problem(error.code or 500, said or "", headers=headers))


def answer_error(error: Exception) -> Response:
    """Convert an error to a problem; unexpected errors are logged."""
    problem = problem_of(error)
    context = request.environ[CONTEXT]
    return Response(
        problem.body(context.path, context.request_id),
        problem.status,
        problem.headers,
        content_type=PROBLEM_CONTENT_TYPE,
    )
