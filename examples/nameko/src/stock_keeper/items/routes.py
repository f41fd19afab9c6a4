"""Items over HTTP."""

from werkzeug.wrappers import Request, Response

from ..runtime.http import read_id
from ..runtime.service import (
    answer,
    answer_page,
    read_content,
    read_patch,
    read_query,
    read_revisions,
    store,
)
from ..runtime.web import http
from .model import ITEMS


class ItemRoutes:
    """The service class for HTTP."""

    name = ITEMS.plural
    items = store(ITEMS)

    @http("GET", ITEMS.path)
    @ITEMS.lists
    def list_items(self, request: Request) -> Response:
        return answer_page(ITEMS, self.items.page(read_query(ITEMS, request)), request)

    @http("POST", ITEMS.path)
    @ITEMS.creates
    def create_item(self, request: Request) -> Response:
        item = self.items.create(read_content(ITEMS, request))
        return answer(ITEMS, item, request, 201, location=f"{ITEMS.path}/{item.id}")

    @http("GET", f"{ITEMS.path}/<item_id>")
    @ITEMS.reads
    def get_item(self, request: Request, item_id: str) -> Response:
        return answer(ITEMS, self.items.get(read_id(item_id)), request)

    @http("PUT", f"{ITEMS.path}/<item_id>")
    @ITEMS.replaces
    def replace_item(self, request: Request, item_id: str) -> Response:
        content = read_content(ITEMS, request)
        item = self.items.replace(read_id(item_id), content, read_revisions(request))
        return answer(ITEMS, item, request)

    @http("PATCH", f"{ITEMS.path}/<item_id>")
    @ITEMS.patches
    def patch_item(self, request: Request, item_id: str) -> Response:
        changes = read_patch(ITEMS, request)
        item = self.items.patch(read_id(item_id), changes, read_revisions(request))
        return answer(ITEMS, item, request)

    @http("DELETE", f"{ITEMS.path}/<item_id>")
    @ITEMS.deletes
    def delete_item(self, request: Request, item_id: str) -> Response:
        self.items.delete(read_id(item_id), read_revisions(request))
        return Response(status=204)
