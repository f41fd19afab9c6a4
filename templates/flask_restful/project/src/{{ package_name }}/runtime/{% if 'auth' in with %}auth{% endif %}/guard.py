"""The decorator that requires tokens."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from flask import g, request

from ..wsgi import CONTEXT
from .access import Access

if TYPE_CHECKING:
    from ..service import Service


class Guard:
    """Requires a token for the methods of every resource: `Api(app, decorators=[Guard(app)])`.

    In a method the caller is `flask.g.caller`; it is None if the operation is public. A view that
    is not a resource of the Api needs `@Guard(app)`.
    """

    def __init__(self, app: "Service") -> None:
        self._access = Access(app.settings, app.routes)

    def __call__(self, view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(*args: Any, **values: Any) -> Any:
            route: str = request.environ[CONTEXT].route
            authorization = request.headers.get("Authorization")
            g.caller = self._access.check(request.method, route, authorization)
            return view(*args, **values)

        return guarded
