"""Describe the required scopes in the OpenAPI document."""

from typing import Any, Final

Document = dict[str, Any]

_SCHEME: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token of the issuer that the service trusts.",
}
_RESPONSES: Final = {
    "401": ("Unauthorized", "There is no bearer token, or it is not valid."),
    "403": ("Forbidden", "The token does not have the scope that the operation asks for."),
}


def describe(entry: Document, scopes: tuple[str, ...] | None) -> None:
    """Add the required scopes to an operation; None if it requires no token."""
    others = {name: more for one in entry.get("security", ()) for name, more in one.items()}
    entry["security"] = [] if scopes is None else [others | {"bearer": list(scopes)}]
    if scopes is not None:
        for status, (name, _) in _RESPONSES.items():
            reference = {"$ref": f"#/components/responses/{name}"}
            entry["responses"].setdefault(status, reference)
        entry["responses"] = dict(sorted(entry["responses"].items()))


def add_components(document: Document) -> None:
    """Add the security scheme and responses that the operations refer to."""
    components = document["components"]
    components.setdefault("securitySchemes", {})["bearer"] = _SCHEME
    for name, words in _RESPONSES.values():
        components["responses"][name] = _response(words)


def _response(words: str) -> Document:
    schema = {"$ref": "#/components/schemas/Problem"}
    challenge = {"description": "What is missing (RFC 6750).", "schema": {"type": "string"}}
    request_id = {"$ref": "#/components/headers/X-Request-ID"}
    return {
        "description": words,
        "headers": {"X-Request-ID": request_id, "WWW-Authenticate": challenge},
        "content": {"application/problem+json": {"schema": schema}},
    }
