"""The middleware that asks for tokens."""

from typing import TYPE_CHECKING

from .access import Access

if TYPE_CHECKING:
    from ..service import Request, Service


class Guard:
    """Asks every request that a route matches for a token: `app.on_request(Guard(app))`.

    It runs before the body is read, and before a WebSocket is opened. A handler finds the caller as
    `request.ctx.caller`; it is None if the operation is public.
    """

    def __init__(self, app: "Service") -> None:
        self._access = Access(app.settings, app.routes)
        self._app = app

    async def __call__(self, request: "Request") -> None:
        if request.route is not None:  # otherwise the response is 404 or 405
            route = self._app.route_of(request)
            lines = request.headers.getall("Authorization", None)
            authorization = ", ".join(lines) if lines else None
            caller = await self._access.check_async(request.method, route, authorization)
            request.ctx.caller = caller
