"""How requests are read and responses written, whatever their headers say."""

from typing import Any

from pydantic_core import from_json
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from .http import check_values, not_json

MERGE_PATCH = "application/merge-patch+json"


class StrictJSONParser(BaseParser):
    """JSON in UTF-8, bounded in its depth and in the length of its numbers."""

    media_type = "application/json"

    def parse(self, stream: Any, *_: Any, **__: Any) -> Any:
        body = stream.read()
        check_values(body)
        try:
            return from_json(body)
        except ValueError:
            raise not_json() from None


class MergePatchParser(StrictJSONParser):
    """A JSON merge patch (RFC 7396)."""

    media_type = MERGE_PATCH


class JSONOnly(DefaultContentNegotiation):
    """Always selects JSON, whatever the client accepts."""

    def select_renderer(self, request: Request, renderers: Any, *_: Any, **__: Any) -> Any:
        return renderers[0], renderers[0].media_type
