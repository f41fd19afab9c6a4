"""The access check for bearer tokens."""

from typing import TYPE_CHECKING, cast

from ..middleware import Response
from ..routing import allowed_methods
from .access import Access

if TYPE_CHECKING:
    from ..service import Handler


class Guard:
    """Requires a token for every matched route: `Service(..., check=Guard())`.

    It runs before `prepare`, and before a WebSocket is opened. In a handler the caller is
    `self.current_user`; it is None if the operation is public.
    """

    _access: Access | None = None

    async def __call__(self, handler: "Handler") -> None:
        service, request = handler.application, handler.request
        if self._access is None:
            self._access = Access(service.service_settings, service.routes)
        if not allowed_methods(type(handler)):  # the response is 404
            return
        method = "GET" if request.method == "HEAD" else request.method or ""
        authorization = request.headers.get("Authorization")
        route = cast(Response, request.connection).context_of_request.route
        # A route that is a regular expression has no template; its handler says what it asks for.
        own = None if route else getattr(handler, method.lower(), None)
        handler.current_user = await self._access.check_async(method, route, authorization, own)
