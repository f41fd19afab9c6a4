"""Movements over HTTP."""

from flask import Blueprint, Response, url_for

from ..runtime.http import read_id
from ..runtime.service import (
    answer,
    answer_page,
    database,
    read_content,
    read_key,
    read_patch,
    read_query,
    read_revisions,
)
from ..runtime.store import Store
from .model import MOVEMENTS, Movement, MovementContent

blueprint = Blueprint("movements", __name__, url_prefix=MOVEMENTS.path)


def movements() -> Store[Movement, MovementContent]:
    return Store(MOVEMENTS, database())


@blueprint.get("")
@MOVEMENTS.lists
def list_movements() -> Response:
    return answer_page(MOVEMENTS, movements().page(read_query(MOVEMENTS)))


@blueprint.post("")
@MOVEMENTS.creates
def create_movement() -> Response:
    movement = movements().create(read_content(MOVEMENTS), idempotency_key=read_key())
    return answer(
        MOVEMENTS, movement, 201, location=url_for(".get_movement", movement_id=movement.id)
    )


@blueprint.get("/<movement_id>")
@MOVEMENTS.reads
def get_movement(movement_id: str) -> Response:
    return answer(MOVEMENTS, movements().get(read_id(movement_id)))


@blueprint.put("/<movement_id>")
@MOVEMENTS.replaces
def replace_movement(movement_id: str) -> Response:
    content = read_content(MOVEMENTS)
    return answer(MOVEMENTS, movements().replace(read_id(movement_id), content, read_revisions()))


@blueprint.patch("/<movement_id>")
@MOVEMENTS.patches
def patch_movement(movement_id: str) -> Response:
    changes = read_patch(MOVEMENTS)
    return answer(MOVEMENTS, movements().patch(read_id(movement_id), changes, read_revisions()))


@blueprint.delete("/<movement_id>")
@MOVEMENTS.deletes
def delete_movement(movement_id: str) -> Response:
    movements().delete(read_id(movement_id), read_revisions())
    return Response(status=204)
