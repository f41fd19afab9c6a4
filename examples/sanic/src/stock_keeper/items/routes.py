"""Items over HTTP."""

from sanic import Blueprint, HTTPResponse, empty

from ..runtime.http import read_id
from ..runtime.service import (
    Request,
    answer,
    answer_page,
    read_content,
    read_patch,
    read_query,
    read_revisions,
)
from ..runtime.stream import StreamedStore
from ..runtime.websocket import stream_route
from .model import ITEMS, Item, ItemContent

blueprint = Blueprint("items", url_prefix=ITEMS.path)
stream_route(blueprint, ITEMS)


def items(request: Request) -> StreamedStore[Item, ItemContent]:
    return StreamedStore(ITEMS, request.app.database, request.app.stream)


@blueprint.get("")
@ITEMS.lists
async def list_items(request: Request) -> HTTPResponse:
    page = await request.app.in_thread(items(request).page, read_query(request, ITEMS))
    return answer_page(request, ITEMS, page)


@blueprint.post("")
@ITEMS.creates
async def create_item(request: Request) -> HTTPResponse:
    item = await request.app.in_thread(items(request).create, read_content(request, ITEMS))
    location = request.app.url_for("items.get_item", item_id=item.id)
    return answer(request, ITEMS, item, 201, location)


@blueprint.get("/<item_id>")
@ITEMS.reads
async def get_item(request: Request, item_id: str) -> HTTPResponse:
    item = await request.app.in_thread(items(request).get, read_id(item_id))
    return answer(request, ITEMS, item)


@blueprint.put("/<item_id>")
@ITEMS.replaces
async def replace_item(request: Request, item_id: str) -> HTTPResponse:
    content, revisions = read_content(request, ITEMS), read_revisions(request)
    item = await request.app.in_thread(items(request).replace, read_id(item_id), content, revisions)
    return answer(request, ITEMS, item)


@blueprint.patch("/<item_id>")
@ITEMS.patches
async def patch_item(request: Request, item_id: str) -> HTTPResponse:
    changes, revisions = read_patch(request, ITEMS), read_revisions(request)
    item = await request.app.in_thread(items(request).patch, read_id(item_id), changes, revisions)
    return answer(request, ITEMS, item)


@blueprint.delete("/<item_id>")
@ITEMS.deletes
async def delete_item(request: Request, item_id: str) -> HTTPResponse:
    await request.app.in_thread(items(request).delete, read_id(item_id), read_revisions(request))
    return empty()
