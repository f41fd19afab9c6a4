"""Items over HTTP, and their changes over a WebSocket."""

from sanic import Blueprint, HTTPResponse, Request, empty, json

from ..runtime.http import (
    cursor_after,
    entity_tag,
    if_match,
    none_match,
    read_id,
    read_json,
    read_page,
)
from ..runtime.stream import wants_stream
from ..runtime.threads import Threads
from ..runtime.web import follow_stream, may_follow_stream
from .store import Item, ItemContent
from .stream import StreamedStore

blueprint = Blueprint("items", url_prefix="/v1/items")


@blueprint.get("")
async def list_items(request: Request) -> HTTPResponse:
    page = read_page(request.query_string)
    found, last = await in_thread(request).run(store(request).page, page.limit, page.after)
    cursor = None if last is None else cursor_after(last)
    body = {"items": [item.representation() for item in found], "next_cursor": cursor}
    if cursor is None:
        return json(body)
    following = request.app.url_for("items.list_items", limit=page.limit, cursor=cursor)
    return json(body, headers={"Link": f'<{following}>; rel="next"'})


@blueprint.post("")
async def create_item(request: Request) -> HTTPResponse:
    item = await in_thread(request).run(store(request).create, content(request))
    location = request.app.url_for("items.get_item", item_id=item.id)
    return answer(item, 201, {"Location": location})


@blueprint.get("/<item_id>")
@may_follow_stream
async def get_item(request: Request, item_id: str) -> HTTPResponse | None:
    if item_id == "stream" and wants_stream(request.headers):
        await follow_stream(request)
        return None
    item = await in_thread(request).run(store(request).get, read_id(item_id))
    if none_match(tags(request, "If-None-Match"), item.revision):
        return empty(304, {"ETag": entity_tag(item.revision)})
    return answer(item)


@blueprint.put("/<item_id>")
async def replace_item(request: Request, item_id: str) -> HTTPResponse:
    wanted = content(request)
    which = read_id(item_id), wanted, if_match(tags(request, "If-Match"))
    return answer(await in_thread(request).run(store(request).replace, *which))


@blueprint.delete("/<item_id>")
async def delete_item(request: Request, item_id: str) -> HTTPResponse:
    revisions = if_match(tags(request, "If-Match"))
    await in_thread(request).run(store(request).delete, read_id(item_id), revisions)
    return empty()


def store(request: Request) -> StreamedStore:
    return StreamedStore(request.app.ctx.database, request.app.ctx.stream)


def in_thread(request: Request) -> Threads:
    threads: Threads = request.app.ctx.threads
    return threads


def tags(request: Request, name: str) -> str | None:
    """A list of entity tags, which may come in several lines."""
    lines = request.headers.getall(name, None)
    return None if lines is None else ", ".join(lines)


def content(request: Request) -> ItemContent:
    headers = request.headers
    return read_json(
        ItemContent, headers.get("Content-Type"), headers.get("Content-Encoding"), request.body
    )


def answer(item: Item, status: int = 200, headers: dict[str, str] | None = None) -> HTTPResponse:
    tag = {"ETag": entity_tag(item.revision)}
    return json(item.representation(), status, {**tag, **(headers or {})})
