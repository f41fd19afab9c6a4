"""The access check for bearer tokens."""

from typing import TYPE_CHECKING

from flask import g, request

from ..wsgi import CONTEXT
from .access import Access

if TYPE_CHECKING:
    from ..service import Service


class Guard:
    """Requires a token for every matched route: `app.before_request(Guard(app))`.

    In a view the caller is `flask.g.caller`; it is None if the operation is public.
    """

    def __init__(self, app: "Service") -> None:
        self._access = Access(app.settings, app.routes)

    def __call__(self) -> None:
        if request.url_rule is not None:  # otherwise the response is 404 or 405
            route: str = request.environ[CONTEXT].route
            authorization = request.headers.get("Authorization")
            g.caller = self._access.check(request.method, route, authorization)
