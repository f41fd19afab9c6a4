"""Which scope each operation asks for, and how the OpenAPI document says it."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..operations import operation_of

if TYPE_CHECKING:
    from ..document import Document, Route

Handler = TypeVar("Handler", bound=Callable[..., Any])

_ATTRIBUTE: Final = "__scopes__"
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


def requires(*scopes: str) -> Callable[[Handler], Handler]:
    """Have a handler ask for these scopes: `@requires("reports:read")`.

    Without it, a handler of a resource asks for `<plural>:read` or `<plural>:write`, and any other
    for a valid token.
    """
    return lambda handler: _marked(handler, scopes)


def public(handler: Handler) -> Handler:
    """Have a handler ask for no token."""
    return _marked(handler, None)


def scopes_of(route: "Route") -> tuple[str, ...] | None:
    """The scopes that an operation asks for; None if it asks for no token."""
    if hasattr(route.handler, _ATTRIBUTE):
        scopes: tuple[str, ...] | None = getattr(route.handler, _ATTRIBUTE)
        return scopes
    resource = operation_of(route.handler).resource
    if resource is None:
        return ()
    return (f"{resource.plural}:{'read' if route.method in ('GET', 'HEAD') else 'write'}",)


def secured(document: "Document", routes: Iterable["Route"]) -> "Document":
    """The document, which says of each operation what it asks for."""
    components = document["components"]
    components.setdefault("securitySchemes", {})["bearer"] = _SCHEME
    for name, words in _RESPONSES.values():
        components["responses"][name] = _response(words)
    for route in routes:
        entry = document["paths"].get(route.path, {}).get(route.method.lower())
        if entry is None:
            continue
        scopes = scopes_of(route)
        entry["security"] = [] if scopes is None else [{"bearer": list(scopes)}]
        if scopes is not None:
            for status, (name, _) in _RESPONSES.items():
                entry["responses"][status] = {"$ref": f"#/components/responses/{name}"}
            entry["responses"] = dict(sorted(entry["responses"].items()))
    return document


def _marked(handler: Handler, scopes: tuple[str, ...] | None) -> Handler:
    setattr(handler, _ATTRIBUTE, scopes)
    return handler


def _response(words: str) -> "Document":
    schema = {"$ref": "#/components/schemas/Problem"}
    challenge = {"description": "What is missing (RFC 6750).", "schema": {"type": "string"}}
    request_id = {"$ref": "#/components/headers/X-Request-ID"}
    return {
        "description": words,
        "headers": {"X-Request-ID": request_id, "WWW-Authenticate": challenge},
        "content": {"application/problem+json": {"schema": schema}},
    }
