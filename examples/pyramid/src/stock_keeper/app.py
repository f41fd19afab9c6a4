"""The application."""

from .health import CHECKS
from .runtime.service import Service, configure
from .security import Anyone
from .settings import Settings


def create_app(settings: Settings | None = None) -> Service:
    """Create the application; `settings` default to those of the environment."""
    config = configure(settings, CHECKS)
    config.set_security_policy(Anyone())
    config.include(".products.routes")
    config.include(".movements.routes")
    app: Service = config.make_wsgi_app()
    return app
