"""Movements over HTTP, and their changes over a WebSocket."""

from ..runtime.http import read_id
from ..runtime.service import Handler, route, stream_route
from ..runtime.stream import StreamedStore
from .model import MOVEMENTS, Movement, MovementContent


class MovementHandler(Handler):
    @property
    def movements(self) -> StreamedStore[Movement, MovementContent]:
        return StreamedStore(MOVEMENTS, self.application.database, self.application.stream)


class Movements(MovementHandler):
    @MOVEMENTS.lists
    async def get(self) -> None:
        self.answer_page(
            MOVEMENTS, await self.in_thread(self.movements.page, self.read_query(MOVEMENTS))
        )

    @MOVEMENTS.creates
    async def post(self) -> None:
        content, idempotency_key = self.read_content(MOVEMENTS), self.read_key()
        movement = await self.in_thread(
            self.movements.create, content, idempotency_key=idempotency_key
        )
        self.answer(MOVEMENTS, movement, 201, location=self.reverse_url("movement", movement.id))


class OneMovement(MovementHandler):
    @MOVEMENTS.reads
    async def get(self, movement_id: str) -> None:
        self.answer(MOVEMENTS, await self.in_thread(self.movements.get, read_id(movement_id)))

    @MOVEMENTS.replaces
    async def put(self, movement_id: str) -> None:
        content, revisions = self.read_content(MOVEMENTS), self.read_revisions()
        movement = await self.in_thread(
            self.movements.replace, read_id(movement_id), content, revisions
        )
        self.answer(MOVEMENTS, movement)

    @MOVEMENTS.patches
    async def patch(self, movement_id: str) -> None:
        changes, revisions = self.read_patch(MOVEMENTS), self.read_revisions()
        movement = await self.in_thread(
            self.movements.patch, read_id(movement_id), changes, revisions
        )
        self.answer(MOVEMENTS, movement)

    @MOVEMENTS.deletes
    async def delete(self, movement_id: str) -> None:
        await self.in_thread(self.movements.delete, read_id(movement_id), self.read_revisions())
        self.set_status(204)


routes = [
    stream_route(MOVEMENTS),
    route(MOVEMENTS.path, Movements),
    route(MOVEMENTS.path + "/{movement_id}", OneMovement, name="movement"),
]
