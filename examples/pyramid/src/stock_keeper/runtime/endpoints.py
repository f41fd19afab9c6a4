"""The endpoints that every service has: probes, metrics, the OpenAPI document and its page.

They are served in front of the framework, so that no access check of the service applies to them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from . import docs, health, metrics, telemetry
from .document import ApiDocument
from .health import Checks
from .http import Problem

_ALLOW: Final = {"Allow": "GET, HEAD, OPTIONS"}
_NO_STORE: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete response."""

    status: int
    content_type: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Endpoints:
    """Responds to requests for the endpoints."""

    def __init__(self, checks: Checks, document: ApiDocument) -> None:
        self._document = document
        self._checks = checks
        self._replies: dict[str, Callable[[], Reply]] = {
            "/livez": lambda: Reply(200, health.CONTENT_TYPE, health.LIVENESS, _NO_STORE),
            "/readyz": self._readiness,
            "/metrics": lambda: Reply(200, telemetry.METRICS_CONTENT_TYPE, metrics.text()),
            "/openapi.json": lambda: Reply(200, "application/json", document.body),
        }

    def blocks(self, path: str) -> bool:
        """Whether the reply for `path` may take long because it waits for the database."""
        return path == "/readyz"

    def route_of(self, path: str) -> str:
        """The path template of the service that `path` matches, or ""."""
        if path in self._replies:
            return path
        return "/docs" if path in docs.pages() else self._document.route_of(path)

    def has(self, path: str) -> bool:
        """Whether one of the endpoints is at `path`."""
        return path in self._replies or path in docs.pages()

    def reply(self, method: str, path: str) -> Reply:
        """The reply of the endpoint at `path`; a `Problem` with 405 for methods other than GET."""
        if method == "OPTIONS":
            return Reply(204, headers=_ALLOW)
        if method not in ("GET", "HEAD"):
            raise Problem(405, headers=_ALLOW)
        if path in self._replies:
            return self._replies[path]()
        page = docs.pages()[path]
        return Reply(200, page.content_type, page.body, page.headers)

    def overdue(self) -> Reply:
        """The reply to a readiness probe whose checks have not ended in time."""
        return _report({"database": False})

    def _readiness(self) -> Reply:
        return _report(self._checks.run())


def _report(checks: Mapping[str, bool]) -> Reply:
    status, body = health.report(checks)
    return Reply(status, health.CONTENT_TYPE, body, _NO_STORE)
