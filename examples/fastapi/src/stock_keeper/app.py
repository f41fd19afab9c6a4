"""The application."""

from fastapi import FastAPI

from .health import CHECKS
from .movements import routes as movements
from .products import routes as products
from .runtime.service import Service
from .settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the application; `settings` default to those of the environment."""
    # An access check for all routes goes here: dependencies=[Depends(check)].
    app = Service(settings, CHECKS)
    app.include_router(products.router)
    app.include_router(movements.router)
    return app
