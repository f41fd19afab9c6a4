"""Where the service is put together."""

from . import NAME, health
from .items import routes as items
from .items.service import Items
from .runtime.messaging import Trace
from .runtime.service import Service
from .runtime.settings import Settings


class Web(health.Routes, items.Routes):
    """The HTTP face: a class for the routes of each resource."""

    name = NAME
    trace = Trace()
    # A check of who may call is one more dependency, whose worker_setup refuses.


def create_app(settings: Settings) -> Service:
    """Everything that runs: the HTTP face, and the service classes for messages."""
    return Service(settings, Web, Items)
