"""The service's Django middleware: the first and the last, and those for pages only."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware

from .database import bounded
from .errors import problem_response
from .http import BODILESS
from .permissions import require_sync
from .service import current_service, route_of
from .wsgi import CONTEXT, REJECTED

GetResponse = Callable[[HttpRequest], Any]


class First:
    """Runs before all other middleware: the deadline of a request, and its route for the log.

    Requests of Django's test client bypass the service's endpoints, so they are handled here.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        served = CONTEXT in request.META
        return self._respond(request) if served else self._respond_as_served(request)

    def _respond(self, request: HttpRequest) -> Any:
        try:
            with bounded(settings.SERVICE.database_timeout_seconds):
                response = self._get_response(request)
        finally:
            request.META[CONTEXT].route = route_of(request)
        if isinstance(response, HttpResponse) and response.status_code not in BODILESS:
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response

    def _respond_as_served(self, request: HttpRequest) -> Any:
        found: list[Any] = []
        started: list[Any] = []

        def app(environ: Any, start_response: Any) -> list[bytes]:
            request._stream = environ["wsgi.input"]
            found.append(self._respond(request))
            start_response(f"{found[0].status_code} ", list(found[0].items()))
            return []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            started.extend((status, headers))

        chunks = current_service().behind_endpoints(app)(request.META, start_response)
        status, headers = started
        response = found[0] if found else HttpResponse(b"".join(chunks), status=int(status[:3]))
        for name, value in headers:
            response[name] = value
        return response


class Last:
    """Runs after all other middleware, so that they see the service's rejections."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        rejected = request.META.get(REJECTED)
        if rejected is not None:
            return problem_response(request, rejected)
        return self._get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        view_class = getattr(view, "cls", None)
        if view_class is not None:  # a Django REST Framework view
            require_sync(view_class.authentication_classes)
            require_sync(view_class.permission_classes)
            require_sync(view_class.throttle_classes)


class _PagesOnly:
    """Mixin for a middleware that applies only below the `SESSION_PATHS`."""

    get_response: GetResponse

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(settings.SESSION_PATHS):
            return super().__call__(request)  # type: ignore[misc]
        return self.get_response(request)


class Security(_PagesOnly, SecurityMiddleware):
    """Sets the security headers of pages."""


class Sessions(_PagesOnly, SessionMiddleware):
    """Loads the session."""


class ForgeryProtection(_PagesOnly, CsrfViewMiddleware):
    """Accepts forms only from this service's own pages."""


class Authentication(_PagesOnly, AuthenticationMiddleware):
    """Sets `request.user`."""


class Messages(_PagesOnly, MessageMiddleware):
    """Keeps messages for the next page."""


class FrameOptions(_PagesOnly, XFrameOptionsMiddleware):
    """Prevents other sites from framing a page."""
