"""No error page: this framework does not have one for development."""

from typing import Any


def show_errors(_: Any) -> None:
    """Leave the response as it is; the traceback is in the log."""
