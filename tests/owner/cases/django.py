"""What owners of a Django service do."""

from __future__ import annotations

import time
from typing import Any

import httpx

from tests.contract.items import assert_invalid, assert_problem, fresh_name
from tests.owner.case import Case, Edit, replaced
from tests.owner.cases.django_growth import GROWTH
from tests.owner.cases.rules import rules_of_django
from tests.owner.cases.sqlalchemy import copied
from tests.owner.questions import ask_of_an_unread_body, ask_of_rooms_and_bookings
from tests.servers import wait_until

ROOM_MODELS = '''\
"""What a room is, and how it is stored."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from ..runtime.models import LineField, Record


class Room(Record):
    """A room that can be booked."""

    name = LineField(max_length=100, unique=True)
    seats = models.IntegerField(
        default=2, validators=[MinValueValidator(1), MaxValueValidator(500)]
    )

    class Meta(Record.Meta):
        db_table = "rooms"

    def __str__(self) -> str:
        return self.name
'''

ROOM_SERIALIZERS = '''\
"""Rooms as clients see them."""

from ..runtime.serializers import ResourceSerializer
from .models import Room


class RoomSerializer(ResourceSerializer[Room]):
    class Meta:
        model = Room
        fields = ("id", "name", "seats", "created_at", "updated_at")
'''

BOOKING_MODELS = '''\
"""What a booking is, and how it is stored."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from ..rooms.models import Room
from ..runtime.models import LineField, Record


class Booking(Record):
    """A room that is somebody's for some nights."""

    room = models.ForeignKey(Room, models.PROTECT, to_field="uuid")
    guest = LineField(max_length=100)
    nights = models.IntegerField(validators=[MinValueValidator(1), MaxValueValidator(30)])
    starts_at = models.DateTimeField()
    paid = models.BooleanField(default=False)

    class Meta(Record.Meta):
        db_table = "bookings"
        indexes = (
            models.Index(fields=["paid", "position"], name="bookings_paid"),
            models.Index(fields=["starts_at", "position"], name="bookings_starts_at"),
        )

    def __str__(self) -> str:
        return self.guest
'''

BOOKING_SERIALIZERS = '''\
"""Bookings as clients see them."""

from ..runtime.serializers import ResourceSerializer
from .models import Booking


class BookingSerializer(ResourceSerializer[Booking]):
    class Meta:
        model = Booking
        fields = (
            "id",
            "room_id",
            "guest",
            "nights",
            "starts_at",
            "paid",
            "created_at",
            "updated_at",
        )
'''

BOOKING_VIEWS = '''\
"""Bookings over HTTP."""

from ..runtime.views import ResourceViewSet
from .models import Booking
from .serializers import BookingSerializer


class BookingViewSet(ResourceViewSet[Booking]):
    queryset = Booking.objects.all()
    serializer_class = BookingSerializer
    filterset_fields = ("paid",)
    ordering_fields = ("starts_at",)
'''


MIGRATION = '''\
"""{title}."""

import uuid

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = {dependencies}
    operations = [
        migrations.CreateModel(
            name="{model}",
            fields=[
                ("position", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "uuid",
                    models.UUIDField(
                        db_column="id",
                        default=uuid.uuid4,
                        editable=False,
                        unique=True,
                        verbose_name="id",
                    ),
                ),
                ("revision", models.CharField(editable=False, max_length=16)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
{fields}            ],
            options={{
                "db_table": "{plural}",
                "ordering": ("position",),
                "abstract": False,
{options}            }},
        ),
    ]
'''
ROOM_FIELDS = """\
                ("name", models.CharField(max_length=100, unique=True)),
                (
                    "seats",
                    models.IntegerField(
                        default=2,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(500),
                        ],
                    ),
                ),
"""
BOOKING_FIELDS = """\
                (
                    "room",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        to="rooms.room",
                        to_field="uuid",
                    ),
                ),
                ("guest", models.CharField(max_length=100)),
                (
                    "nights",
                    models.IntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(30),
                        ]
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("paid", models.BooleanField(default=False)),
"""
BOOKING_INDEXES = """\
                "indexes": [
                    models.Index(fields=["paid", "position"], name="bookings_paid"),
                    models.Index(fields=["starts_at", "position"], name="bookings_starts_at"),
                ],
"""


