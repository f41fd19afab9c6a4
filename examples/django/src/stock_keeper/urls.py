"""The paths of the service's views."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("v1/", include(f"{__package__}.products.urls")),
    path("v1/", include(f"{__package__}.movements.urls")),
]
