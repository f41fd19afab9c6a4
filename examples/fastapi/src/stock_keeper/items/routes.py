"""Items over HTTP. The API's document is made from what stands here."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, Field

from ..runtime.http import cursor_after, entity_tag, none_match, read_id
from ..runtime.routing import (
    ETAG,
    Cursor,
    IfMatch,
    IfNoneMatch,
    InThread,
    PageQuery,
    StrictRoute,
    problems,
)
from . import store
from .store import NAME_PATTERN, ItemContent, ItemStore

LOCATION = {
    "Location": {
        "description": "Where the item is, relative to this service.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    }
}
LINK = {"Link": {"description": "The next page, while there is one.", "schema": {"type": "string"}}}

router = APIRouter(
    prefix="/v1/items",
    tags=["items"],
    route_class=StrictRoute,
    responses=problems(400, 405, 431, 500, 503),
)


class Item(BaseModel):
    """An item as it is stored."""

    id: UUID
    name: Annotated[str, Field(json_schema_extra={"pattern": f"^{NAME_PATTERN}$"})]
    quantity: Annotated[int, Field(ge=0, le=1_000_000, examples=[12])]
    created_at: Annotated[datetime, Field(description="In UTC.")]
    updated_at: Annotated[datetime, Field(description="In UTC.")]


class ItemPage(BaseModel):
    """Some of the items, and where to go on."""

    items: Annotated[list[Item], Field(max_length=100)]
    next_cursor: Annotated[
        Cursor | None, Field(description="The cursor of the next page; null on the last.")
    ]


async def item_store(request: Request) -> ItemStore:
    return ItemStore(request.app.state.database)


async def known_id(
    item_id: Annotated[
        str,
        Path(
            description="The id of the item. One that is not of this form is no item's: 404.",
            json_schema_extra={"format": "uuid"},
        ),
    ],
) -> UUID:
    return read_id(item_id)


Items = Annotated[ItemStore, Depends(item_store)]
ItemId = Annotated[UUID, Depends(known_id)]


@router.get(
    "",
    response_model=ItemPage,
    response_description="A page of items.",
    responses={200: {"headers": LINK}, **problems(422)},
)
async def list_items(
    page: PageQuery, items: Items, in_thread: InThread, request: Request, response: Response
) -> dict[str, Any]:
    """A page of items, newest last. Follow Link, or send next_cursor as cursor, until there is no
    more: each item that was there at the start comes exactly once.
    """
    found, last = await in_thread.run(items.page, page.limit, page.after)
    cursor = None if last is None else cursor_after(last)
    if cursor:
        following = f"{request.url.path}?limit={page.limit}&cursor={cursor}"
        response.headers["Link"] = f'<{following}>; rel="next"'
    return {"items": found, "next_cursor": cursor}


@router.post(
    "",
    status_code=201,
    response_model=Item,
    response_description="The item was created.",
    responses={201: {"headers": ETAG | LOCATION}, **problems(409, 413, 415, 422)},
)
async def create_item(
    content: ItemContent, items: Items, in_thread: InThread, request: Request, response: Response
) -> store.Item:
    """The name has to be free: of several that ask for it at once, one gets it."""
    item = await in_thread.run(items.create, content)
    response.headers["ETag"] = entity_tag(item.revision)
    response.headers["Location"] = request.app.url_path_for("get_item", item_id=str(item.id))
    return item


@router.get(
    "/{item_id}",
    response_model=Item,
    response_description="The item.",
    responses={
        200: {"headers": ETAG},
        304: {
            "description": "What you have is still good: If-None-Match has its entity tag.",
            "headers": ETAG,
        },
        **problems(404),
    },
)
async def get_item(
    item_id: ItemId,
    items: Items,
    in_thread: InThread,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> store.Item | Response:
    """Send the ETag you have as If-None-Match to hear only whether it has changed."""
    item = await in_thread.run(items.get, item_id)
    response.headers["ETag"] = entity_tag(item.revision)
    if none_match(if_none_match, item.revision):
        return Response(status_code=304, headers=response.headers)
    return item


@router.put(
    "/{item_id}",
    response_model=Item,
    response_description="The item was replaced.",
    responses={200: {"headers": ETAG}, **problems(404, 409, 412, 413, 415, 422)},
)
async def replace_item(
    item_id: ItemId,
    content: ItemContent,
    items: Items,
    in_thread: InThread,
    response: Response,
    revisions: IfMatch,
) -> store.Item:
    """All of the content is replaced: no quantity means 0. Send the ETag you read as If-Match, and
    nobody's write is lost.
    """
    item = await in_thread.run(items.replace, item_id, content, revisions)
    response.headers["ETag"] = entity_tag(item.revision)
    return item


@router.delete(
    "/{item_id}",
    status_code=204,
    response_description="The item is gone.",
    responses=problems(404, 412),
)
async def delete_item(
    item_id: ItemId, items: Items, in_thread: InThread, revisions: IfMatch
) -> None:
    """Send the ETag you read as If-Match to delete only what you have seen. Its name is free
    again.
    """
    await in_thread.run(items.delete, item_id, revisions)
