"""The FastAPI application that a service is built on, and what its routes use."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.params import Depends
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.types import ASGIApp, Lifespan

from .. import NAME
from . import errors, unawaited
from .asgi import ServiceMiddleware
from .content import Content
from .database import Database
from .document import Document
from .endpoints import Endpoints
from .health import Check, Checks
from .http import JSON_CONTENT_TYPE, entity_tag, none_match
from .openapi import FastApiDocument, complete
from .resource import Page, Resource
from .routing import ServiceRoute, awaited
from .settings import load_settings
from .tables import Record
from .threads import Threads

if TYPE_CHECKING:
    from ..settings import Settings

Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Service(FastAPI):
    """FastAPI with the service's endpoints, settings and database; all errors become problems.

    `options` are those of FastAPI, such as `lifespan` and `dependencies`.
    """

    def __init__(
        self, settings: "Settings | None" = None, checks: Iterable[Check] = (), **options: Any
    ) -> None:
        self.settings = settings or load_settings()
        self.database = Database(self.settings)
        self.threads = Threads(self.settings.database_timeout_seconds)
        self.document = FastApiDocument(self, self.settings.root_path)
        self._endpoints = Endpoints(Checks(self.database.checks, checks), self.document)
        options["dependencies"] = [awaited(one) for one in options.get("dependencies") or ()]
        options["lifespan"] = self._running(options.get("lifespan"))
        own = {"title": NAME, "version": metadata.version(NAME)}
        # The endpoints in front serve the document and its page; paths are taken literally.
        fixed = {"openapi_url": None, "redirect_slashes": False}
        super().__init__(**own | {"generate_unique_id_function": _operation_id} | options | fixed)
        self.router.route_class = ServiceRoute
        errors.handle_errors(self)
        unawaited.watch()

    def build_middleware_stack(self) -> ASGIApp:
        """The application's middleware, inside the service's."""
        stack = super().build_middleware_stack()
        return cast(ASGIApp, ServiceMiddleware(stack, self.settings, self._endpoints))

    def include_router(
        self, router: APIRouter, *, dependencies: Sequence[Depends] | None = None, **options: Any
    ) -> None:
        """Include a router, whose routes then read bodies like `ServiceRoute`."""
        for context in iter_route_contexts(router.routes):
            route = context.original_route
            if type(route) is APIRoute:
                route.__class__ = ServiceRoute
            if isinstance(route, APIRoute):
                route.dependencies = [awaited(one) for one in route.dependencies]
        checked = [awaited(one) for one in dependencies or ()]
        super().include_router(router, dependencies=checked, **options)

    def openapi(self) -> Document:
        """FastAPI's OpenAPI document, completed."""
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
    """The result of a blocking call, such as a store's, made in a thread.

    `Unavailable` if it takes longer than DATABASE_TIMEOUT_SECONDS.
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
        headers["Location"] = str(request.scope.get("root_path", "")) + location
    return Response(resource.encode(row), status, headers, JSON_CONTENT_TYPE)


def answer_page(request: Request, resource: Resource[Row, Sent], page: Page[Row]) -> Response:
    """A page of a list, with the link to the next one."""
    link = page.link(request.url.path)
    headers = {"Link": link} if link else None
    return Response(resource.encode_page(page), 200, headers, JSON_CONTENT_TYPE)


def _operation_id(route: APIRoute) -> str:
    """The name of a route's function in camel case, for clients: `getItem`."""
    first, *rest = route.name.split("_")
    return first + "".join(word.capitalize() for word in rest)