ADDED_APPS = replaced(
    (
        '    f"{__package__}.items",\n',
        '    f"{__package__}.items",\n'
        '    f"{__package__}.rooms",\n'
        '    f"{__package__}.bookings",\n',
    )
)
ADDED_URLS = replaced(
    (
        '    path("v1/", include(f"{__package__}.items.urls")),\n',
        '    path("v1/", include(f"{__package__}.items.urls")),\n'
        '    path("v1/", include(f"{__package__}.rooms.urls")),\n'
        '    path("v1/", include(f"{__package__}.bookings.urls")),\n',
    )
)

ROOMS_AND_BOOKINGS: dict[str, Edit] = {
    "{package}/rooms/__init__.py": '"""Rooms."""\n',
    "{package}/rooms/models.py": ROOM_MODELS,
    "{package}/rooms/serializers.py": ROOM_SERIALIZERS,
    "{package}/rooms/views.py": copied("room", "rooms", "views.py"),
    "{package}/rooms/urls.py": copied("room", "rooms", "urls.py"),
    "{package}/rooms/migrations/__init__.py": "",
    "{package}/rooms/migrations/0001_initial.py": MIGRATION.format(
        title="Create rooms",
        dependencies="[]",
        model="Room",
        plural="rooms",
        fields=ROOM_FIELDS,
        options="",
    ).replace("import django.db.models.deletion\n", ""),
    "{package}/bookings/__init__.py": '"""Bookings."""\n',
    "{package}/bookings/models.py": BOOKING_MODELS,
    "{package}/bookings/serializers.py": BOOKING_SERIALIZERS,
    "{package}/bookings/views.py": BOOKING_VIEWS,
    "{package}/bookings/urls.py": copied("booking", "bookings", "urls.py"),
    "{package}/bookings/migrations/__init__.py": "",
    "{package}/bookings/migrations/0001_initial.py": MIGRATION.format(
        title="Create bookings",
        dependencies='[("rooms", "0001_initial")]',
        model="Booking",
        plural="bookings",
        fields=BOOKING_FIELDS,
        options=BOOKING_INDEXES,
    ),
    "{package}/django_settings.py": ADDED_APPS,
    "{package}/urls.py": ADDED_URLS,
}

TOKEN = '''\
"""Who may call."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request


class BearerToken(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[str, None]:
        if request.headers.get("Authorization") != "Bearer good":
            raise AuthenticationFailed("Sign in first.")
        return "owner", None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="x"'
'''

AUTHENTICATED = replaced(
    (
        '"DEFAULT_AUTHENTICATION_CLASSES": [],',
        '"DEFAULT_AUTHENTICATION_CLASSES": [f"{__package__}.access.BearerToken"],',
    )
)


