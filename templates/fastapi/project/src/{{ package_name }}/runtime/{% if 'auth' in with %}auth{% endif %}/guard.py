"""The dependency that requires tokens."""

from typing import TYPE_CHECKING, cast

from fastapi import Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from ..errors import _route_of
from .access import Access

if TYPE_CHECKING:
    from ..service import Service


class Guard(HTTPBearer):
    """Requires a token for every matched route: `dependencies=[Security(Guard())]`.

    In a route the caller is `request.state.caller`; it is None if the operation is public.
    Applications mounted with `app.mount` have no dependencies, and must check access themselves.
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
