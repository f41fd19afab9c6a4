"""The API document, made by FastAPI of the routes and completed here, and the page that shows it.

`openapi.json` beside this module is what all services have in common: health, metrics, problems.
"""

import json
import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

Document = dict[str, Any]

_RUNTIME = resources.files(__name__.rpartition(".")[0])
_REQUEST_ID = {"$ref": "#/components/headers/X-Request-ID"}
# What FastAPI would answer to values that are not valid.
_NOT_OURS = frozenset({"HTTPValidationError", "ValidationError"})


def complete(made: Document) -> Document:
    """The whole OpenAPI 3.1 document: what FastAPI made of the routes, and what all services have.

    Raises ValueError if an operation, a component or anything else is described twice.
    """
    base = _read(_RUNTIME)
    document: Document = {"openapi": base.pop("openapi"), "info": base.pop("info") | made["info"]}
    for part in (_of_routes(made), base):
        _merge(document, part)
    return document


def _of_routes(made: Document) -> Document:
    for operation in (one for path in made["paths"].values() for one in path.values()):
        responses = operation["responses"]
        if "content" in responses.get("422", ()):
            del responses["422"]  # FastAPI adds it wherever there is a parameter
        for response in responses.values():
            if "$ref" in response:
                del response["description"]  # no more than the status, where the problem says more
            else:
                response["headers"] = {"X-Request-ID": _REQUEST_ID, **response.get("headers", {})}
    schemas = made.get("components", {}).get("schemas", {})
    part: Document = _untitled(
        {
            "tags": made.get("tags", []),
            "paths": made["paths"],
            "components": {"schemas": {k: v for k, v in schemas.items() if k not in _NOT_OURS}},
        }
    )
    return part


def _untitled(value: Any) -> Any:
    """Without the titles that pydantic makes of names; a property may well be called title."""
    if isinstance(value, list):
        return [_untitled(one) for one in value]
    if isinstance(value, dict):
        return {
            key: _untitled(one)
            for key, one in value.items()
            if not (key == "title" and isinstance(one, str))
        }
    return value


@cache
def docs_page() -> bytes:
    """The page that shows `./openapi.json` and tries it: HTML in UTF-8, asking no other host."""
    return (_RUNTIME / "docs.html").read_bytes()


@cache
def docs_policy() -> str:
    """The Content-Security-Policy to send with the page: its own script and style, nothing else."""
    script, style = (_inline_hash(tag) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _read(folder: Traversable) -> Document:
    document: Document = json.loads((folder / "openapi.json").read_text(encoding="utf-8"))
    return document


def _merge(whole: Document, part: Document, *where: str) -> None:
    """Add a part: lists at the top are joined, mappings too, down to operations and components."""
    for key, value in part.items():
        if key not in whole:
            whole[key] = value
        elif isinstance(value, dict) and len(where) < 2:
            _merge(whole[key], value, *where, key)
        elif isinstance(value, list) and not where:
            whole[key] += value
        else:
            raise ValueError(f"openapi.json: {' '.join((*where, key))} is described twice")


def _inline_hash(tag: str) -> str:
    """The CSP source of the page's one inline `<tag>`: the digest of its exact text."""
    (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>".encode(), docs_page(), re.DOTALL)
    return f"'sha256-{b64encode(sha256(text).digest()).decode()}'"
