"""The security policy that requires tokens."""

from typing import Any

from pyramid.request import Request
from pyramid.security import Allowed, Denied

from ..service import Service, _template
from .access import Access
from .tokens import Caller

_CALLER = "service.caller"


class Guard:
    """Requires a token for each view with a permission: all except `NO_PERMISSION_REQUIRED`.

    In a view the caller is `request.identity`, and the subject `request.authenticated_userid`.
    Override `permits` for further checks.
    """

    def __init__(self, service: Service) -> None:
        self._access = Access(service.settings, service.routes)

    def permits(self, request: Request, context: Any, permission: str) -> Allowed | Denied:
        matched = request.matched_route
        route = "" if matched is None else _template(matched.pattern)
        authorization = request.headers.get("Authorization")
        caller = self._access.check(request.method, route, authorization)
        request.environ[_CALLER] = caller
        return Allowed("The operation is public." if caller is None else "The token permits it.")

    def identity(self, request: Request) -> Caller | None:
        caller: Caller | None = request.environ.get(_CALLER)
        return caller

    def authenticated_userid(self, request: Request) -> str | None:
        caller = self.identity(request)
        return None if caller is None else caller.subject

    def remember(self, request: Request, userid: str, **options: Any) -> list[tuple[str, str]]:
        return []

    def forget(self, request: Request, **options: Any) -> list[tuple[str, str]]:
        return []
