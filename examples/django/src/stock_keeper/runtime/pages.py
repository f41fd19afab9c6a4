"""Django's middleware for pages, which the API goes past."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware


class PagesOnly:
    """Mixed into a middleware: only what is below one of the `PAGES` in `settings` passes it."""

    get_response: Callable[[HttpRequest], Any]

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(settings.PAGES):
            return super().__call__(request)  # type: ignore[misc]
        return self.get_response(request)


class Security(PagesOnly, SecurityMiddleware):
    """Says what a browser may tell other sites of a page."""


class Sessions(PagesOnly, SessionMiddleware):
    """Who has signed in."""


class ForgeryProtection(PagesOnly, CsrfViewMiddleware):
    """Takes a form from a page of this service alone."""


class Authentication(PagesOnly, AuthenticationMiddleware):
    """`request.user`."""


class Messages(PagesOnly, MessageMiddleware):
    """What the next page tells of the last form."""


class FrameOptions(PagesOnly, XFrameOptionsMiddleware):
    """Keeps a page out of the frames of other sites."""
