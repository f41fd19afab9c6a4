"""What routes are made of: strict JSON bodies, pages, conditions, and their place in the document.

FastAPI forgives what this service does not: another media type, a repeated parameter, `1.0` for 1.
So the annotations here say what the document shows, and `http` says what is let through.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from .http import Page, if_match, read_json, read_page
from .threads import Threads

ETAG = {"ETag": {"$ref": "#/components/headers/ETag"}}
_PROBLEMS = {
    400: "BadRequest",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    412: "PreconditionFailed",
    413: "ContentTooLarge",
    415: "UnsupportedMediaType",
    422: "ValidationFailed",
    431: "HeadersTooLarge",
    500: "InternalError",
    503: "Unavailable",
}

Cursor = Annotated[
    str,
    Field(json_schema_extra={"pattern": "^[0-7][0-9a-f]{15}$"}, examples=["0000000000000014"]),
]
Tags = Annotated[str | SkipJsonSchema[None], Field(examples=['"5f2b9c0d1e3a4b68"'])]
IfNoneMatch = Annotated[
    Tags,
    Header(
        alias="If-None-Match",
        description="Only if the current entity tag is none of these: what you have is then still "
        "good (304).",
    ),
]


async def read_if_match(
    tags: Annotated[
        Tags,
        Header(
            alias="If-Match",
            description="Only if the current entity tag is one of these, or exists at all (*).",
        ),
    ] = None,
) -> frozenset[str] | None:
    """The revisions that If-Match permits; None where any will do."""
    return if_match(tags)


async def read_page_query(
    request: Request,
    limit: Annotated[
        int, Query(ge=1, le=100, description="How many to answer with, at most.", examples=[20])
    ] = 50,
    cursor: Annotated[
        Cursor | SkipJsonSchema[None],
        Query(description="Where to go on: next_cursor of the page before. It means nothing else."),
    ] = None,
) -> Page:
    """Which part of a list is asked for."""
    return read_page(request.scope["query_string"].decode("latin-1"))


async def threads(request: Request) -> Threads:
    """The threads in which the store is called."""
    found: Threads = request.app.state.threads
    return found


IfMatch = Annotated[frozenset[str] | None, Depends(read_if_match)]
PageQuery = Annotated[Page, Depends(read_page_query)]
InThread = Annotated[Threads, Depends(threads)]


class StrictRoute(APIRoute):
    """A route whose JSON body is read by `read_json`, before anything else of it is looked at."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        model = self.body_field and self.body_field.field_info.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return handle

        async def read_first(request: Request) -> Response:
            headers, raw = request.headers, await request.body()
            content = read_json(
                model, headers.get("content-type"), headers.get("content-encoding"), raw
            )
            return await handle(_ReadRequest(request, raw, content))

        return read_first


class _ReadRequest(Request):
    """A request whose body has been read and understood."""

    def __init__(self, request: Request, raw: bytes, content: BaseModel) -> None:
        super().__init__(request.scope, request.receive)
        self._raw = raw
        self._content = content

    async def body(self) -> bytes:
        return self._raw

    async def json(self) -> BaseModel:
        return self._content


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, as its `responses`."""
    return {one: {"$ref": f"#/components/responses/{_PROBLEMS[one]}"} for one in statuses}
