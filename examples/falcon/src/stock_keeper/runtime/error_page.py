"""The page that shows an unexpected error to a browser in development: this framework has none."""

from typing import Any


def show_errors(_: Any) -> None:
    """Leave the response as it is; the traceback is in the log."""
