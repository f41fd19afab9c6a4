"""Items over HTTP."""

import json
from typing import Any

from werkzeug.wrappers import Request, Response

from ..runtime.http import (
    cursor_after,
    entity_tag,
    if_match,
    none_match,
    read_id,
    read_json,
    read_page,
)
from ..runtime.service import dependency
from ..runtime.web import http
from .service import items
from .store import Item, ItemContent, ItemStore

PATH = "/v1/items"
ONE = PATH + "/<item_id>"


class Routes:
    store: ItemStore = dependency(items)

    @http("GET", PATH)
    def list_items(self, request: Request) -> Response:
        page = read_page(request.query_string.decode(errors="replace"))
        found, last = self.store.page(page.limit, page.after)
        cursor = None if last is None else cursor_after(last)
        response = as_json(
            {"items": [item.representation() for item in found], "next_cursor": cursor}
        )
        if cursor:
            following = f"{PATH}?limit={page.limit}&cursor={cursor}"
            response.headers["Link"] = f'<{following}>; rel="next"'
        return response

    @http("POST", PATH)
    def create_item(self, request: Request) -> Response:
        item = self.store.create(content(request))
        response = answer(item)
        response.status_code = 201
        response.headers["Location"] = f"{PATH}/{item.id}"
        return response

    @http("GET", ONE)
    def get_item(self, request: Request, item_id: str) -> Response:
        item = self.store.get(read_id(item_id))
        if none_match(request.headers.get("If-None-Match"), item.revision):
            return Response(status=304, headers={"ETag": entity_tag(item.revision)})
        return answer(item)

    @http("PUT", ONE)
    def replace_item(self, request: Request, item_id: str) -> Response:
        wanted = content(request)
        revisions = if_match(request.headers.get("If-Match"))
        return answer(self.store.replace(read_id(item_id), wanted, revisions))

    @http("DELETE", ONE)
    def delete_item(self, request: Request, item_id: str) -> Response:
        self.store.delete(read_id(item_id), if_match(request.headers.get("If-Match")))
        return Response(status=204)


def content(request: Request) -> ItemContent:
    headers = request.headers
    encoding = headers.get("Content-Encoding")
    return read_json(ItemContent, headers.get("Content-Type"), encoding, request.get_data())


def answer(item: Item) -> Response:
    response = as_json(item.representation())
    response.headers["ETag"] = entity_tag(item.revision)
    return response


def as_json(body: dict[str, Any]) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), content_type="application/json")
