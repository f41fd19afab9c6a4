"""The middleware that requires tokens."""

from typing import TYPE_CHECKING

from falcon import Request, Response

from ..wsgi import CONTEXT
from .access import Access

if TYPE_CHECKING:
    from ..service import Service


class Guard:
    """Requires a token for every resource: `app.add_middleware(Guard(app))`.

    In a handler the caller is `req.context.caller`; it is None if the operation is public.
    """

    def __init__(self, app: "Service") -> None:
        self._access = Access(app.settings, app.document.routes)

    def process_resource(
        self, req: Request, resp: Response, resource: object, params: object
    ) -> None:
        route: str = req.env[CONTEXT].route
        authorization = req.get_header("Authorization")
        req.context.caller = self._access.check(req.method, route, authorization)
