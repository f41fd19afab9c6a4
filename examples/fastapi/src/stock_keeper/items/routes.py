"""Items over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from ..runtime.http import read_id
from ..runtime.resource import PageRequest
from ..runtime.routing import Revisions, RowId, read_patch, read_query
from ..runtime.service import answer, answer_page, database, in_thread
from ..runtime.store import Store
from .model import ITEMS, Item, ItemContent

router = APIRouter(prefix=ITEMS.path, tags=[ITEMS.plural])


async def item_store(request: Request) -> Store[Item, ItemContent]:
    return Store(ITEMS, database(request))


Items = Annotated[Store[Item, ItemContent], Depends(item_store)]
ItemQuery = Annotated[PageRequest, Depends(read_query(ITEMS))]
ItemPatch = Annotated[dict[str, Any], Depends(read_patch(ITEMS))]


@router.get("", response_model=ITEMS.page_view)
@ITEMS.lists
async def list_items(request: Request, items: Items, query: ItemQuery) -> Response:
    page = await in_thread(request, items.page, query)
    return answer_page(request, ITEMS, page)


@router.post("", response_model=ITEMS.view, status_code=201)
@ITEMS.creates
async def create_item(request: Request, items: Items, content: ItemContent) -> Response:
    item = await in_thread(request, items.create, content)
    location = request.app.url_path_for("get_item", item_id=item.id)
    return answer(request, ITEMS, item, 201, location=location)


@router.get("/{item_id}", response_model=ITEMS.view)
@ITEMS.reads
async def get_item(request: Request, items: Items, item_id: RowId) -> Response:
    item = await in_thread(request, items.get, read_id(item_id))
    return answer(request, ITEMS, item)


@router.put("/{item_id}", response_model=ITEMS.view)
@ITEMS.replaces
async def replace_item(
    request: Request, items: Items, item_id: RowId, content: ItemContent, revisions: Revisions
) -> Response:
    item = await in_thread(request, items.replace, read_id(item_id), content, revisions)
    return answer(request, ITEMS, item)


@router.patch("/{item_id}", response_model=ITEMS.view)
@ITEMS.patches
async def patch_item(
    request: Request, items: Items, item_id: RowId, changes: ItemPatch, revisions: Revisions
) -> Response:
    item = await in_thread(request, items.patch, read_id(item_id), changes, revisions)
    return answer(request, ITEMS, item)


@router.delete("/{item_id}", status_code=204)
@ITEMS.deletes
async def delete_item(
    request: Request, items: Items, item_id: RowId, revisions: Revisions
) -> Response:
    await in_thread(request, items.delete, read_id(item_id), revisions)
    return Response(status_code=204)
