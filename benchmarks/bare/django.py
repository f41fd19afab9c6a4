"""Django with Django REST Framework, bare: a model, its serializer and a generic view.

Django's own connections last as long as their thread here, so PostgreSQL has to allow as many as
there are threads.
"""

import sys
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

from .environment import DATABASE_URL
from .granian_wsgi import serve

if __name__ == "__main__":
    # Before anything is set up: the worker is a fork, and imports this module under its own name.
    serve("django")
    sys.exit()

_url = urlsplit(DATABASE_URL)
_postgresql = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": _url.path[1:],
    "USER": _url.username or "",
    "PASSWORD": _url.password or "",
    "HOST": _url.hostname or "",
    "PORT": _url.port or "",
}
_sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": _url.path[1:]}

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {
            **(_sqlite if _url.scheme == "sqlite" else _postgresql),
            "CONN_MAX_AGE": None,
        }
    },
    LOGGING_CONFIG=None,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="bare",
    TIME_ZONE="UTC",
)
django.setup()

from django.db import models  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.generics import RetrieveAPIView  # noqa: E402
from rest_framework.serializers import ModelSerializer  # noqa: E402


class Item(models.Model):
    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=100)
    quantity = models.IntegerField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        app_label = "bare"
        db_table = "items"
        managed = False


class ItemSerializer(ModelSerializer):
    class Meta:
        model = Item
        fields = ("id", "name", "quantity", "created_at", "updated_at")


class ItemView(RetrieveAPIView):
    queryset = Item.objects.all()
    serializer_class = ItemSerializer


urlpatterns = [path("v1/items/<uuid:pk>", ItemView.as_view())]
application = get_wsgi_application()
