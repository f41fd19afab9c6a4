"""Django's middleware of the service: what runs first and last, and what is for pages alone."""

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

    A request of Django's test client has not passed the service's endpoints; it does so here.
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
    """Runs behind all other middleware, so that theirs sees what the service has rejected."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        rejected = request.META.get(REJECTED)
        if rejected is not None:
            return problem_response(request, rejected)
        return self._get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        view_class = getattr(view, "cls", None)
        if view_class is not None:  # one of Django REST Framework
            require_sync(view_class.authentication_classes)
            require_sync(view_class.permission_classes)
            require_sync(view_class.throttle_classes)


class _PagesOnly:
    """Mixed into a middleware: only what is below one of the `SESSION_PATHS` passes it."""

    get_response: GetResponse

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(settings.SESSION_PATHS):
            return super().__call__(request)  # type: ignore[misc]
        return self.get_response(request)


class Security(_PagesOnly, SecurityMiddleware):
    """Says what a browser may tell other sites of a page."""


class Sessions(_PagesOnly, SessionMiddleware):
    """Who has signed in."""


class ForgeryProtection(_PagesOnly, CsrfViewMiddleware):
    """Takes a form from a page of this service alone."""


class Authentication(_PagesOnly, AuthenticationMiddleware):
    """`request.user`."""


class Messages(_PagesOnly, MessageMiddleware):
    """What the next page tells of the last form."""


class FrameOptions(_PagesOnly, XFrameOptionsMiddleware):
    """Keeps a page out of the frames of other sites."""
