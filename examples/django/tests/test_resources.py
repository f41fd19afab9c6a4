"""What a resource gets from `runtime`, of two that refer to each other."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, models, transaction
from django.test import override_settings
from django.urls import clear_url_caches
from rest_framework import permissions, serializers
from rest_framework.filters import SearchFilter
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIClient

from stock_keeper.app import create_app
from stock_keeper.runtime import schema
from stock_keeper.runtime.database import Database
from stock_keeper.runtime.filters import FieldFilter, SortFilter
from stock_keeper.runtime.models import ExactField, LineField, LinesField, Record
from stock_keeper.runtime.permissions import require_sync
from stock_keeper.runtime.serializers import ResourceSerializer
from stock_keeper.runtime.urls import handler404, handler500  # noqa: F401
from stock_keeper.runtime.views import ResourceViewSet
from stock_keeper.settings import Settings


class Room(Record):
    """A room that can be booked."""

    name = LineField(max_length=20, unique=True)
    code = LineField(max_length=20, unique=True, null=True)

    class Meta(Record.Meta):
        app_label = "messages"  # has no migrations
        db_table = "tried_rooms"


class Booking(Record):
    """A room that is somebody's for a while."""

    room = models.ForeignKey(Room, models.PROTECT, to_field="uuid")
    guest = LineField(max_length=20)
    starts_at = models.DateTimeField(null=True)
    nights = models.IntegerField(default=1)
    paid = models.BooleanField(default=False)
    price = models.FloatField(null=True)
    state = models.CharField(max_length=10, choices=[("asked", "Asked"), ("kept", "Kept")])
    notes = models.TextField(blank=True)
    wishes = LinesField(max_length=100, default="")
    rate = ExactField(max_digits=10, decimal_places=2, null=True)
    email = models.EmailField(null=True)
    page = models.URLField(null=True)

    class Meta(Record.Meta):
        app_label = "messages"  # has no migrations
        db_table = "tried_bookings"
        constraints = (
            models.UniqueConstraint(fields=["room", "starts_at"], name="once"),
            models.CheckConstraint(
                condition=models.Q(nights__gt=0),
                name="nights",
                violation_error_message="A booking is for at least one night.",
            ),
            models.CheckConstraint(condition=models.Q(rate__gte=0), name="rate"),
        )


class RoomSerializer(ResourceSerializer[Room]):
    class Meta:
        model = Room
        fields = ("id", "name", "code")


class BookingSerializer(ResourceSerializer[Booking]):
    class Meta:
        model = Booking
        fields = (
            *("id", "room_id", "guest", "starts_at", "nights", "paid", "price", "state", "notes"),
            *("wishes", "rate", "email", "page", "created_at"),
        )


class LoudSerializer(BookingSerializer):
    """Has a field of its own, which asks the context, and leaves out another."""

    loud = serializers.SerializerMethodField()

    class Meta(BookingSerializer.Meta):
        fields = (*BookingSerializer.Meta.fields, "loud")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "quiet" not in self.context:
            self.fields.pop("notes")

    def get_loud(self, booking: Booking) -> str:
        return booking.guest.upper() + self.context.get("quiet", "!")


class RoomViewSet(ResourceViewSet[Room]):
    queryset = Room.objects.all()
    serializer_class = RoomSerializer


class BookingViewSet(ResourceViewSet[Booking]):
    queryset = Booking.objects.all()
    serializer_class = BookingSerializer
    filter_backends = (FieldFilter, SortFilter, SearchFilter)
    filterset_fields = ("paid", "guest", "room_id")
    ordering_fields = ("starts_at", "nights")
    search_fields = ("guest",)


router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("v1/rooms", RoomViewSet)
router.register("v1/bookings", BookingViewSet)
urlpatterns = router.urls


@pytest.fixture
def api(settings: Settings, database: Database) -> Iterator[APIClient]:
    """A client of a service that has these resources and no others."""
    with connection.schema_editor() as editor:
        editor.create_model(Room)
        editor.create_model(Booking)
    try:
        with override_settings(ROOT_URLCONF=__name__):
            clear_url_caches()
            schema.generate.cache_clear()
            app = create_app(settings)
            yield APIClient()
            app.database.close()
    finally:
        clear_url_caches()
        schema.generate.cache_clear()


def room(api: APIClient, **content: Any) -> str:
    created = api.post("/v1/rooms", {"name": uuid4().hex[:20]} | content)
    assert created.status_code == 201
    return str(created.data["id"])


