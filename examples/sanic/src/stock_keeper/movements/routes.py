"""Movements over HTTP."""

from sanic import Blueprint, HTTPResponse, empty

from ..runtime.http import read_id
from ..runtime.service import (
    Request,
    answer,
    answer_page,
    read_content,
    read_key,
    read_patch,
    read_query,
    read_revisions,
)
from ..runtime.stream import StreamedStore
from ..runtime.websocket import stream_route
from .model import MOVEMENTS, Movement, MovementContent

blueprint = Blueprint("movements", url_prefix=MOVEMENTS.path)
stream_route(blueprint, MOVEMENTS)


def movements(request: Request) -> StreamedStore[Movement, MovementContent]:
    return StreamedStore(MOVEMENTS, request.app.database, request.app.stream)


@blueprint.get("")
@MOVEMENTS.lists
async def list_movements(request: Request) -> HTTPResponse:
    page = await request.app.in_thread(movements(request).page, read_query(request, MOVEMENTS))
    return answer_page(request, MOVEMENTS, page)


@blueprint.post("")
@MOVEMENTS.creates
async def create_movement(request: Request) -> HTTPResponse:
    content, idempotency_key = read_content(request, MOVEMENTS), read_key(request)
    movement = await request.app.in_thread(
        movements(request).create, content, idempotency_key=idempotency_key
    )
    location = request.app.url_for("movements.get_movement", movement_id=movement.id)
    return answer(request, MOVEMENTS, movement, 201, location)


@blueprint.get("/<movement_id>")
@MOVEMENTS.reads
async def get_movement(request: Request, movement_id: str) -> HTTPResponse:
    movement = await request.app.in_thread(movements(request).get, read_id(movement_id))
    return answer(request, MOVEMENTS, movement)


@blueprint.put("/<movement_id>")
@MOVEMENTS.replaces
async def replace_movement(request: Request, movement_id: str) -> HTTPResponse:
    content, revisions = read_content(request, MOVEMENTS), read_revisions(request)
    movement = await request.app.in_thread(
        movements(request).replace, read_id(movement_id), content, revisions
    )
    return answer(request, MOVEMENTS, movement)


@blueprint.patch("/<movement_id>")
@MOVEMENTS.patches
async def patch_movement(request: Request, movement_id: str) -> HTTPResponse:
    changes, revisions = read_patch(request, MOVEMENTS), read_revisions(request)
    movement = await request.app.in_thread(
        movements(request).patch, read_id(movement_id), changes, revisions
    )
    return answer(request, MOVEMENTS, movement)


@blueprint.delete("/<movement_id>")
@MOVEMENTS.deletes
async def delete_movement(request: Request, movement_id: str) -> HTTPResponse:
    await request.app.in_thread(
        movements(request).delete, read_id(movement_id), read_revisions(request)
    )
    return empty()
