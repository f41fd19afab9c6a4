"""FastAPI, bare: a plain function, which FastAPI calls in a thread, and a model of its answer."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import FastAPI, HTTPException
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from pydantic import BaseModel

from .environment import HOST, PORT
from .item import read

application = FastAPI()


class Item(BaseModel):
    """What is answered."""

    id: UUID
    name: str
    quantity: int
    created_at: datetime
    updated_at: datetime


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
