"""Movements over HTTP: one resource for the list, one for a row."""

from flask import Response, url_for
from flask_restful import Api, Resource

from ..runtime.api import PageParser
from ..runtime.http import read_id
from ..runtime.service import (
    answer,
    answer_page,
    database,
    read_content,
    read_key,
    read_patch,
    read_revisions,
)
from ..runtime.store import Store
from .model import MOVEMENTS, Movement, MovementContent

page = PageParser(MOVEMENTS)


def add_resources(api: Api) -> None:
    api.add_resource(MovementList, MOVEMENTS.path, endpoint="movements")
    api.add_resource(SingleMovement, MOVEMENTS.path + "/<movement_id>", endpoint="movement")


def movements() -> Store[Movement, MovementContent]:
    return Store(MOVEMENTS, database())


class MovementList(Resource):
    @MOVEMENTS.lists
    def get(self) -> Response:
        return answer_page(MOVEMENTS, movements().page(page.parse_page()))

    @MOVEMENTS.creates
    def post(self) -> Response:
        movement = movements().create(read_content(MOVEMENTS), idempotency_key=read_key())
        return answer(
            MOVEMENTS, movement, 201, location=url_for("movement", movement_id=movement.id)
        )


class SingleMovement(Resource):
    @MOVEMENTS.reads
    def get(self, movement_id: str) -> Response:
        return answer(MOVEMENTS, movements().get(read_id(movement_id)))

    @MOVEMENTS.replaces
    def put(self, movement_id: str) -> Response:
        content = read_content(MOVEMENTS)
        return answer(
            MOVEMENTS, movements().replace(read_id(movement_id), content, read_revisions())
        )

    @MOVEMENTS.patches
    def patch(self, movement_id: str) -> Response:
        changes = read_patch(MOVEMENTS)
        return answer(MOVEMENTS, movements().patch(read_id(movement_id), changes, read_revisions()))

    @MOVEMENTS.deletes
    def delete(self, movement_id: str) -> Response:
        movements().delete(read_id(movement_id), read_revisions())
        return Response(status=204)
