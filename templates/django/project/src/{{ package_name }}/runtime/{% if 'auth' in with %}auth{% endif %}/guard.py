"""Django REST Framework authentication and permission for bearer tokens."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import structlog
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from ..service import Service, current_service
from .scopes import scopes_of
from .tokens import Caller, Verifier, forbidden, unauthorized


@lru_cache(maxsize=1)
def _verifier(service: Service) -> Verifier:
    return Verifier(service.settings)


class BearerAuthentication(BaseAuthentication):
    """Sets `request.user` to the token's caller, and `request.auth` to its claims."""

    def authenticate(self, request: Request) -> tuple[Caller, Mapping[str, Any]] | None:
        authorization = request.headers.get("Authorization")
        if authorization is None:
            return None  # the permission decides whether that is enough
        caller = _verifier(current_service()).verify(authorization)
        structlog.contextvars.bind_contextvars(subject=caller.subject)
        return caller, caller.claims

    def authenticate_header(self, request: Request) -> str:
        return unauthorized().headers["WWW-Authenticate"]


class HasScope(BasePermission):
    """Requires a token with the scopes of the view; see `scopes_of`."""

    def has_permission(self, request: Request, view: Any) -> bool:
        scopes = scopes_of(view, request.method or "")
        if scopes is None or request.method == "OPTIONS":
            return True
        caller: Any = request.user
        if not isinstance(caller, Caller):
            return False
        if not caller.scopes.issuperset(scopes):
            raise forbidden(" ".join(scopes))
        return True
