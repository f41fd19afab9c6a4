"""FastAPI as the service wants it: paths taken literally, errors as problems, one document."""

from collections.abc import Callable, MutableMapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match

from .. import NAME
from .asgi import Edge
from .document import complete
from .http import Problem
from .settings import Settings
from .telemetry import METHODS


class Service(FastAPI):
    """FastAPI inside the `Edge`; its document has what all services have in common, too."""

    def __init__(self, settings: Settings, lifespan: Callable[..., Any] | None = None) -> None:
        super().__init__(
            title=NAME,
            version=version(NAME),
            lifespan=lifespan,
            openapi_url=None,  # `health` has it, and the page that shows it
            redirect_slashes=False,
            generate_unique_id_function=operation_id,
            exception_handlers={HTTPException: refuse, RequestValidationError: refuse_values},
        )
        self.state.settings = settings
        self.add_middleware(Edge, settings=settings, route_of=route_of)

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi())
        return self.openapi_schema


def operation_id(route: APIRoute) -> str:
    """The name of a route's function, as callers in other languages write it: `getItem`."""
    first, *rest = route.name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def route_of(scope: MutableMapping[str, Any]) -> str:
    """The template of the route that matched, with the prefix of each router around it."""
    included = scope.get("fastapi", {}).get("effective_route_context")
    return getattr(included or scope.get("route"), "path_format", "")


async def refuse(request: Request, error: HTTPException) -> Response:
    """What FastAPI itself refuses, as a problem; OPTIONS, which no route has, is answered here."""
    if isinstance(error.__cause__, Problem):  # raised while FastAPI read the body
        raise error.__cause__
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(allowed_methods(request))
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    raise Problem(error.status_code, str(error.detail), headers=headers)


async def refuse_values(_: Request, error: RequestValidationError) -> Response:
    """Values that a route's own annotations refuse, as a problem that says where each stands."""
    errors = [(place(*one["loc"]), one["msg"]) for one in error.errors()]
    raise Problem(422, "The request is not valid.", errors=errors)


def place(source: str, *steps: str | int) -> str:
    """A JSON pointer into the body, or the name of the parameter."""
    return "".join(f"/{step}" for step in steps) if source == "body" else str(steps[0])


def allowed_methods(request: Request) -> list[str]:
    """Every method that some route has for this path."""
    found = {"OPTIONS"}
    for method in METHODS:
        scope = {"type": "http", "path": request.scope["path"], "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            found |= {method, "HEAD"} if method == "GET" else {method}
    return sorted(found)
