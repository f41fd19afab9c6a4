"""Movements over HTTP."""

from werkzeug.wrappers import Request, Response

from ..runtime.http import read_id
from ..runtime.service import (
    answer,
    answer_page,
    read_content,
    read_key,
    read_patch,
    read_query,
    read_revisions,
    store,
)
from ..runtime.web import http
from .model import MOVEMENTS


class MovementRoutes:
    """The service class for HTTP."""

    name = MOVEMENTS.plural
    movements = store(MOVEMENTS)

    @http("GET", MOVEMENTS.path)
    @MOVEMENTS.lists
    def list_movements(self, request: Request) -> Response:
        return answer_page(MOVEMENTS, self.movements.page(read_query(MOVEMENTS, request)), request)

    @http("POST", MOVEMENTS.path)
    @MOVEMENTS.creates
    def create_movement(self, request: Request) -> Response:
        content, idempotency_key = read_content(MOVEMENTS, request), read_key(request)
        movement = self.movements.create(content, idempotency_key=idempotency_key)
        return answer(MOVEMENTS, movement, request, 201, location=MOVEMENTS.path_of(movement))

    @http("GET", MOVEMENTS.path + "/<movement_id>")
    @MOVEMENTS.reads
    def get_movement(self, request: Request, movement_id: str) -> Response:
        return answer(MOVEMENTS, self.movements.get(read_id(movement_id)), request)

    @http("PUT", MOVEMENTS.path + "/<movement_id>")
    @MOVEMENTS.replaces
    def replace_movement(self, request: Request, movement_id: str) -> Response:
        content = read_content(MOVEMENTS, request)
        movement = self.movements.replace(read_id(movement_id), content, read_revisions(request))
        return answer(MOVEMENTS, movement, request)

    @http("PATCH", MOVEMENTS.path + "/<movement_id>")
    @MOVEMENTS.patches
    def patch_movement(self, request: Request, movement_id: str) -> Response:
        changes = read_patch(MOVEMENTS, request)
        movement = self.movements.patch(read_id(movement_id), changes, read_revisions(request))
        return answer(MOVEMENTS, movement, request)

    @http("DELETE", MOVEMENTS.path + "/<movement_id>")
    @MOVEMENTS.deletes
    def delete_movement(self, request: Request, movement_id: str) -> Response:
        self.movements.delete(read_id(movement_id), read_revisions(request))
        return Response(status=204)
