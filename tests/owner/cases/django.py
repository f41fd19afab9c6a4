"""What owners of a Django service do."""

from __future__ import annotations

import httpx

from tests.contract.items import assert_invalid, assert_problem, fresh_name
from tests.owner.case import Case, Edit, replaced
from tests.owner.questions import BOOKINGS, ask_of_rooms_and_bookings, new_booking, new_room, walk
from tests.services import REPOSITORY

ITEMS = REPOSITORY / "templates/django/project/src/{{ package_name }}/items"

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


def copied(name: str, singular: str, plural: str) -> str:
    """A file of items as that of another resource, as the README says: copied and renamed."""
    text = (ITEMS / name).read_text()
    for old, new in (
        ("Items", plural.capitalize()),
        ("items", plural),
        ("Item", singular.capitalize()),
        ("item", singular),
    ):
        text = text.replace(old, new)
    return text


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
    "{package}/rooms/views.py": copied("views.py", "room", "rooms"),
    "{package}/rooms/urls.py": copied("urls.py", "room", "rooms"),
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
    "{package}/bookings/urls.py": copied("urls.py", "booking", "bookings"),
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

CASES = [
    Case(
        "O1 O2 O3 R7 R9",
        "rooms and bookings",
        ROOMS_AND_BOOKINGS,
        ask_of_rooms_and_bookings,
    ),
]
