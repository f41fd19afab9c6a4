"""Movements over HTTP: one class for the list, one for a row."""

from falcon import HTTP_204, Request, Response

from ..runtime.http import read_id
from ..runtime.service import (
    Service,
    answer,
    answer_page,
    read_content,
    read_key,
    read_patch,
    read_query,
    read_revisions,
)
from ..runtime.store import Store
from .model import MOVEMENTS, Movement, MovementContent


def add_routes(app: Service) -> None:
    movements = Store(MOVEMENTS, app.database)
    app.add_route(MOVEMENTS.path, MovementList(movements))
    app.add_route(MOVEMENTS.path + "/{movement_id}", SingleMovement(movements))


class MovementList:
    def __init__(self, movements: Store[Movement, MovementContent]) -> None:
        self._movements = movements

    @MOVEMENTS.lists
    def on_get(self, req: Request, resp: Response) -> None:
        answer_page(req, resp, MOVEMENTS, self._movements.page(read_query(req, MOVEMENTS)))

    @MOVEMENTS.creates
    def on_post(self, req: Request, resp: Response) -> None:
        content, idempotency_key = read_content(req, MOVEMENTS), read_key(req)
        movement = self._movements.create(content, idempotency_key=idempotency_key)
        answer(req, resp, MOVEMENTS, movement, 201, location=MOVEMENTS.path_of(movement))


class SingleMovement:
    def __init__(self, movements: Store[Movement, MovementContent]) -> None:
        self._movements = movements

    @MOVEMENTS.reads
    def on_get(self, req: Request, resp: Response, movement_id: str) -> None:
        answer(req, resp, MOVEMENTS, self._movements.get(read_id(movement_id)))

    @MOVEMENTS.replaces
    def on_put(self, req: Request, resp: Response, movement_id: str) -> None:
        content = read_content(req, MOVEMENTS)
        movement = self._movements.replace(read_id(movement_id), content, read_revisions(req))
        answer(req, resp, MOVEMENTS, movement)

    @MOVEMENTS.patches
    def on_patch(self, req: Request, resp: Response, movement_id: str) -> None:
        changes = read_patch(req, MOVEMENTS)
        movement = self._movements.patch(read_id(movement_id), changes, read_revisions(req))
        answer(req, resp, MOVEMENTS, movement)

    @MOVEMENTS.deletes
    def on_delete(self, req: Request, resp: Response, movement_id: str) -> None:
        self._movements.delete(read_id(movement_id), read_revisions(req))
        resp.status = HTTP_204