def ask_of_a_check(client: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs"):
        assert client.get(path).status_code == 200, path
    large = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    for method, path, body, headers in (
        ("GET", "/v1/items", b"", {}),
        ("GET", "/v1/items?limit=0", b"", {}),
        ("POST", "/v1/items", b'{"name": 7, "x": 1}', {"Content-Type": "application/json"}),
        ("POST", "/v1/items", b"{", large),
        ("PATCH", "/v1/items/7", b"", {}),
        ("DELETE", "/v1/items/7", b"", {"If-Match": '"x"'}),
        ("TRACE", "/v1/items", b"", {}),
    ):
        answer = client.request(method, path, content=body, headers=headers)
        problem = assert_problem(answer, 401)
        assert problem["detail"] == "Sign in first."
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="x"'
    signed = {"Authorization": "Bearer good"}
    assert client.get("/v1/items", headers=signed).status_code == 200
    assert_problem(client.get("/v1/nothing"), 404)
    listing = client.get("/openapi.json").json()["paths"]["/v1/items"]["get"]
    assert {"401", "403"} <= set(listing["responses"])
    ask_of_an_unread_body(client)


MIDDLEWARE_CHECKS = '''\
"""Who may call, before Django has looked for a view."""

from collections.abc import Awaitable, Callable

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import async_only_middleware

from .runtime.http import Problem


def require_token(get_response: Callable[[HttpRequest], HttpResponse]) -> object:
    def middleware(request: HttpRequest) -> HttpResponse:
        check(request)
        return get_response(request)

    return middleware


@async_only_middleware
def require_token_async(get_response: Callable[[HttpRequest], Awaitable[HttpResponse]]) -> object:
    async def middleware(request: HttpRequest) -> HttpResponse:
        check(request)
        return await get_response(request)

    return middleware


def check(request: HttpRequest) -> None:
    if request.headers.get("Authorization") != "Bearer good":
        raise Problem(401, "Sign in first.", headers={"WWW-Authenticate": 'Bearer realm="x"'})
'''


def with_middleware(name: str) -> Edit:
    return replaced(("MIDDLEWARE += []", f'MIDDLEWARE += [f"{{__package__}}.{name}"]'))


def ask_of_middleware(client: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert client.get(path).status_code == 200, path
    for method, path, body in (
        ("GET", "/v1/items", b""),
        ("GET", "/v1/nothing", b""),
        ("POST", "/v1/items", b"{"),
        ("POST", "/v1/items", b" " * 1_048_577),
    ):
        answer = client.request(method, path, content=body)
        assert assert_problem(answer, 401)["detail"] == "Sign in first."
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="x"'
    signed = {"Authorization": "Bearer good"}
    sent = client.post("/v1/items", headers=signed, json={"name": fresh_name()})
    assert sent.status_code == 201
    assert_problem(client.get("/v1/nothing", headers=signed), 404)
    ask_of_an_unread_body(client)


FORGOTTEN = '''\
"""Who may call: coroutines, in a framework that does not await them."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class Nobody(BasePermission):
    async def has_permission(self, request: Request, view: APIView) -> bool:
        return False


class NobodysObject(BasePermission):
    async def has_object_permission(self, request: Request, view: APIView, obj: object) -> bool:
        return False
'''

FORGOTTEN_VIEWS = '''\
"""Views with checks that let everyone in, if nobody awaited them."""

from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .access import Nobody, NobodysObject
from .items.views import ItemViewSet


class Closed(APIView):
    permission_classes = [Nobody]

    def get(self, request: Request) -> Response:
        return Response("open")


class Combined(Closed):
    permission_classes = [Nobody & AllowAny]


class ClosedItems(ItemViewSet):
    def get_permissions(self) -> list[BasePermission]:
        return [NobodysObject()]
'''


def ask_of_coroutines(client: httpx.Client) -> None:
    created = client.post("/v1/items", json={"name": fresh_name()})
    assert created.status_code == 201
    item_id = created.json()["id"]
    for path in ("/closed", "/combined", f"/closed-items/{item_id}"):
        assert_problem(client.get(path), 500)
    assert client.get("/livez").status_code == 200


OBJECTS = '''\
"""What may be done to which items, and which there are for a client."""

from typing import Any

from rest_framework.filters import BaseFilterBackend
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class EvenOnly(BasePermission):
    message = "Only even quantities are for you."

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        return bool(obj.quantity % 2 == 0)


class HideSecrets(BaseFilterBackend):
    def filter_queryset(self, request: Request, queryset: Any, view: APIView) -> Any:
        return queryset.exclude(name__startswith="secret")
'''

OBJECT_VIEWS = '''\
"""Items over HTTP."""

from rest_framework.filters import SearchFilter

from ..access import EvenOnly, HideSecrets
from ..runtime.filters import SortFilter
from ..runtime.views import ResourceViewSet
from .models import Item
from .serializers import ItemSerializer


class ItemViewSet(ResourceViewSet[Item]):
    queryset = Item.objects.all()
    serializer_class = ItemSerializer
    permission_classes = (EvenOnly,)
    filter_backends = (HideSecrets, SearchFilter, SortFilter)
    search_fields = ("name",)
    ordering_fields = ("name", "quantity")
'''


def ask_of_objects(client: httpx.Client) -> None:
    created = client.post("/v1/items", json={"name": fresh_name(), "quantity": 3})
    there = created.headers["Location"]
    for method, content in (
        ("GET", None),
        ("PUT", {"name": "changed"}),
        ("PATCH", {"name": "changed"}),
        ("DELETE", None),
    ):
        refused = assert_problem(client.request(method, there, json=content), 403)
        assert refused["detail"] == "Only even quantities are for you."
    (listed,) = client.get("/v1/items").json()["items"]
    assert listed == created.json()
    hidden = client.post("/v1/items", json={"name": "secret", "quantity": 2}).headers["Location"]
    assert_problem(client.get(hidden), 404)
    assert_problem(client.delete(hidden), 404)
    for number in range(7):
        client.post("/v1/items", json={"name": f"bolt {number}", "quantity": 10 - number})
    names = [item["name"] for item in walk(client, "search=bolt&sort=quantity&limit=3")]
    assert names == [f"bolt {number}" for number in reversed(range(7))]
    cursor = client.get("/v1/items?search=bolt&limit=1").json()["next_cursor"]
    assert_invalid(client.get(f"/v1/items?search=nut&cursor={cursor}"), "cursor")
    assert_invalid(client.get("/v1/items?seek=bolt"), "seek")
    assert_problem(client.get("/v1/items?search=%00"), 422)


def walk(client: httpx.Client, query: str) -> list[dict[str, Any]]:
    """The items of a query, page by page along `Link`."""
    found, url = [], f"/v1/items?{query}"
    while url:
        page = client.get(url)
        assert page.status_code == 200, page.text
        found += page.json()["items"]
        url = page.links["next"]["url"] if "next" in page.links else ""
    return found


GREETING = '''\
"""A greeting from the settings."""

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Greeting(APIView):
    def get(self, request: Request) -> Response:
        """Greet whoever asks."""
        return Response({"greeting": settings.SERVICE.greeting})
'''

SETTING = replaced(
    (
        "from .runtime import settings\n",
        "from typing import Annotated\n\nfrom pydantic import Field\n\n"
        "from .runtime import settings\n",
    ),
    (
        '    """Add your own settings: `greeting: str = "hello"` is read from GREETING."""\n',
        '    greeting: Annotated[str, Field(max_length=10)] = "hello"\n',
    ),
)


def with_paths(*lines: str, imports: str) -> Edit:
    """An edit of `urls.py`."""
    before = "from django.urls import include, path\n"
    added = "".join(f"    {line},\n" for line in lines)
    return replaced(
        (before, f"{before}\n{imports}"), ("urlpatterns = [\n", f"urlpatterns = [\n{added}")
    )


def ask_of_a_setting(client: httpx.Client) -> None:
    assert client.get("/v1/greeting").json() == {"greeting": "good day"}
    operation = client.get("/openapi.json").json()["paths"]["/v1/greeting"]["get"]
    assert operation["description"] == "Greet whoever asks."


ERRORS = '''\
"""The frameworks' own errors, and what else an owner raises."""

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from rest_framework import exceptions
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from .runtime.http import Problem


class Teapot(exceptions.APIException):
    status_code = 418
    default_detail = "short and stout"


ERRORS = {
    "parse": exceptions.ParseError("because of this"),
    "denied": exceptions.PermissionDenied("not you"),
    "missing": exceptions.NotFound("not here"),
    "media": exceptions.UnsupportedMediaType("text/plain"),
    "slow": exceptions.Throttled(wait=7, detail="not so fast"),
    "invalid": exceptions.ValidationError({"name": ["too short"], "other": {"x": ["no"]}}),
    "teapot": Teapot(),
    "problem": Problem(410, "It was here once."),
    "django404": Http404("no such thing"),
    "django403": PermissionDenied("keep out"),
    "django400": BadRequest("say it again"),
    "broken": RuntimeError("secret words"),
}


@api_view(["GET"])
def of_rest_framework(request: Request, name: str) -> Response:
    raise ERRORS[name]


def of_django(request: HttpRequest, name: str) -> HttpResponse:
    raise ERRORS[name]


def elsewhere(request: HttpRequest) -> HttpResponse:
    return redirect("/v1/items")


@api_view(["POST"])
def own(request: Request) -> Response:
    return Response({"mine": request.data["x"]}, 418, headers={"X-Mine": "yes"})
'''


def ask_of_errors(client: httpx.Client) -> None:
    for kind in ("rest", "django"):
        for name, status, detail in (
            ("parse", 400, "because of this"),
            ("denied", 403, "not you"),
            ("missing", 404, "not here"),
            ("slow", 429, "not so fast"),
            ("teapot", 418, "short and stout"),
            ("problem", 410, "It was here once."),
            ("django404", 404, "no such thing"),
            ("django403", 403, "keep out"),
            ("django400", 400, "say it again"),
        ):
            answer = client.get(f"/e/{kind}/{name}")
            problem = assert_problem(answer, status)
            assert problem["detail"].startswith(detail), (kind, problem)
        assert client.get(f"/e/{kind}/slow").headers["Retry-After"] == "7"
        assert_problem(client.get(f"/e/{kind}/media"), 415)
        invalid = assert_problem(client.get(f"/e/{kind}/invalid"), 422)
        assert {one["pointer"] for one in invalid["errors"]} == {"name", "other/x"}
        assert "secret" not in client.get(f"/e/{kind}/broken").text
        assert_problem(client.get(f"/e/{kind}/broken"), 500)
    assert 'http_route="/e/rest/{name}"' in client.get("/metrics").text
    elsewhere = client.get("/e/elsewhere")
    assert (elsewhere.status_code, elsewhere.headers["Location"]) == (302, "/v1/items")
    own = client.post("/e/own", json={"x": 1})
    assert (own.status_code, own.json(), own.headers["X-Mine"]) == (418, {"mine": 1}, "yes")
    assert_problem(client.get("/e/own"), 405)
    assert_problem(client.post("/e/own", content=b"{", headers={"Content-Type": "text/x"}), 415)


TRANSFER = '''\
"""Two items changed together, or neither."""

from django.db import transaction
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from .items.models import Item


@api_view(["POST"])
def transfer(request: Request) -> Response:
    """Move a quantity from a new item to another one."""
    with transaction.atomic():
        made = Item.objects.create(name=request.data["from"], quantity=5)
        first = made.revision
        Item.objects.filter(uuid=made.uuid, revision=first).update(quantity=2)
        seen = Item.objects.get(uuid=made.uuid)
        Item.objects.create(name=request.data["to"], quantity=3)
    return Response({"seen": seen.quantity, "changed": seen.revision != first})
'''


def ask_of_a_transaction(client: httpx.Client) -> None:
    first, second, third = fresh_name("from"), fresh_name("to"), fresh_name("third")
    sent = client.post("/v1/transfer", json={"from": first, "to": second})
    assert sent.json() == {"seen": 2, "changed": True}
    taken = client.post("/v1/transfer", json={"from": third, "to": second})
    assert assert_problem(taken, 409)["detail"] == "Another item has this name."
    names = [item["name"] for item in client.get("/v1/items").json()["items"]]
    assert first in names
    assert third not in names, "half of a transaction was stored"


ATOMIC = replaced(
    (
        "REST_FRAMEWORK |= {",
        'DATABASES["default"]["ATOMIC_REQUESTS"] = True\n\nREST_FRAMEWORK |= {',
    )
)

EXTENSIONS = replaced(
    (
        "from .runtime.defaults import *\n",
        "from .runtime.defaults import *\n\n"
        'CORS_ALLOWED_ORIGINS = ["https://app.example.com"]\n'
        'CORS_EXPOSE_HEADERS = ["ETag"]\n',
    ),
    (
        "INSTALLED_APPS += [\n",
        'INSTALLED_APPS += [\n    "corsheaders",\n    "django_filters",\n',
    ),
    (
        "MIDDLEWARE += []",
        'MIDDLEWARE = ["corsheaders.middleware.CorsMiddleware", *MIDDLEWARE]',
    ),
    (
        "REST_FRAMEWORK |= {\n",
        "REST_FRAMEWORK |= {\n"
        '    "DEFAULT_FILTER_BACKENDS": [\n'
        '        "django_filters.rest_framework.DjangoFilterBackend",\n'
        '        "rest_framework.filters.OrderingFilter",\n'
        "    ],\n"
        '    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],\n'
        '    "DEFAULT_THROTTLE_RATES": {"anon": "90/minute"},\n',
    ),
)

FILTER_VIEWS = '''\
"""Items over HTTP."""

from ..runtime.views import ResourceViewSet
from .models import Item
from .serializers import ItemSerializer


class ItemViewSet(ResourceViewSet[Item]):
    queryset = Item.objects.all()
    serializer_class = ItemSerializer
    filterset_fields = {"quantity": ["exact", "gte", "lt"], "name": ["startswith"]}
    ordering_fields = ("name", "quantity")
'''


def ask_of_extensions(client: httpx.Client) -> None:
    origin = {"Origin": "https://app.example.com"}
    allowed = "Access-Control-Allow-Origin"
    assert client.get("/v1/items", headers=origin).headers[allowed] == origin["Origin"]
    assert allowed not in client.get("/v1/items", headers={"Origin": "https://evil"}).headers
    sent = origin | {"Content-Type": "application/json"}
    large = client.post("/v1/items", content=b" " * 1_048_577, headers=sent)
    assert_problem(large, 413)
    assert large.headers[allowed] == origin["Origin"]
    long = client.get("/v1/items", headers=origin | {"X-Long": "x" * 33_000})
    assert_problem(long, 431)
    assert long.headers[allowed] == origin["Origin"]
    assert client.get("/v1/nothing", headers=origin).headers[allowed] == origin["Origin"]
    assert client.post("/v1/items", json={"name": 5}, headers=origin).headers[allowed]
    preflight = client.options(
        "/v1/items", headers=origin | {"Access-Control-Request-Method": "POST"}
    )
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    ask_of_django_filter(client)
    answers = [client.get("/v1/items") for _ in range(95)]
    limited = next(answer for answer in answers if answer.status_code == 429)
    assert "throttled" in assert_problem(limited, 429)["detail"]
    assert int(limited.headers["Retry-After"]) <= 60
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 200


def ask_of_django_filter(client: httpx.Client) -> None:
    for number in range(9):
        sent = {"name": f"nut {number}", "quantity": number}
        assert client.post("/v1/items", json=sent).status_code == 201
    query = "quantity__gte=2&name__startswith=nut&limit=2&ordering=-quantity"
    assert [item["quantity"] for item in walk(client, query)] == [8, 7, 6, 5, 4, 3, 2]
    assert_invalid(client.get("/v1/items?quantity__gte=many"), "quantity__gte")
    assert_invalid(client.get("/v1/items?quantity__gt=2"), "quantity__gt")


BESIDE = '''\
"""Work beside requests: a periodic job, and a task that goes on after the response."""

import time
from threading import Thread

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .items.models import Item
from .runtime.database import bounded
from .runtime.lifecycle import draining


def start() -> None:
    Thread(target=tidy, daemon=True).start()


def tidy() -> None:
    """Delete what is worn out, now and then."""
    while not draining.wait(0.2):
        with bounded(30):
            Item.objects.filter(name__startswith="worn").delete()


def report(name: str) -> None:
    time.sleep(2)
    with bounded(30):
        Item.objects.create(name=name)


class Reports(APIView):
    def post(self, request: Request) -> Response:
        # Not a daemon, which the server's own threads are: the process waits for it.
        Thread(target=report, args=(request.data["name"],), daemon=False).start()
        return Response(status=202)
'''

BESIDE_APP = replaced(
    (
        "    return Service(settings, CHECKS)\n",
        "    app = Service(settings, CHECKS)\n\n"
        "    from .beside import start  # models can be imported now that Django is set up\n\n"
        "    start()\n    return app\n",
    ),
)

REPORTS = with_paths(
    'path("v1/reports", Reports.as_view())', imports="from .beside import Reports\n"
)


def ask_of_work_beside(client: httpx.Client) -> None:
    worn = client.post("/v1/items", json={"name": fresh_name("worn")}).headers["Location"]
    wait_until(lambda: client.get(worn).status_code == 404, 10, "the job's work")
    name = fresh_name("report")
    began = time.monotonic()
    assert client.post("/v1/reports", json={"name": name}).status_code == 202
    assert time.monotonic() - began < 1.9
    labels = 'http_request_method="POST",http_response_status_code="202",http_route="/v1/reports"'
    metric = f'http_server_request_duration_seconds_bucket{{{labels},le="1.0"}} 1.0'
    assert metric in client.get("/metrics").text, client.get("/metrics").text
    wait_until(
        lambda: name in [one["name"] for one in client.get("/v1/items").json()["items"]],
        10,
        "the task's work",
    )


# What the service's own tests have to notice.
_PATHS = '        document["paths"] = generated["paths"] | document["paths"]\n'
BREAKS: dict[str, dict[str, Edit]] = {
    "an operation is missing": {
        "{package}/runtime/document.py": replaced(
            (
                _PATHS,
                '        for path in generated["paths"].values():\n'
                '            path.pop("patch", None)\n' + _PATHS,
            )
        )
    },
    "a field is missing": {
        "{package}/runtime/document.py": replaced(
            (
                _PATHS,
                '        for schema in generated["components"]["schemas"].values():\n'
                '            schema["properties"].pop("quantity", None)\n' + _PATHS,
            )
        )
    },
    "a resource is left over": {
        "{package}/runtime/document.py": replaced(
            (
                _PATHS,
                '        items = generated["paths"].get("/v1/items", {})\n'
                '        generated["paths"]["/v1/ghosts"] = dict(items)\n' + _PATHS,
            )
        )
    },
}

CASES = [
    Case("O1 O2 O3 R7 R9", "rooms and bookings", ROOMS_AND_BOOKINGS, ask_of_rooms_and_bookings),
    Case(
        "O2 O3 R9",
        "rooms and bookings in transactions of requests",
        ROOMS_AND_BOOKINGS
        | {"{package}/django_settings.py": lambda text: ATOMIC(ADDED_APPS(text))},
        ask_of_rooms_and_bookings,
    ),
    Case(
        "O4",
        "an authentication class",
        {"{package}/access.py": TOKEN, "{package}/django_settings.py": AUTHENTICATED},
        ask_of_a_check,
    ),
    Case(
        "O4",
        "a check in middleware",
        {
            "{package}/access.py": MIDDLEWARE_CHECKS,
            "{package}/django_settings.py": with_middleware("access.require_token"),
        },
        ask_of_middleware,
    ),
    Case(
        "O4",
        "an asynchronous check in middleware",
        {
            "{package}/access.py": MIDDLEWARE_CHECKS,
            "{package}/django_settings.py": with_middleware("access.require_token_async"),
        },
        ask_of_middleware,
    ),
    Case(
        "O4",
        "checks that nobody awaits",
        {
            "{package}/access.py": FORGOTTEN,
            "{package}/closed.py": FORGOTTEN_VIEWS,
            "{package}/urls.py": with_paths(
                'path("closed", closed.Closed.as_view())',
                'path("combined", closed.Combined.as_view())',
                'path("closed-items/<item_id>", closed.ClosedItems.as_view({"get": "retrieve"}))',
                imports="from . import closed\n",
            ),
        },
        ask_of_coroutines,
    ),
    Case(
        "O4 O3",
        "object permissions and filter backends",
        {"{package}/access.py": OBJECTS, "{package}/items/views.py": OBJECT_VIEWS},
        ask_of_objects,
    ),
    Case(
        "O6",
        "a setting",
        {
            "{package}/greeting.py": GREETING,
            "{package}/settings.py": SETTING,
            "{package}/urls.py": with_paths(
                'path("v1/greeting", Greeting.as_view())',
                imports="from .greeting import Greeting\n",
            ),
        },
        ask_of_a_setting,
        environment={"GREETING": "good day"},
    ),
    Case(
        "O7",
        "errors",
        {
            "{package}/errors.py": ERRORS,
            "{package}/urls.py": with_paths(
                'path("e/rest/<name>", errors.of_rest_framework)',
                'path("e/django/<name>", errors.of_django)',
                'path("e/elsewhere", errors.elsewhere)',
                'path("e/own", errors.own)',
                imports="from . import errors\n",
            ),
        },
        ask_of_errors,
    ),
    Case(
        "O10",
        "a transaction over two writes",
        {
            "{package}/transfer.py": TRANSFER,
            "{package}/urls.py": with_paths(
                'path("v1/transfer", transfer)', imports="from .transfer import transfer\n"
            ),
        },
        ask_of_a_transaction,
    ),
    Case(
        "O11",
        "cors django-filter and throttling",
        {"{package}/django_settings.py": EXTENSIONS, "{package}/items/views.py": FILTER_VIEWS},
        ask_of_extensions,
        packages=("django-cors-headers", "django-filter"),
    ),
    Case(
        "O13",
        "a job and a task",
        {
            "{package}/beside.py": BESIDE,
            "{package}/app.py": BESIDE_APP,
            "{package}/urls.py": REPORTS,
        },
        ask_of_work_beside,
    ),
    rules_of_django(),
    GROWTH,
]
