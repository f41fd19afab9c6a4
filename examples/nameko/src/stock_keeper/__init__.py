"""The service: `app` wires it, `items` is its example resource, `runtime` what it stands on."""

from typing import Final

from .runtime import green as green  # before anything else

NAME: Final = "stock-keeper"
DEFAULT_DATABASE_URL: Final = "postgresql://localhost/stock_keeper"
