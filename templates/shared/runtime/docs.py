"""The page that shows the OpenAPI document."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple


class Page(NamedTuple):
    body: bytes
    content_type: str
    headers: Mapping[str, str]


@cache
def pages() -> Mapping[str, Page]:
    """Every page by its path."""
    headers = {"Content-Security-Policy": "default-src 'none'"}
    return {"/docs": Page(b"<!doctype html>", "text/html; charset=utf-8", headers)}
