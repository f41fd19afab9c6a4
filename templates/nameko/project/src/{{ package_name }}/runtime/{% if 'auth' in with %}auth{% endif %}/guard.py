"""The access check for bearer tokens."""

from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

from ..wsgi import path_of
from .access import Access

if TYPE_CHECKING:
    from ..service import Service


class Guard:
    """Requires a token for every HTTP entrypoint: `app.before_request(Guard(app))`.

    In an entrypoint the caller is `request.caller`; it is None if the operation is public. Calls
    and events come through the broker, which requires its own credentials.
    """

    def __init__(self, app: "Service") -> None:
        self._access = Access(app.settings, app.routes)
        self._app = app

    def __call__(self, request: Request) -> None:
        try:
            found = self._app._router._matcher.match(path_of(request.environ), request.method)
        except HTTPException:  # the response is 404 or 405
            return
        (_, route), _ = found
        authorization = request.headers.get("Authorization")
        caller = self._access.check(request.method, route, authorization)
        request.caller = caller  # type: ignore[attr-defined]
