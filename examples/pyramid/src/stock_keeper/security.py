"""Who may do what."""

from typing import Any

from pyramid.request import Request
from pyramid.security import Allowed, Denied


class Anyone:
    """The security policy: every client has every permission.

    Your own access check goes into `permits`. The permission is "read" or "write".
    """

    def permits(self, request: Request, context: Any, permission: str) -> Allowed | Denied:
        return Allowed("Anyone may.")

    def identity(self, request: Request) -> Any:
        return None

    def authenticated_userid(self, request: Request) -> str | None:
        return None

    def remember(self, request: Request, userid: str, **options: Any) -> list[tuple[str, str]]:
        return []

    def forget(self, request: Request, **options: Any) -> list[tuple[str, str]]:
        return []
