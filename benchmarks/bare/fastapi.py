"""FastAPI, bare: plain functions, which FastAPI calls in a thread, and models of what goes by."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import FastAPI, HTTPException, Request
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from pydantic import BaseModel

from .environment import HOST, PORT
from .item import LIVE, create, page, read

application = FastAPI()


class ItemContent(BaseModel):
    """What is sent."""

    name: str
    quantity: int = 0


class Item(BaseModel):
    """What is answered."""

    id: UUID
    name: str
    quantity: int
    created_at: datetime
    updated_at: datetime


class ItemPage(BaseModel):
    """Some of the items, and where to go on."""

    items: list[Item]
    next_cursor: str | None


@application.get("/livez")
async def live() -> dict[str, str]:
    return LIVE


@application.get("/v1/items", response_model=ItemPage)
def list_items(request: Request) -> dict[str, Any]:
    return page(request.url.query)


@application.post("/v1/items", status_code=201, response_model=Item)
def create_item(content: ItemContent) -> dict[str, Any]:
    return create(content.model_dump())


@application.get("/v1/items/{item_id}", response_model=Item)
def get_item(item_id: str) -> dict[str, Any]:
    item = read(item_id)
    if item is None:
        raise HTTPException(404)
    return item


if __name__ == "__main__":
    Granian(
        "benchmarks.bare.fastapi:application",
        address=HOST,
        port=PORT,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        log_enabled=False,
    ).serve()
