"""Convert errors to problems in FastAPI."""

import json
from http import HTTPStatus
from itertools import islice
from typing import Any, Final, cast

from fastapi import FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .asgi import CONTEXT, REJECTED
from .http import EXPECTED, PROBLEM_CONTENT_TYPE, Problem, check_json, problem_of
from .routing import INVALID_BODY
from .telemetry import METHODS

_MAX_ERRORS: Final = 20


def handle_errors(app: FastAPI) -> None:
    """Convert all errors for which the application has no handler of its own."""
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(RequestValidationError, _answer_invalid_values)
    for kind in EXPECTED:
        app.add_exception_handler(kind, answer_error)
    app.add_exception_handler(Exception, _leave)
    app.add_middleware(_Innermost)


class _Innermost:
    """Responds to requests that the service's middleware rejects, and to unexpected errors.

    All other middleware sees these responses, so browsers can read them if CORS permits.
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
            if started or (its_own and not isinstance(error, EXPECTED)):
                raise
            response = await answer_error(Request(scope), error)
            await response(scope, receive, note)


def _route_of(scope: Scope) -> str:
    """The path template of the matched route, with the prefixes of its routers and mounts."""
    root = scope.get("root_path", "")
    mount = root.removeprefix(scope.get("app_root_path", root))
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    if route is None:
        return f"{mount}/{{path}}" if mount and "app_root_path" in scope else ""
    return f"{mount}{getattr(route, 'path_format', '')}"


def _alone(error: Any) -> Any:
    """The only error of a group: Starlette's BaseHTTPMiddleware reads bodies in a task group."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def answer_error(request: Request, error: Exception) -> Response:
    """Convert an error to a problem; unexpected errors are logged."""
    problem, context = problem_of(error), request.scope[CONTEXT]
    body = problem.body(context.path, context.request_id)
    return Response(body, problem.status, problem.headers, media_type=PROBLEM_CONTENT_TYPE)


async def _leave(_: Request, error: Exception) -> Response:
    """Leave errors of the application's middleware to the service's middleware."""
    raise _problem_of_http(error) if isinstance(error, HTTPException) else error


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    """Convert FastAPI's own errors, keeping their status, detail and headers."""
    error = cast(HTTPException, error)
    cause = _alone(error.__cause__)
    if isinstance(cause, Problem):  # raised while FastAPI read the body
        return await answer_error(request, cause)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed_methods(request))
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
        error.headers = headers
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=headers)
    return await answer_error(request, _problem_of_http(error))


def _problem_of_http(error: HTTPException) -> Problem:
    detail: Any = error.detail
    if not isinstance(detail, str):
        detail = json.dumps(jsonable_encoder(detail))
    if detail == HTTPException(error.status_code).detail:
        detail = ""  # only the title
    return Problem(error.status_code, detail, headers=error.headers)


async def _answer_invalid_values(request: Request, error: Exception) -> Response:
    """Convert values that a route rejects to a problem with the location of each."""
    error = cast(RequestValidationError, error)
    try:
        if INVALID_BODY in request.scope:
            raise request.scope.pop(INVALID_BODY)
        found = [(one["loc"], one["msg"]) for one in islice(error.errors(), _MAX_ERRORS)]
        if isinstance(error.body, bytes | None) and any(loc[0] == "body" for loc, _ in found):
            types = (request.headers.get("content-type"), request.headers.get("content-encoding"))
            check_json(*types, error.body or b"")
        errors = [(_place(*loc), why) for loc, why in found]
        raise Problem(422, "The request is not valid.", errors=errors)
    except Problem as problem:
        return await answer_error(request, problem)


def _place(source: str, *steps: str | int) -> str:
    """A JSON pointer into the body, or the name of the parameter; "" is the whole body."""
    if source != "body":
        return str(steps[0])[:100] if steps else ""
    escaped = (str(step)[:100].replace("~", "~0").replace("/", "~1") for step in steps)
    return "".join(f"/{step}" for step in escaped)


def _allowed_methods(request: Request) -> list[str]:
    """Every method that any route has for this path."""
    found = {"OPTIONS"}
    for method in METHODS:
        scope = {"type": "http", "path": request.scope["path"], "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            found |= {method, "HEAD"} if method == "GET" else {method}
    return sorted(found)
