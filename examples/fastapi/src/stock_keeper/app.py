"""Where the service is put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from . import health
from .items import routes as items
from .runtime.database import READINESS_SECONDS, Database
from .runtime.service import Service
from .runtime.settings import Settings
from .runtime.threads import Threads


def create_app(settings: Settings) -> FastAPI:
    """The application, as a factory: each call makes one that stands alone."""
    app = Service(settings, lifespan=lifespan)
    app.include_router(health.router)
    # A check of who may call goes here: dependencies=[Depends(your_check)].
    app.include_router(items.router)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The database, and the threads that wait for it, as long as the application runs."""
    settings: Settings = app.state.settings
    app.state.database = Database(settings)
    app.state.threads = Threads(settings.database_timeout_seconds)
    app.state.probe_threads = Threads(READINESS_SECONDS)
    yield
    app.state.threads.close()
    app.state.probe_threads.close()
    app.state.database.close()
