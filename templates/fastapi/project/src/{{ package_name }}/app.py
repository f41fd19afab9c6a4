"""Where the service is put together."""

from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from . import NAME, health
from .items import routes as items
from .runtime.asgi import Edge
from .runtime.database import READINESS_SECONDS, Database
from .runtime.document import complete
from .runtime.http import Problem
from .runtime.routing import operation_id
from .runtime.settings import Settings
from .runtime.telemetry import METHODS
from .runtime.threads import Threads


class Service(FastAPI):
    """FastAPI whose document has, beside its own routes, what all services have in common."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi())
        return self.openapi_schema


def create_app(settings: Settings) -> FastAPI:
    """The application, as a factory: each call makes one that stands alone."""
    app = Service(
        title=NAME,
        version=version(NAME),
        lifespan=lifespan,
        openapi_url=None,  # `health` has it, and the page that shows it
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        exception_handlers={HTTPException: refuse, RequestValidationError: refuse_values},
    )
    app.state.settings = settings
    app.include_router(health.router)
    # A check of who may call goes here: dependencies=[Depends(your_check)].
    app.include_router(items.router)
    app.add_middleware(Edge, settings=settings, route_of=route_of)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The database, and the threads that wait for it, as long as the application runs."""
    settings: Settings = app.state.settings
    app.state.database = Database(settings)
    app.state.threads = Threads(settings.database_timeout_seconds)
    app.state.probe_threads = Threads(READINESS_SECONDS)
    yield
    app.state.threads.close()
    app.state.probe_threads.close()
    app.state.database.close()


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