@pytest.mark.parametrize("kind", [BookingSerializer, LoudSerializer])
@pytest.mark.parametrize("context", [{}, {"quiet": ""}])
def test_rows_are_shown_as_django_rest_framework_shows_them(
    database: Database, kind: type[BookingSerializer], context: dict[str, str]
) -> None:
    full = Booking(room_id=uuid4(), guest="Ada", starts_at=datetime.now(UTC), price=7, state="kept")
    rows = [full, Booking(room_id=uuid4(), guest="Bob", nights=2, paid=True, created_at=None)]
    expected = []
    for row in rows:
        its_own = kind(context=context)
        expected.append(serializers.ModelSerializer.to_representation(its_own, row))
    assert kind(rows, many=True, context=context).data == expected
    assert [kind(row, context=context).data for row in rows] == expected


def booking(api: APIClient, room_id: str | None, **content: Any) -> Any:
    return api.post(
        "/v1/bookings", {"room_id": room_id, "guest": "Ada", "state": "asked"} | content
    )


def test_a_reference_to_nothing_is_rejected_at_its_field(api: APIClient) -> None:
    unknown = str(uuid4())
    created = booking(api, room(api))
    for rejected in (
        booking(api, unknown),
        booking(api, "7"),
        booking(api, None),
        api.patch(created["Location"], {"room_id": unknown}),
    ):
        assert rejected.status_code == 422
        assert [one["pointer"] for one in rejected.json()["errors"]] == ["/room_id"]
    with transaction.atomic():  # found before its end
        assert booking(api, unknown).status_code == 422


def test_a_row_that_others_refer_to_stays(api: APIClient) -> None:
    there = f"/v1/rooms/{room(api)}"
    created = booking(api, there.rpartition("/")[2])
    rejected = api.delete(there)
    assert rejected.status_code == 409
    assert rejected.json()["detail"] == "The room is still referred to by tried_bookings."
    assert api.delete(created["Location"]).status_code == 204
    assert api.delete(there).status_code == 204


def test_a_conflict_names_each_field_that_clashes(api: APIClient) -> None:
    first = room(api, name="blue", code="B")
    other = room(api, name="red")
    assert api.post("/v1/rooms", {"name": "blue", "code": "B"}).json()["detail"] == (
        "Another room has this name and code."
    )
    assert api.patch(f"/v1/rooms/{other}", {"code": "B"}).json()["detail"] == (
        "Another room has this code."
    )
    moment = "2030-01-01T00:00:00Z"
    assert booking(api, first, starts_at=moment).status_code == 201
    assert booking(api, first, starts_at=moment).json()["detail"] == (
        "Another booking has this combination of room_id and starts_at."
    )


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("nights", 0, "A booking is for at least one night."),
        ("rate", "-0.01", "It violates the constraint rate."),
    ],
)
def test_a_check_of_the_table_rejects_a_value(
    api: APIClient, field: str, value: Any, why: str
) -> None:
    there = room(api)
    created = booking(api, there)
    for rejected in (
        booking(api, there, **{field: value}),
        api.patch(created["Location"], {field: value}),
    ):
        assert rejected.status_code == 422
        assert rejected.json()["errors"] == [{"pointer": "", "detail": why}]


def test_exact_numbers_and_text_come_back_as_they_were_sent(api: APIClient) -> None:
    content = {
        "rate": "12345678.90",
        "wishes": "quiet,\n\tnorth",
        "email": "ada@example.org",
        "page": "https://example.org/ada",
    }
    created = booking(api, room(api), **content)
    shown = api.get(created["Location"]).data
    assert {name: shown[name] for name in content} == content
    changed = api.patch(created["Location"], {"rate": None, "email": None}).data
    assert (changed["rate"], changed["email"]) == (None, None)


def test_a_field_that_is_left_out_has_its_default(api: APIClient) -> None:
    created = booking(api, room(api), price=2.5, notes="a\nb", nights=3).data
    assert (created["paid"], created["starts_at"], created["price"]) == (False, None, 2.5)
    sent = {name: created[name] for name in ("room_id", "guest", "state")}
    replaced = api.put(f"/v1/bookings/{created['id']}", sent).data
    assert (replaced["price"], replaced["notes"], replaced["nights"]) == (None, "", 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("starts_at", "2030-01-01T00:00:00"),
        ("starts_at", "0001-01-01T00:00:00+14:00"),
        ("starts_at", 7),
        ("nights", 2**31),
        ("nights", "1"),
        ("price", 10**400),
        ("price", "1"),
        ("paid", 1),
        ("state", "lost"),
        ("notes", "a\x00b"),
        ("guest", ""),
        ("rate", "1.234"),
        ("rate", "NaN"),
        ("wishes", "a\x00b"),
        ("email", "ada"),
        ("page", "ftp://example.org"),
    ],
)
def test_a_value_is_taken_as_it_is_or_not_at_all(api: APIClient, field: str, value: Any) -> None:
    rejected = booking(api, room(api), **{field: value})
    assert rejected.status_code == 422
    assert [one["pointer"] for one in rejected.json()["errors"]] == [f"/{field}"]


