"""Calls to other services."""

from .client import Client
from .dependency import CallFailed

__all__ = ["CallFailed", "Client"]
