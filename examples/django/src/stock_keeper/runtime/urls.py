"""The root of the URLs: those of the service, and how Django answers beside them."""

from django.contrib import admin

from .. import NAME, urls
from . import errors

urlpatterns = urls.urlpatterns  # not included, which would take each request a step more

handler400 = handler403 = handler404 = errors.answer_exception
handler500 = errors.answer_error

admin.site.site_header = admin.site.site_title = NAME
admin.site.site_url = "/docs"
