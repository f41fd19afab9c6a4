"""The application."""

from flask import Flask

from .health import CHECKS
from .movements import routes as movements
from .products import routes as products
from .runtime.api import Api
from .runtime.service import Service
from .settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Create the application; `settings` default to those of the environment."""
    app = Service(settings, CHECKS)
    api = Api(app)
    # An access check goes here: app.before_request(check).
    products.add_resources(api)
    movements.add_resources(api)
    return app
