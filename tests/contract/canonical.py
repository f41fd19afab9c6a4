"""The part of an OpenAPI document that has to be equal on all services, in one fixed form.

References are resolved, words for people and names of components are left out, and what has no
order is sorted, so that two documents that promise the same are the same. ``openapi.json`` beside
this file is the document that all are compared with, without its words:

    python -m tests.contract.canonical http://127.0.0.1:8000/openapi.json > openapi.json

``openapi-rich.json`` is the same of the services with the rich declaration; ``rich`` in the place
of the address makes such a service of Flask and asks that one.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

WORDS = {"title", "description", "summary", "tags", "externalDocs", "example", "examples"}
NAMES = {"operationId", "components", "info", "servers", "links", "jsonSchemaDialect", "$schema"}
UNORDERED = {"required", "enum", "type"}
NAMED_BY_USERS = {"properties", "headers", "paths", "responses", "content", "patternProperties"}
"""Below these a key is a name of the interface, whatever it is called."""


def canonical(document: dict[str, Any]) -> Any:
    """The document's ``paths`` in a form that compares by meaning."""
    return reduced(document["paths"], document, named=True)


def reduced(node: Any, document: dict[str, Any], *, named: bool = False) -> Any:
    if isinstance(node, list):
        return [reduced(entry, document) for entry in node]
    if not isinstance(node, dict):
        return node
    node = resolved(node, document)
    kept = node if named else {k: v for k, v in node.items() if k not in WORDS | NAMES}
    result = {}
    for key, value in kept.items():
        entry = reduced(value, document, named=not named and key in NAMED_BY_USERS)
        if key == "parameters":
            entry = sorted(entry, key=lambda parameter: (parameter["in"], parameter["name"]))
        elif key in UNORDERED and isinstance(entry, list) and not named:
            entry = sorted(entry, key=json.dumps)
        elif key in {"anyOf", "oneOf", "allOf"} and isinstance(entry, list):
            entry = sorted(entry, key=lambda option: json.dumps(option, sort_keys=True))
        result[key.lower() if named and key not in {"properties"} else key] = entry
    return dict(sorted(result.items()))


def resolved(node: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference; what stands beside it counts too (OpenAPI 3.1)."""
    if "$ref" not in node:
        return node
    target: Any = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part.replace("~1", "/").replace("~0", "~")]
    beside = {key: value for key, value in node.items() if key != "$ref"}
    return resolved(target, document) | beside


def speechless(node: Any, *, named: bool = False) -> Any:
    """The node without words for people; still a document, with its references."""
    if isinstance(node, list):
        return [speechless(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    return {
        key: speechless(value, named=not named and key in NAMED_BY_USERS)
        for key, value in node.items()
        if named or key not in WORDS - {"title"}
    }


def document_of(declaration: str) -> Any:
    """The document of a service of Flask that is made of a declaration."""
    from scaffold.resources import short_form
    from tests.contract.declarations import SHORT_FORMS, as_data
    from tests.services import Projects

    with tempfile.TemporaryDirectory() as folder:
        resources = as_data(short_form.parse_all(SHORT_FORMS[declaration]))
        project = Projects(Path(folder)).made("flask", declaration, resources=resources)
        settings = {"DATABASE_URL": f"sqlite:///{folder}/rows.db"}
        with project.service(settings) as service:
            return service.http.get("/openapi.json").json()


if __name__ == "__main__":
    source = sys.argv[1]
    document = httpx.get(source).json() if "://" in source else document_of(source)
    json.dump(speechless(document), sys.stdout, indent=2)
    sys.stdout.write("\n")
