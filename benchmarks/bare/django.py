"""Django with Django REST Framework, bare: a model, its serializer and generic views.

The four requests of the other twins, on Django's own ORM with the generated service's options of
the database: on SQLite `journal_mode = WAL`, `synchronous = FULL`, `BEGIN IMMEDIATE` and one writer
at a time; a transaction for each POST.

Django's own connections last as long as their thread here, so PostgreSQL has to allow as many as
there are threads.
"""

import secrets
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from urllib.parse import urlsplit
from uuid import uuid4

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

from .environment import DATABASE_URL
from .granian_wsgi import serve

if __name__ == "__main__":
    # Before anything is set up: the worker is a fork, and imports this module under its own name.
    serve("bare.django")
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
_sqlite = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": _url.path[1:],
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
    },
}
ON_SQLITE = _url.scheme == "sqlite"

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {**(_sqlite if ON_SQLITE else _postgresql), "CONN_MAX_AGE": None}},
    LOGGING_CONFIG=None,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="bare",
    TIME_ZONE="UTC",
)
django.setup()

from django.db import models, transaction  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework.generics import GenericAPIView, RetrieveAPIView  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.serializers import ModelSerializer, UUIDField  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

# SQLite has one writer at a time: without a lock, threads would poll the file for theirs.
_one_writer: AbstractContextManager[object] = threading.Lock() if ON_SQLITE else nullcontext()


class Item(models.Model):
    position = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField(db_column="id", default=uuid4)
    name = models.CharField(max_length=100)
    quantity = models.IntegerField(default=0)
    revision = models.CharField(max_length=16, default=partial(secrets.token_hex, 8))
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "bare"
        db_table = "items"
        managed = False


class ItemSerializer(ModelSerializer):
    id = UUIDField(source="uuid", read_only=True)

    class Meta:
        model = Item
        fields = ("id", "name", "quantity", "created_at", "updated_at")
        read_only_fields = ("created_at", "updated_at")


class LiveView(APIView):
    def get(self, _: Request) -> Response:
        return Response({"status": "pass"})


class ItemsView(GenericAPIView):
    queryset = Item.objects.order_by("position")
    serializer_class = ItemSerializer

    def get(self, request: Request) -> Response:
        given = request.query_params
        limit, after = int(given.get("limit", 50)), int(given.get("cursor", "0"), 16)
        found = list(self.get_queryset().filter(position__gt=after)[: limit + 1])
        following = f"{found[limit - 1].position:016x}" if len(found) > limit else None
        shown = self.get_serializer(found[:limit], many=True).data
        return Response({"items": shown, "next_cursor": following})

    def post(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with _one_writer, transaction.atomic():
            serializer.save()
        return Response(serializer.data, 201)


class ItemView(RetrieveAPIView):
    queryset = Item.objects.all()
    serializer_class = ItemSerializer
    lookup_field = "uuid"


urlpatterns = [
    path("livez", LiveView.as_view()),
    path("v1/items", ItemsView.as_view()),
    path("v1/items/<uuid:uuid>", ItemView.as_view()),
]
application = get_wsgi_application()
