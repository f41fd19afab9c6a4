"""The FastAPI application that a service is built on, and what its routes use."""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib import metadata
from itertools import islice
from typing import Any, ParamSpec, TypeVar, cast

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.params import Depends
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from .. import NAME
from . import (
    Duplicate,
    InvalidContent,
    NotFound,
    StaleRevision,
    StillReferenced,
    Unavailable,
    UnknownReference,
)
from .asgi import CONTEXT, REJECTED, ServiceMiddleware
from .content import Content
from .database import Database
from .document import Document
from .endpoints import Endpoints
from .health import Check, Checks
from .http import (
    PROBLEM_CONTENT_TYPE,
    Problem,
    check_json,
    entity_tag,
    none_match,
    problem_of,
)
from .openapi import FastApiDocument, complete
from .resource import Page, Resource
from .routing import INVALID_BODY, ServiceRoute, awaited
from .settings import Settings, load_settings
from .tables import Record
from .telemetry import METHODS
from .threads import Threads

Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_MAX_ERRORS = 20
_EXPECTED = (
    Duplicate,
    InvalidContent,
    NotFound,
    Problem,
    StaleRevision,
    StillReferenced,
    Unavailable,
    UnknownReference,
)


class Service(FastAPI):
    """FastAPI with the service's endpoints, settings and database; all errors become problems.

    `options` are those of FastAPI, such as `lifespan` and `dependencies`.
    """

    def __init__(
        self, settings: Settings | None = None, checks: Iterable[Check] = (), **options: Any
    ) -> None:
        self.settings = settings or load_settings()
        self.database = Database(self.settings)
        self.threads = Threads(self.settings.database_timeout_seconds)
        self.document = FastApiDocument(self)
        self._endpoints = Endpoints(Checks(self.database.checks, checks), self.document)
        options["dependencies"] = [awaited(one) for one in options.get("dependencies") or ()]
        options["lifespan"] = self._running(options.get("lifespan"))
        own = {"title": NAME, "version": metadata.version(NAME)}
        # The endpoints in front have the document and its page; paths are taken literally.
        fixed = {"openapi_url": None, "redirect_slashes": False}
        super().__init__(**own | {"generate_unique_id_function": _operation_id} | options | fixed)
        self.router.route_class = ServiceRoute
        self.add_exception_handler(HTTPException, _answer_http_exception)
        self.add_exception_handler(RequestValidationError, _answer_invalid_values)
        for kind in _EXPECTED:
            self.add_exception_handler(kind, _answer_error)
        self.add_exception_handler(Exception, _leave)
        self.add_middleware(_Innermost)

    def build_middleware_stack(self) -> ASGIApp:
        """All middleware of the application, inside that of the service."""
        stack = super().build_middleware_stack()
        return cast(ASGIApp, ServiceMiddleware(stack, self.settings, self._endpoints))

    def include_router(
        self, router: APIRouter, *, dependencies: Sequence[Depends] | None = None, **options: Any
    ) -> None:
        """Include a router, whose routes then read their bodies as `ServiceRoute` does."""
        for context in iter_route_contexts(router.routes):
            route = context.original_route
            if type(route) is APIRoute:
                route.__class__ = ServiceRoute
            if isinstance(route, APIRoute):
                route.dependencies = [awaited(one) for one in route.dependencies]
        checked = [awaited(one) for one in dependencies or ()]
        super().include_router(router, dependencies=checked, **options)

    def openapi(self) -> Document:
        """The OpenAPI document that FastAPI makes, completed."""
        if self.openapi_schema is None:
            made = super().openapi()
            self.openapi_schema = complete(made, iter_route_contexts(self.routes))
        return self.openapi_schema

    def _running(self, lifespan: Lifespan[Any] | None) -> Lifespan[Any]:
        @asynccontextmanager
        async def running(app: FastAPI) -> AsyncIterator[Any]:
            self.threads.open()
            try:
                if lifespan is None:
                    yield
                else:
                    async with lifespan(app) as state:
                        yield state
            finally:
                self.threads.close()
                self.database.close()

        return running


def database(request: Request) -> Database:
    """The database of the request's application."""
    return cast(Service, request.app).database


