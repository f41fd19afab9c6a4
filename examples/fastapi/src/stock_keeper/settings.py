"""The service's settings."""

from .runtime import settings


class Settings(settings.Settings):
    """Add your own here: a field `greeting: str = "hello"` is read from GREETING."""
