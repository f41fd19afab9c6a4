"""The service: `app` wires its resources, a folder each; `runtime` is what they stand on."""

from typing import Final

NAME: Final = "stock-keeper"
DEFAULT_DATABASE_URL: Final = "postgresql://localhost/stock_keeper"
