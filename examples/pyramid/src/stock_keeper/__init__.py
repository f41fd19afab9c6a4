"""The service: `app` wires its resources, a folder each; `runtime` is what they stand on."""

import warnings
from typing import Final

# Pyramid and WebOb still stand on these two, which say at every start that they will go.
warnings.filterwarnings("ignore", ".*pkg_resources")
warnings.filterwarnings("ignore", "'cgi' is deprecated")

NAME: Final = "stock-keeper"
DEFAULT_DATABASE_URL: Final = "postgresql://localhost/stock_keeper"
