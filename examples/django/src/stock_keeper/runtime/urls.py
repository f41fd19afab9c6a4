"""The root of the URLs: those of the service, and how Django answers beside them."""

from django.contrib import admin
from django.urls import include, path

from .. import NAME
from . import errors

urlpatterns = [path("", include(f"{__name__.partition('.')[0]}.urls"))]

handler400 = handler403 = handler404 = errors.answer_exception
handler500 = errors.answer_error

admin.site.site_header = admin.site.site_title = NAME
admin.site.site_url = "/docs"
