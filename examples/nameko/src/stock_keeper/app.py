"""The application."""

from .health import CHECKS
from .items.routes import ItemRoutes
from .items.service import Items
from .runtime.service import Service
from .settings import Settings


def create_app(settings: Settings | None = None) -> Service:
    """Create the application; without `settings` they are read from the environment."""
    app = Service(settings, CHECKS)
    # An access check goes here: app.before_request(check).
    app.add_service(ItemRoutes, Items)
    return app
