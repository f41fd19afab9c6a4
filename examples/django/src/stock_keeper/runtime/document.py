"""The OpenAPI document, from drf-spectacular for the views and `openapi.json` for the rest."""

import json
import re
from functools import cached_property
from importlib import import_module, metadata, resources
from typing import Any

from django.urls import Resolver404, resolve

from .. import NAME

Document = dict[str, Any]

_RUNTIME = resources.files(__name__.rpartition(".")[0])
# `<str:item_id>`, and the admin's own `(?P<url>.*)$`.
_PARAMETER = re.compile(r"(?:\(\?P)?<(?:\w+:)?(\w+)>(?:[^)/]*\)\$?)?")


class ApiDocument:
    """The document of the service, generated when it is first needed."""

    def __init__(self, root_path: str = "") -> None:
        self._servers = {"servers": [{"url": root_path}]} if root_path else {}

    @cached_property
    def content(self) -> Document:
        """The document in OpenAPI 3.1."""
        # Imported here because Django has to be set up first.
        schema = import_module(".schema", __package__)
        generated: Document = schema.generate()
        document: Document = json.loads((_RUNTIME / "openapi.json").read_text(encoding="utf-8"))
        document["info"] |= {"title": NAME, "version": metadata.version(NAME)}
        tags = dict.fromkeys(
            tag
            for path in generated["paths"].values()
            for operation in path.values()
            for tag in operation.get("tags", ())
        )
        words = {name: text for name, text in schema.ResourceSchema.tags.items() if text}
        own = [
            {"name": tag} | ({"description": words[tag]} if tag in words else {}) for tag in tags
        ]
        document["tags"] = own + document["tags"]
        document["paths"] = generated["paths"] | document["paths"]
        for kind, components in generated.get("components", {}).items():
            document["components"][kind] = document["components"].get(kind, {}) | components
        return document

    @cached_property
    def body(self) -> bytes:
        """The document as compact JSON in UTF-8."""
        content = self.content | self._servers
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()

    def route_of(self, path: str) -> str:
        """The path template that `path` matches, or ""."""
        try:
            return template(resolve(path).route)
        except Resolver404:
            return ""

    def query_parameters(self, path: str, method: str) -> frozenset[str]:
        """The names of the query parameters that an operation accepts."""
        if (path, method) not in self._query_parameters:
            operation = self.content["paths"].get(path, {}).get(method, {})
            self._query_parameters[path, method] = frozenset(
                found["name"]
                for parameter in operation.get("parameters", ())
                if (found := self._resolved(parameter))["in"] == "query"
            )
        return self._query_parameters[path, method]

    @cached_property
    def _query_parameters(self) -> dict[tuple[str, str], frozenset[str]]:
        return {}

    def _resolved(self, parameter: Document) -> Document:
        name = parameter.get("$ref", "").rpartition("/")[2]
        return self.content["components"]["parameters"][name] if name else parameter


def template(route: str) -> str:
    """A Django route in the format of the OpenAPI document."""
    return "/" + _PARAMETER.sub(r"{\1}", route)
