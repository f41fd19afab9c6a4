"""Which view answers at which path."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from . import NAME, health
from .runtime import rest

handler400 = rest.answer_bad_request
handler404 = rest.answer_not_found
admin.site.site_header = admin.site.site_title = NAME
admin.site.site_url = "/docs"

urlpatterns = [
    path("livez", health.Liveness.as_view()),
    path("readyz", health.Readiness.as_view()),
    path("metrics", health.Metrics.as_view()),
    path("openapi.json", health.Document.as_view()),
    path("docs", health.Docs.as_view()),
    path("admin/", admin.site.urls),
    *(path("v1/", include(f"{__package__}.{name}.urls")) for name in settings.RESOURCES),
]