def test_a_moment_is_shown_in_utc(api: APIClient) -> None:
    created = booking(api, room(api), starts_at="2030-06-01T10:00:00+05:00")
    assert created.data["starts_at"] == "2030-06-01T05:00:00.000000Z"
    assert api.get(created["Location"]).data["starts_at"] == "2030-06-01T05:00:00.000000Z"


def walk(api: APIClient, query: str) -> list[Any]:
    """The bookings of a query, page by page."""
    found, url = [], f"/v1/bookings?{query}"
    while url:
        page = api.get(url)
        assert page.status_code == 200, page.content
        found += page.data["bookings"]
        url = page.headers["Link"].partition(">")[0][1:] if "Link" in page.headers else ""
    return found


def test_pages_keep_filter_search_and_order(api: APIClient) -> None:
    room_id = room(api)
    for number, day in enumerate([3, None, 1, 2, None, 5, 4]):
        moment = day and f"2030-01-0{day}T00:00:00Z"
        guest = "Bob" if number == 6 else f"Ada {number}"
        assert (
            booking(api, room_id, starts_at=moment, paid=day != 2, guest=guest).status_code == 201
        )
    moments = [one["starts_at"] for one in walk(api, "limit=50")]
    for sort in ("starts_at", "-starts_at"):
        whole = [one["id"] for one in walk(api, f"sort={sort}&limit=50")]
        for limit in (1, 2, 3):
            assert [one["id"] for one in walk(api, f"sort={sort}&limit={limit}")] == whole
    assert len(walk(api, "paid=true&limit=2")) == len(moments) - 1
    assert len(walk(api, "paid=true&search=ada&sort=-nights&limit=2")) == 5
    assert [one["guest"] for one in walk(api, f"guest=Bob&room_id={room_id}")] == ["Bob"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("paid=1", "paid"),
        ("room_id=7", "room_id"),
        ("sort=guest", "sort"),
        ("payed=true", "payed"),
        ("paid=true&paid=true", "paid"),
        ("cursor=0000000000000001.01234567.x", "cursor"),
        ("sort=starts_at&cursor=0000000000000001", "cursor"),
    ],
)
def test_a_parameter_that_is_not_valid_is_named(api: APIClient, query: str, name: str) -> None:
    rejected = api.get(f"/v1/bookings?{query}")
    assert (rejected.status_code, rejected.json()["errors"][0]["pointer"]) == (422, name)


def test_a_cursor_is_of_one_filter_and_order(api: APIClient) -> None:
    room_id = room(api)
    for _ in range(3):
        booking(api, room_id)
    cursor = api.get("/v1/bookings?sort=nights&limit=1").data["next_cursor"]
    assert api.get(f"/v1/bookings?sort=nights&cursor={cursor}").status_code == 200
    for other in ("sort=-nights", "paid=true", "sort=nights&paid=false", ""):
        assert api.get(f"/v1/bookings?{other}&cursor={cursor}").status_code == 422


def test_the_document_has_fields_filters_and_conflicts(api: APIClient) -> None:
    document = api.get("/openapi.json").json()
    parameters = document["paths"]["/v1/bookings"]["get"]["parameters"]
    names = [parameter.get("name") for parameter in parameters]
    assert {"paid", "guest", "room_id", "sort", "search"} <= set(names)
    content = document["components"]["schemas"]["BookingContent"]
    assert content["required"] == ["room_id", "guest", "state"]
    assert content["properties"]["price"]["anyOf"] == [
        {"type": "number"},
        {"type": "null"},
    ]
    assert "409" in document["paths"]["/v1/rooms/{room_id}"]["delete"]["responses"]
    assert "409" not in document["paths"]["/v1/bookings/{booking_id}"]["delete"]["responses"]


def test_endpoints_are_there_for_the_test_client_too(api: APIClient) -> None:
    assert api.get("/livez").json() == {"status": "pass"}
    assert api.post("/livez").status_code == 405
    assert api.get("/nowhere").json()["request_id"]
    assert api.post("/v1/rooms", b" " * 1_048_577, content_type="text/plain").status_code == 413


class Known(permissions.BasePermission):
    pass


class Unawaited(permissions.BasePermission):
    async def has_object_permission(self, *_: Any) -> bool:  # type: ignore[override]
        return False


@pytest.mark.parametrize("check", [Unawaited, Unawaited(), Known & Unawaited, ~Unawaited])
def test_a_check_that_nobody_awaits_is_an_error(check: Any) -> None:
    require_sync([Known, permissions.IsAuthenticated | Known])
    with pytest.raises(TypeError, match=r"Unawaited\.has_object_permission"):
        require_sync([check])
    if not isinstance(check, type):
        with pytest.raises(TypeError, match="Unawaited"):
            require_sync([check() if callable(check) else check])
