"""The application."""

from pyramid.router import Router

from .health import CHECKS
from .runtime.service import configure
from .security import Anyone
from .settings import Settings


def create_app(settings: Settings | None = None) -> Router:
    """Create the application; without `settings` they are read from the environment."""
    config = configure(settings, CHECKS)
    config.set_security_policy(Anyone())
    config.include(".items.routes")
    return config.make_wsgi_app()
