"""The scopes that each view requires."""

from typing import Any

_SAFE = ("GET", "HEAD")


def scopes_of(view: Any, method: str) -> tuple[str, ...] | None:
    """The scopes that a method of a view requires; None if it requires no token.

    They are the view's `required_scopes`. Without it, a view of a resource requires `<plural>:read`
    or `<plural>:write`, and any other view a valid token.
    """
    if hasattr(view, "required_scopes"):
        scopes: tuple[str, ...] | None = view.required_scopes
        return scopes
    queryset = getattr(view, "queryset", None)
    if queryset is None:
        return ()
    return (f"{queryset.model._meta.db_table}:{'read' if method in _SAFE else 'write'}",)
