"""The application."""

from flask import Flask

from .health import CHECKS
from .movements import routes as movements
from .products import routes as products
from .runtime.service import Service
from .settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Create the application; `settings` default to those of the environment."""
    app = Service(settings, CHECKS)
    # An access check goes here: app.before_request(check).
    app.register_blueprint(products.blueprint)
    app.register_blueprint(movements.blueprint)
    return app
