"""FastAPI, raw: asynchronous functions that answer with a response, past its models."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from granian import Granian
from granian.constants import HTTPModes, Interfaces

from ..bare.environment import HOST, PORT
from .asynchronous import create, page, read, start
from .driver import LIVE


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    await start()
    yield


application = FastAPI(lifespan=lifespan)


@application.get("/livez")
async def live() -> JSONResponse:
    return JSONResponse(LIVE)


@application.get("/v1/items")
async def list_items(request: Request) -> JSONResponse:
    return JSONResponse(await page(request.url.query))


@application.post("/v1/items")
async def create_item(request: Request) -> JSONResponse:
    return JSONResponse(await create(await request.json()), 201)


@application.get("/v1/items/{item_id}")
async def get_item(item_id: str) -> JSONResponse:
    item = await read(item_id)
    if item is None:
        raise HTTPException(404)
    return JSONResponse(item)


if __name__ == "__main__":
    Granian(
        "benchmarks.raw.fastapi:application",
        address=HOST,
        port=PORT,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        log_enabled=False,
    ).serve()
