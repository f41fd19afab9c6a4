"""The service: `app` connects the resources, one folder each; `runtime` is infrastructure."""

from typing import Final

NAME: Final = "stock-keeper"
DEFAULT_DATABASE_URL: Final = "postgresql://localhost/stock_keeper"
