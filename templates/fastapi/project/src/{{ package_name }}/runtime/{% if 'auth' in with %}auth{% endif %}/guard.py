"""The dependency that asks for tokens."""

from typing import TYPE_CHECKING, cast

from fastapi import Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from ..errors import _route_of
from .access import Access

if TYPE_CHECKING:
    from ..service import Service


class Guard(HTTPBearer):
    """Asks every request that a route matches for a token: `dependencies=[Security(Guard())]`.

    A route finds the caller as `request.state.caller`; it is None if the operation is public. What
    is mounted with `app.mount` has no dependencies, and looks after itself.
    """

    def __init__(self) -> None:
        super().__init__(scheme_name="bearer", auto_error=False)
        self._access: Access | None = None

    async def __call__(  # type: ignore[override]  # it guards no WebSocket
        self, request: Request
    ) -> HTTPAuthorizationCredentials | None:
        if self._access is None:
            service = cast("Service", request.app)
            self._access = Access(service.settings, service.document.routes)
        authorization = request.headers.get("Authorization")
        route, endpoint = _route_of(request.scope), request.scope.get("endpoint")
        request.state.caller = await self._access.check_async(
            request.method, route, authorization, endpoint
        )
        return await super().__call__(request)
