"""Dependencies that read a request, and the route class that reads its body."""

import inspect
import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Path, Request, Response
from fastapi.params import Body
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute
from pydantic import BaseModel

from . import http, unawaited
from .content import Content
from .http import Problem, idempotency_key, if_match, read_model
from .resource import MERGE_PATCH, PageRequest, Resource
from .tables import Record

Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)

# FastAPI parses every parameter, including those that the route does not have.
MAX_PARAMETERS: Final = 1000
# The key of the body's problem in the scope of a request.
INVALID_BODY: Final = "service.invalid_body"

RowId = Annotated[
    str,
    Path(
        description="The ID. One of another form does not exist: 404.",
        json_schema_extra={"format": "uuid"},
    ),
]


async def read_key(request: Request) -> str | None:
    """The request's Idempotency-Key, if it has one."""
    try:
        return idempotency_key(request.headers.get("Idempotency-Key"))
    except Problem:  # errors in the form of the body come first
        headers = request.headers
        types = headers.get("Content-Type"), headers.get("Content-Encoding")
        http.check_json(*types, await request.body())
        raise


async def read_revisions(request: Request) -> frozenset[str] | None:
    """The revisions that the request's If-Match permits; None if any will do."""
    return if_match(request.headers.get("If-Match"))


IdempotencyKey = Annotated[str | None, Depends(read_key)]
Revisions = Annotated[frozenset[str] | None, Depends(read_revisions)]


def read_query(resource: Resource[Row, Sent]) -> Callable[..., Coroutine[Any, Any, PageRequest]]:
    """A dependency: the page requested by the query string."""

    async def read(request: Request) -> PageRequest:
        return resource.read_query(request.scope["query_string"].decode(errors="replace"))

    return read


def read_patch(resource: Resource[Row, Sent]) -> Callable[..., Coroutine[Any, Any, dict[str, Any]]]:
    """A dependency: the request's body as a merge patch, as the fields that it sets."""

    async def read(patch: Any) -> dict[str, Any]:
        changes: dict[str, Any] = patch.model_dump(exclude_unset=True)
        return changes

    read.__annotations__["patch"] = Annotated[resource.patch, Body(media_type=MERGE_PATCH)]
    return read


class ServiceRoute(APIRoute):
    """A route that rejects a body only after its dependencies have let the request through.

    Bodies are validated as JSON, with the strictness of their model.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle, info = super().get_route_handler(), self.body_field and self.body_field.field_info
        model = info and info.annotation
        media_type = info.media_type if isinstance(info, Body) else ""
        embedded = getattr(model, "__name__", "") == f"Body_{self.unique_id}"

        async def handle_in_order(request: Request) -> Response:
            unawaited.begin()
            if request.scope["query_string"].count(b"&") >= MAX_PARAMETERS:
                raise http.invalid("", "The query has too many parameters.")
            if info is not None:
                request = _Request(request, model, media_type, embedded)
            return await handle(request)

        return handle_in_order


class _Request(Request):
    """A request whose body FastAPI gets as its model, or as a value that no type accepts."""

    def __init__(self, request: Request, model: Any, media_type: str, embedded: bool) -> None:
        super().__init__(request.scope, request.receive)
        self._model = model
        self._media_type = media_type
        self._embedded = embedded
        self._given = False

    async def json(self) -> Any:
        if self._given:  # FastAPI calls this first; later callers get the JSON
            return await super().json()
        self._given = True
        try:
            return self._read(await self.body())
        except Problem as problem:
            if self._model is Any:
                raise
            # Its traceback would keep this request and its body.
            self.scope[INVALID_BODY] = problem.with_traceback(None)
            return object()

    def _read(self, body: bytes) -> Any:
        types = (self.headers.get("content-type"), self.headers.get("content-encoding"))
        if not (isinstance(self._model, type) and issubclass(self._model, BaseModel)):
            http.check_json(*types, body)
            try:
                return json.loads(body)
            except (ValueError, RecursionError):
                raise http.not_json() from None
        found = read_model(self._model, *types, body, self._media_type)
        if not self._embedded:
            return found
        fields = type(found).model_fields
        return {fields[name].alias or name: getattr(found, name) for name in found.model_fields_set}


def awaited(dependency: Dependency) -> Dependency:
    """The same dependency; if it creates a coroutine that is never awaited, it raises an error."""

    async def check(result: Any = dependency) -> None:
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError(f"nobody awaits {result.__qualname__}(), which a dependency returned")
        unawaited.check()

    return Dependency(check, scope=dependency.scope)
