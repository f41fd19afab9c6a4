"""Where the service is put together."""

from werkzeug.wrappers import Request

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

    @staticmethod
    def check(request: Request) -> None:
        """Raise a `Problem` for a caller who may not: every request but /livez comes here first."""


def create_app(settings: Settings) -> Service:
    """Everything that runs: the HTTP face, and the service classes for messages."""
    return Service(settings, Web, Items)
