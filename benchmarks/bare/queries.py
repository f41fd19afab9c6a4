"""What a twin asks: SQLAlchemy's queries, or those of the raw twins where QUERIES=raw."""

import os

if os.environ.get("QUERIES") == "raw":
    from ..raw.driver import LIVE, create, page, read
else:
    from .item import LIVE, create, page, read

__all__ = ["LIVE", "create", "page", "read"]
