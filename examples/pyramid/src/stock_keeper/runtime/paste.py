"""The application for Pyramid's command line, referenced by `development.ini`."""

from importlib import import_module
from typing import Any


def main(global_config: object, **settings: str) -> Any:
    """Create the application; its settings are read from the environment as usual."""
    return import_module("..app", __package__).create_app()
