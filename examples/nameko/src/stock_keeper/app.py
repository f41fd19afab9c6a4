"""The application."""

from .health import CHECKS
from .movements.routes import MovementRoutes
from .movements.service import Movements
from .products.routes import ProductRoutes
from .products.service import Products
from .runtime.service import Service
from .settings import Settings


def create_app(settings: Settings | None = None) -> Service:
    """Create the application; `settings` default to those of the environment."""
    app = Service(settings, CHECKS)
    # An access check goes here: app.before_request(check).
    app.add_service(ProductRoutes, Products)
    app.add_service(MovementRoutes, Movements)
    return app
