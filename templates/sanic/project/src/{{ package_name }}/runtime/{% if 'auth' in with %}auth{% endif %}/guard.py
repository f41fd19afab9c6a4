"""The middleware that requires tokens."""

from typing import TYPE_CHECKING

from sanic import Request

from .access import Access

if TYPE_CHECKING:
    from ..service import Service


class Guard:
    """Requires a token for every matched route: `app.on_request(Guard(app))`.

    It runs before the body is read, and before a WebSocket is opened. In a handler the caller is
    `request.ctx.caller`; it is None if the operation is public.
    """

    def __init__(self, app: "Service") -> None:
        self._access = Access(app.settings, app.routes)
        self._app = app

    async def __call__(self, request: Request) -> None:
        if request.route is not None:  # otherwise the response is 404 or 405
            route = self._app.route_of(request)
            lines = request.headers.getall("Authorization", None)
            authorization = ", ".join(lines) if lines else None
            caller = await self._access.check_async(request.method, route, authorization)
            request.ctx.caller = caller
