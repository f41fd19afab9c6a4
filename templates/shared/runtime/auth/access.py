"""Check the token of a request before its handler is called."""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import structlog

from ..document import Route
from ..settings import Settings
from .scopes import scopes_of
from .tokens import Caller, Verifier, forbidden

Scopes = tuple[str, ...] | None


class Access:
    """Checks the token of a request against the scopes of its operation.

    `routes` is called at the first request. The methods return the caller, or None if the
    operation is public; they raise a `Problem` with 401 or 403. `route` is the path template that
    matched; `handler` is used if the route is not in the document. The caller's subject is then
    in every log line of the request.
    """

    def __init__(self, settings: Settings, routes: Callable[[], Iterable[Route]]) -> None:
        self._verifier = Verifier(settings)
        self._routes = routes

    def check(
        self, method: str, route: str, authorization: str | None, handler: Any = None
    ) -> Caller | None:
        """Check a request in a thread."""
        scopes = self._scopes(method, route, handler)
        return None if scopes is None else _admit(self._verifier.verify(authorization), scopes)

    async def check_async(
        self, method: str, route: str, authorization: str | None, handler: Any = None
    ) -> Caller | None:
        """Check a request on an event loop."""
        scopes = self._scopes(method, route, handler)
        if scopes is None:
            return None
        return _admit(await self._verifier.verify_async(authorization), scopes)

    def _scopes(self, method: str, route: str, handler: Any) -> Scopes:
        method = "GET" if method == "HEAD" else method
        operations = self._operations.get(route, {})
        if method == "OPTIONS" or method in operations:
            return operations.get(method)
        if handler is not None:
            return scopes_of(Route(method, route, handler))
        if operations:  # a view may accept methods that are not documented
            return _all_of(operations.values())
        # A stream shows the same rows as its list.
        return self._operations.get(route.removesuffix("/stream"), {}).get("GET", ())

    @cached_property
    def _operations(self) -> dict[str, dict[str, Scopes]]:
        """The scopes by path template and method."""
        found: dict[str, dict[str, list[Scopes]]] = {}
        for route in self._routes():
            methods = found.setdefault(route.path, {})
            methods.setdefault(route.method, []).append(scopes_of(route))
        return {
            path: {method: _all_of(asked) for method, asked in methods.items()}
            for path, methods in found.items()
        }


def _all_of(asked: Iterable[Scopes]) -> Scopes:
    """The scopes of several operations; None only if none of them requires a token."""
    known = [scopes for scopes in asked if scopes is not None]
    return tuple(dict.fromkeys(scope for scopes in known for scope in scopes)) if known else None


def _admit(caller: Caller, scopes: tuple[str, ...]) -> Caller:
    structlog.contextvars.bind_contextvars(subject=caller.subject)
    if not caller.scopes.issuperset(scopes):
        raise forbidden(" ".join(scopes))
    return caller