async def in_thread(
    request: Request,
    call: Callable[Arguments, Result],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """The result of a call that blocks, such as a store's, made in a thread.

    `Unavailable` if it is not there within DATABASE_TIMEOUT_SECONDS.
    """
    return await cast(Service, request.app).threads.run(call, *args, **kwargs)


def answer(
    request: Request,
    resource: Resource[Row, Sent],
    row: Row,
    status: int = 200,
    location: str | None = None,
) -> Response:
    """A row with its entity tag, or 304 if the client has it already."""
    headers = {"ETag": entity_tag(row.revision)}
    if request.method == "GET" and none_match(request.headers.get("If-None-Match"), row.revision):
        return Response(status_code=304, headers=headers)
    if location is not None:
        headers["Location"] = location
    return JSONResponse(resource.show(row), status, headers)


def answer_page(request: Request, resource: Resource[Row, Sent], page: Page[Row]) -> Response:
    """A page of a list, with the link to the next one."""
    link = page.link(request.url.path)
    headers = {"Link": link} if link else None
    return JSONResponse(resource.show_page(page), headers=headers)


class _Innermost:
    """Answers what the service's middleware rejects, and unexpected errors.

    All other middleware sees these responses, so a browser is shown them if CORS permits.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def note(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                scope[CONTEXT].route = _route_of(scope)
            await send(message)

        try:
            if (rejected := scope.get(REJECTED)) is not None:
                raise rejected
            await self._app(scope, receive, note)
        except Exception as caught:
            error = _alone(caught)
            handlers = scope["app"].exception_handlers
            its_own = 500 in handlers or handlers.get(Exception) is not _leave
            if started or (its_own and not isinstance(error, _EXPECTED)):
                raise
            response = await _answer_error(Request(scope), error)
            await response(scope, receive, note)


def _alone(error: Any) -> Any:
    """The one error of a group: middleware of Starlette's base class reads bodies in a group."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _operation_id(route: APIRoute) -> str:
    """The name of a route's function as clients in other languages write it: `getItem`."""
    first, *rest = route.name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _route_of(scope: Scope) -> str:
    """The path template of the route that matched, with the prefix of each router around it."""
    included = scope.get("fastapi", {}).get("effective_route_context")
    return getattr(included or scope.get("route"), "path_format", "")


async def _answer_error(request: Request, error: Exception) -> Response:
    problem, context = problem_of(error), request.scope[CONTEXT]
    body = problem.body(context.path, context.request_id)
    return Response(body, problem.status, problem.headers, media_type=PROBLEM_CONTENT_TYPE)


async def _leave(_: Request, error: Exception) -> Response:
    """Leave an error of the application's middleware to that of the service."""
    raise _problem_of_http(error) if isinstance(error, HTTPException) else error


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    """FastAPI's own errors, with the status, the detail and the headers that they have."""
    error = cast(HTTPException, error)
    cause = _alone(error.__cause__)
    if isinstance(cause, Problem):  # raised while FastAPI read the body
        return await _answer_error(request, cause)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed_methods(request))
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
        error.headers = headers
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=headers)
    return await _answer_error(request, _problem_of_http(error))


def _problem_of_http(error: HTTPException) -> Problem:
    detail: Any = error.detail
    if not isinstance(detail, str):
        detail = json.dumps(jsonable_encoder(detail))
    if detail == HTTPException(error.status_code).detail:
        detail = ""  # nothing but the title
    return Problem(error.status_code, detail, headers=error.headers)


async def _answer_invalid_values(request: Request, error: Exception) -> Response:
    """Values that a route's annotations reject, as a problem that says where each of them is."""
    error = cast(RequestValidationError, error)
    try:
        if INVALID_BODY in request.scope:
            raise request.scope[INVALID_BODY]
        found = [(one["loc"], one["msg"]) for one in islice(error.errors(), _MAX_ERRORS)]
        if isinstance(error.body, bytes | None) and any(loc[0] == "body" for loc, _ in found):
            types = (request.headers.get("content-type"), request.headers.get("content-encoding"))
            check_json(*types, error.body or b"")
        errors = [(_place(*loc), why) for loc, why in found]
        raise Problem(422, "The request is not valid.", errors=errors)
    except Problem as problem:
        return await _answer_error(request, problem)


def _place(source: str, *steps: str | int) -> str:
    """A JSON pointer into the body, or the name of the parameter; "" is all of it."""
    if source != "body":
        return str(steps[0])[:100] if steps else ""
    escaped = (str(step)[:100].replace("~", "~0").replace("/", "~1") for step in steps)
    return "".join(f"/{step}" for step in escaped)


def _allowed_methods(request: Request) -> list[str]:
    """Every method that some route has for this path."""
    found = {"OPTIONS"}
    for method in METHODS:
        scope = {"type": "http", "path": request.scope["path"], "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            found |= {method, "HEAD"} if method == "GET" else {method}
    return sorted(found)
