"""Which scopes each view asks for."""

from typing import Any

_SAFE = ("GET", "HEAD")


def scopes_of(view: Any, method: str) -> tuple[str, ...] | None:
    """The scopes that a method of a view asks for; None if it asks for no token.

    They are the view's `required_scopes`. Without it, a view of a resource asks for `<plural>:read`
    or `<plural>:write`, and any other for a valid token.
    """
    if hasattr(view, "required_scopes"):
        scopes: tuple[str, ...] | None = view.required_scopes
        return scopes
    queryset = getattr(view, "queryset", None)
    if queryset is None:
        return ()
    return (f"{queryset.model._meta.db_table}:{'read' if method in _SAFE else 'write'}",)
