"""The application."""

from .health import CHECKS
from .movements import routes as movements
from .products import routes as products
from .runtime.service import Service
from .settings import Settings


def create_app(settings: Settings | None = None) -> Service:
    """Create the application; `settings` default to those of the environment."""
    routes = [
        *products.routes,
        *movements.routes,
    ]
    # An access check goes here: Service(settings, CHECKS, routes, check=check).
    return Service(settings, CHECKS, routes)
