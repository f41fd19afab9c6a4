"""Movements over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from ..runtime.http import read_id
from ..runtime.resource import PageRequest
from ..runtime.routing import IdempotencyKey, Revisions, RowId, read_patch, read_query
from ..runtime.service import answer, answer_page, database, in_thread
from ..runtime.store import Store
from .model import MOVEMENTS, Movement, MovementContent

router = APIRouter(prefix=MOVEMENTS.path, tags=[MOVEMENTS.plural])


async def movement_store(request: Request) -> Store[Movement, MovementContent]:
    return Store(MOVEMENTS, database(request))


Movements = Annotated[Store[Movement, MovementContent], Depends(movement_store)]
MovementQuery = Annotated[PageRequest, Depends(read_query(MOVEMENTS))]
MovementPatch = Annotated[dict[str, Any], Depends(read_patch(MOVEMENTS))]


@router.get("", response_model=MOVEMENTS.page_view)
@MOVEMENTS.lists
async def list_movements(request: Request, movements: Movements, query: MovementQuery) -> Response:
    page = await in_thread(request, movements.page, query)
    return answer_page(request, MOVEMENTS, page)


@router.post("", response_model=MOVEMENTS.view, status_code=201)
@MOVEMENTS.creates
async def create_movement(
    request: Request,
    movements: Movements,
    content: MovementContent,
    idempotency_key: IdempotencyKey,
) -> Response:
    movement = await in_thread(request, movements.create, content, idempotency_key=idempotency_key)
    location = request.app.url_path_for("get_movement", movement_id=movement.id)
    return answer(request, MOVEMENTS, movement, 201, location=location)


@router.get("/{movement_id}", response_model=MOVEMENTS.view)
@MOVEMENTS.reads
async def get_movement(request: Request, movements: Movements, movement_id: RowId) -> Response:
    movement = await in_thread(request, movements.get, read_id(movement_id))
    return answer(request, MOVEMENTS, movement)


@router.put("/{movement_id}", response_model=MOVEMENTS.view)
@MOVEMENTS.replaces
async def replace_movement(
    request: Request,
    movements: Movements,
    movement_id: RowId,
    content: MovementContent,
    revisions: Revisions,
) -> Response:
    movement = await in_thread(request, movements.replace, read_id(movement_id), content, revisions)
    return answer(request, MOVEMENTS, movement)


@router.patch("/{movement_id}", response_model=MOVEMENTS.view)
@MOVEMENTS.patches
async def patch_movement(
    request: Request,
    movements: Movements,
    movement_id: RowId,
    changes: MovementPatch,
    revisions: Revisions,
) -> Response:
    movement = await in_thread(request, movements.patch, read_id(movement_id), changes, revisions)
    return answer(request, MOVEMENTS, movement)


@router.delete("/{movement_id}", status_code=204)
@MOVEMENTS.deletes
async def delete_movement(
    request: Request, movements: Movements, movement_id: RowId, revisions: Revisions
) -> Response:
    await in_thread(request, movements.delete, read_id(movement_id), revisions)
    return Response(status_code=204)
