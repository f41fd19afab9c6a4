"""The application."""

from flask import Flask

from .health import CHECKS
from .items import routes as items
from .runtime.api import Api
from .runtime.service import Service
from .settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Create the application; without `settings` they are read from the environment."""
    app = Service(settings, CHECKS)
    api = Api(app)
    # An access check goes here: app.before_request(check).
    items.add_resources(api)
    return app
