"""The application."""

from .health import CHECKS
from .runtime.service import Service
from .settings import Settings


def create_app(settings: Settings | None = None) -> Service:
    """Create the application; `settings` default to those of the environment.

    Its parts are listed in `django_settings` and `urls`.
    """
    return Service(settings, CHECKS)
