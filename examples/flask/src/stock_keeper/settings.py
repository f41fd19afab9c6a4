"""The service's settings."""

from .runtime import settings


class Settings(settings.Settings):
    """Add your own settings: `greeting: str = "hello"` is read from GREETING."""
