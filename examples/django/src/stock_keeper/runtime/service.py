"""The application: Django, with the service's endpoints in front of it."""

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from django.conf import settings as django_settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest

from .database import Database
from .document import ApiDocument, template
from .endpoints import Endpoints
from .health import Check, Checks
from .settings import load_settings
from .wsgi import ServiceMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from ..settings import Settings as ServiceSettings

_PACKAGE = __name__.partition(".")[0]
_current: list["Service"] = []


class Service:
    """Django as a WSGI application, with the service's endpoints, settings and database.

    A process has one set of Django settings: those of the last service that was created.
    """

    def __init__(
        self, settings: "ServiceSettings | None" = None, checks: Iterable[Check] = ()
    ) -> None:
        self.settings = settings or load_settings()
        self.database = Database(self.settings)
        self.document = ApiDocument(self.settings.root_path)
        self.endpoints = Endpoints(Checks(self.database.checks, checks), self.document)
        self._app = self.behind_endpoints(WSGIHandler())
        _current[:] = [self]
        _ = self.document.content  # generated here, so that no request waits for it

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        return self._app(environ, start_response)

    def behind_endpoints(self, app: "WSGIApplication") -> ServiceMiddleware:
        """The service's middleware around a WSGI application."""
        return ServiceMiddleware(app, self.settings, self.endpoints)


def current_service() -> Service:
    """The service of this process."""
    if not _current:  # Django's own commands and test runners create none
        import_module(f"{_PACKAGE}.app").create_app(django_settings.SERVICE)
    return _current[0]


def route_of(request: HttpRequest) -> str:
    """The path template that a request has matched, in the format of the OpenAPI document."""
    match = request.resolver_match
    return "" if match is None else template(match.route)
