"""The service: `app` connects the resources, one folder each; `runtime` is infrastructure."""

import warnings
from typing import Final

# Pyramid and WebOb still use these two deprecated modules, which warn at every start.
warnings.filterwarnings("ignore", ".*pkg_resources")
warnings.filterwarnings("ignore", "'cgi' is deprecated")

NAME: Final = "stock-keeper"
DEFAULT_DATABASE_URL: Final = "postgresql://localhost/stock_keeper"
