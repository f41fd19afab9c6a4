"""The application."""

from .health import CHECKS
from .movements import routes as movements
from .products import routes as products
from .runtime.service import Service
from .settings import Settings


def create_app(settings: Settings | None = None) -> Service:
    """Create the application; `settings` default to those of the environment."""
    app = Service(settings, CHECKS)
    # An access check goes here: app.add_middleware(Guard()).
    products.add_routes(app)
    movements.add_routes(app)
    return app
