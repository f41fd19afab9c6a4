"""The root URLs: the service's own, and Django's error handlers."""

from django.contrib import admin

from .. import NAME, urls
from . import errors

urlpatterns = urls.urlpatterns  # not included, which would add a step for each request

handler400 = handler403 = handler404 = errors.answer_exception
handler500 = errors.answer_error

admin.site.site_header = admin.site.site_title = NAME
admin.site.site_url = "/docs"
