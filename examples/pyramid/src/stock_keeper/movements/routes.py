"""Movements over HTTP: their routes, and a view for each method."""

from uuid import UUID

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

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


def includeme(config: Configurator) -> None:
    config.add_resource("movements", MOVEMENTS.path, GET=list_movements, POST=create_movement)
    config.add_resource(
        "movement",
        MOVEMENTS.path + "/{movement_id}",
        GET=get_movement,
        PUT=replace_movement,
        PATCH=patch_movement,
        DELETE=delete_movement,
    )


def movements(request: Request) -> Store[Movement, MovementContent]:
    return Store(MOVEMENTS, database(request))


def movement_id(request: Request) -> UUID:
    return read_id(request.matchdict["movement_id"])


@MOVEMENTS.lists
def list_movements(request: Request) -> Response:
    return answer_page(request, MOVEMENTS, movements(request).page(read_query(request, MOVEMENTS)))


@MOVEMENTS.creates
def create_movement(request: Request) -> Response:
    content, idempotency_key = read_content(request, MOVEMENTS), read_key(request)
    movement = movements(request).create(content, idempotency_key=idempotency_key)
    location = request.route_path("movement", movement_id=movement.id)
    return answer(request, MOVEMENTS, movement, 201, location=location)


@MOVEMENTS.reads
def get_movement(request: Request) -> Response:
    return answer(request, MOVEMENTS, movements(request).get(movement_id(request)))


@MOVEMENTS.replaces
def replace_movement(request: Request) -> Response:
    content = read_content(request, MOVEMENTS)
    movement = movements(request).replace(movement_id(request), content, read_revisions(request))
    return answer(request, MOVEMENTS, movement)


@MOVEMENTS.patches
def patch_movement(request: Request) -> Response:
    changes = read_patch(request, MOVEMENTS)
    movement = movements(request).patch(movement_id(request), changes, read_revisions(request))
    return answer(request, MOVEMENTS, movement)


@MOVEMENTS.deletes
def delete_movement(request: Request) -> Response:
    movements(request).delete(movement_id(request), read_revisions(request))
    return Response(status=204)
