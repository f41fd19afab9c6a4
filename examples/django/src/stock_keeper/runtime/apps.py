"""The infrastructure as a Django application."""

from django.apps import AppConfig
from django.conf import settings


class RuntimeConfig(AppConfig):
    """Puts the service's middleware around your own."""

    name = __package__
    label = "runtime"

    def ready(self) -> None:
        first, last = (f"{__package__}.middleware.{name}" for name in ("First", "Last"))
        if first not in settings.MIDDLEWARE:
            settings.MIDDLEWARE = [first, *settings.MIDDLEWARE, last]
