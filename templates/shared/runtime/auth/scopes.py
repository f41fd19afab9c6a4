"""The scopes that each operation requires."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..operations import operation_of
from .described import Document, add_components, describe

if TYPE_CHECKING:
    from ..document import Route

Handler = TypeVar("Handler", bound=Callable[..., Any])

_ATTRIBUTE: Final = "__scopes__"


def requires(*scopes: str) -> Callable[[Handler], Handler]:
    """Require these scopes for a handler: `@requires("reports:read")`.

    Without it, a handler of a resource requires `<plural>:read` or `<plural>:write`; any other
    handler requires a valid token.
    """
    return lambda handler: _marked(handler, scopes)


def public(handler: Handler) -> Handler:
    """Make a handler public."""
    return _marked(handler, None)


def scopes_of(route: "Route") -> tuple[str, ...] | None:
    """The scopes that an operation requires; None if it requires no token."""
    if hasattr(route.handler, _ATTRIBUTE):
        scopes: tuple[str, ...] | None = getattr(route.handler, _ATTRIBUTE)
        return scopes
    resource = operation_of(route.handler).resource
    if resource is None:
        return ()
    return (f"{resource.plural}:{'read' if route.method in ('GET', 'HEAD') else 'write'}",)


def secured(document: Document, routes: Iterable["Route"]) -> Document:
    """The document, with the required scopes of each operation."""
    add_components(document)
    for route in routes:
        entry = document["paths"].get(route.path, {}).get(route.method.lower())
        if entry is not None:
            describe(entry, scopes_of(route))
    return document


def _marked(handler: Handler, scopes: tuple[str, ...] | None) -> Handler:
    setattr(handler, _ATTRIBUTE, scopes)
    return handler
