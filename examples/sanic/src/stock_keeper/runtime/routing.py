"""How requests find their handlers, and errors their responses."""

from contextlib import suppress
from inspect import isawaitable
from typing import Any, cast
from urllib.parse import unquote

from sanic import HTTPResponse, Request, empty
from sanic.exceptions import MethodNotAllowed, NotFound, SanicException
from sanic.handlers import ErrorHandler
from sanic.helpers import STATUS_CODES
from sanic.router import Router
from sanic_routing.route import Route

from .http import PROBLEM_CONTENT_TYPE, Problem, problem_of
from .telemetry import METHODS
from .web import CLIENT_GONE, context_of


class PathRouter(Router):
    """Matches decoded paths, and matches them exactly; HEAD is routed as GET."""

    def get(self, path: str, method: str, host: str | None) -> Any:  # type: ignore[override]
        path = unquote(path)
        found = super().get(path, "GET" if method == "HEAD" else method, host)
        route: Route = found[0]
        # With `strict_slashes` blueprints of extensions would move: "/" in "/auth" to "/auth/".
        if path.endswith("/") and path != "/" and not (route.strict or route.extra.static):
            raise NotFound(f"Requested URL {path} not found")
        return found

    def methods(self, path: str, host: str | None) -> set[str]:
        """Every method that any route has for a path."""
        found = set()
        for method in METHODS:
            with suppress(NotFound, MethodNotAllowed):
                self.get(path, method, host)
                found.add(method)
        return found


class ProblemHandler(ErrorHandler):
    """Turns errors into problems, unless the service has a handler of its own for them."""

    async def response(self, request: Request, exception: Exception) -> Any:
        handler = self.lookup(exception, request.name)
        try:
            response = handler(request, exception) if handler else None
            if isawaitable(response):
                response = await response
        except Exception as error:
            return self.default(request, error)
        return response or self.default(request, exception)

    def default(self, request: Request, exception: Exception) -> HTTPResponse:
        return problem_response(request, exception)


def problem_response(request: Request, error: BaseException) -> HTTPResponse:
    """An error as a problem; Sanic's own keep their status, message and headers."""
    match error:
        case MethodNotAllowed():
            allow = _allowed(request)
            if allow and request.method == "OPTIONS":
                return empty(headers=allow)
            # Sanic's router raises it for some paths without any route.
            problem = Problem(405, _said(error), headers=allow) if allow else Problem(404)
        case SanicException() if error.status_code != 500:
            headers = {name: str(value) for name, value in error.headers.items()}
            problem = Problem(error.status_code, _said(error), headers=headers)
        case Exception():
            problem = problem_of(error)
        case _:  # the request was cancelled, so nothing reads the response
            problem = Problem(CLIENT_GONE)
    context = context_of(request)
    body = problem.body(context.path, context.request_id)
    return HTTPResponse(body, problem.status, problem.headers, PROBLEM_CONTENT_TYPE)


def _allowed(request: Request) -> dict[str, str]:
    """The Allow header of a path; empty if it has no route."""
    router = cast(PathRouter, request.app.router)
    methods = router.methods(request.path, request.headers.get("Host"))
    return {"Allow": ", ".join(sorted(methods | {"OPTIONS"}))} if methods else {}


def _said(error: SanicException) -> str:
    """The message of an error, unless it is only the name of its status."""
    phrase = STATUS_CODES.get(error.status_code, b"").decode()
    return "" if error.message == phrase else error.message
