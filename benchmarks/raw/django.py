"""Django, raw: plain views without its ORM, its middleware and DRF."""

import json
import sys

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

from ..bare.granian_wsgi import serve
from .driver import LIVE, create, page, read

if __name__ == "__main__":
    # Before anything is set up: the worker is a fork, and imports this module under its own name.
    serve("raw.django")
    sys.exit()

settings.configure(
    ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None, ROOT_URLCONF=__name__, SECRET_KEY="raw"
)
django.setup()

from django.http import HttpRequest, HttpResponseNotFound, JsonResponse  # noqa: E402
from django.http.response import HttpResponseBase  # noqa: E402
from django.urls import path  # noqa: E402


def live(_: HttpRequest) -> HttpResponseBase:
    return JsonResponse(LIVE)


def items(request: HttpRequest) -> HttpResponseBase:
    if request.method == "POST":
        return JsonResponse(create(json.loads(request.body)), status=201)
    return JsonResponse(page(request.META["QUERY_STRING"]))


def item(_: HttpRequest, item_id: str) -> HttpResponseBase:
    found = read(item_id)
    return JsonResponse(found) if found else HttpResponseNotFound()


urlpatterns = [
    path("livez", live),
    path("v1/items", items),
    path("v1/items/<item_id>", item),
]
application = get_wsgi_application()
