"""The service: `app` wires it, `items` is its example resource, `runtime` what it stands on."""

import warnings
from typing import Final

# Pyramid and WebOb still stand on these two, which say at every start that they will go.
warnings.filterwarnings("ignore", ".*pkg_resources")
warnings.filterwarnings("ignore", "'cgi' is deprecated")

NAME: Final = "stock-keeper"
DEFAULT_DATABASE_URL: Final = "postgresql://localhost/stock_keeper"
