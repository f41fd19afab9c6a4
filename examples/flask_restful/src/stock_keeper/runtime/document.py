"""The API document and the page that shows it, both read from files and sent as they are.

`openapi.json` beside this module is the base: health, metrics, problems. The `openapi.json` in
each other folder of the package is what that resource adds, so removing the folder is enough.
"""

import json
import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from typing import Any

from .. import NAME

Document = dict[str, Any]

_PACKAGE = resources.files(__name__.partition(".")[0])
_RUNTIME = resources.files(__name__.rpartition(".")[0])


def load_document(title: str, version: str) -> Document:
    """The whole OpenAPI 3.1 document, resources first, in the order of their folders' names.

    Raises ValueError if an operation, a component or anything else is described twice.
    """
    base = _read(_RUNTIME)
    document: Document = {
        "openapi": base.pop("openapi"),
        "info": base.pop("info") | {"title": title, "version": version},
    }
    for part in (*map(_read, _resources()), base):
        _merge(document, part)
    return document


@cache
def document_bytes() -> bytes:
    """The document of this service as compact JSON, in UTF-8."""
    document = load_document(NAME, metadata.version(NAME))
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


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


def route_of(path: str) -> str:
    """The path template of the document that `path` fits; empty where none does.

    For requests that are refused before the framework knows their route.
    """
    return next((template for pattern, template in _routes() if pattern.fullmatch(path)), "")


@cache
def _routes() -> list[tuple[re.Pattern[str], str]]:
    templates = (*json.loads(document_bytes())["paths"], "/openapi.json", "/docs")
    return [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(t))), t) for t in templates]


def _resources() -> list[Traversable]:
    """The folders of the package that describe a resource, by name."""
    folders = (entry for entry in _PACKAGE.iterdir() if entry.name != _RUNTIME.name)
    described = (folder for folder in folders if (folder / "openapi.json").is_file())
    return sorted(described, key=lambda folder: folder.name)


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
