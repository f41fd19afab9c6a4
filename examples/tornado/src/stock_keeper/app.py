"""Where the service is put together."""

from . import health
from .items import routes as items
from .runtime.settings import Settings
from .runtime.web import Service


def create_app(settings: Settings) -> Service:
    """The application, as a factory: each call makes one that stands alone."""
    routes = [
        *health.routes,
        *items.routes,
    ]
    # A check of who may call goes here: Service(settings, routes, your_check).
    return Service(settings, routes)
