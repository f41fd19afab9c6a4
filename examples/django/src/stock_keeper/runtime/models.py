"""The base class of resource models, and their field types."""

import secrets
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar
from uuid import uuid4

from django.core.validators import MaxLengthValidator, MinLengthValidator, RegexValidator
from django.db import IntegrityError, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

Row = TypeVar("Row", bound="Record")
Sent = TypeVar("Sent")
Kept = TypeVar("Kept")

if TYPE_CHECKING:
    CharField = models.CharField
    TextField = models.TextField
    DecimalField = models.DecimalField
else:
    # Django's own classes are generic only for type checkers.
    class _Generic:
        def __class_getitem__(cls, _: Any) -> type:
            return cls

    class CharField(_Generic, models.CharField):
        pass

    class TextField(_Generic, models.TextField):
        pass

    class DecimalField(_Generic, models.DecimalField):
        pass


_MAX_INTEGER: Final = 2**63 - 1
_no_control_characters = RegexValidator(
    r"[\x00-\x1f\x7f-\x9f]", "It must not contain control characters.", inverse_match=True
)
_no_other_control_characters = RegexValidator(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]",
    "It must not contain control characters but line ends and tabs.",
    inverse_match=True,
)


def new_revision() -> str:
    """A new, unique revision."""
    return secrets.token_hex(8)


class RevisionField(CharField[str, str]):
    """The revision of a row, replaced by each write; used as the entity tag."""

    def pre_save(self, instance: models.Model, add: bool) -> str:
        revision = new_revision()
        setattr(instance, self.attname, revision)
        return revision

    def deconstruct(self) -> Any:
        name, _, args, options = super().deconstruct()
        return name, "django.db.models.CharField", args, options


class LineField(CharField[Sent, Kept]):
    """A line of text: `min_length` to `max_length` characters, without control characters.

    A serializer removes the ASCII white space around it.
    """

    def __init__(self, *args: Any, min_length: int = 1, **options: Any) -> None:
        self.min_length = min_length
        self.own_validators = [_no_control_characters, MinLengthValidator(min_length)]
        options["validators"] = [*self.own_validators, *options.get("validators", ())]
        options["blank"] = min_length == 0 or options.get("null", False)
        super().__init__(*args, **options)

    def deconstruct(self) -> Any:
        return _as_stored("CharField", *super().deconstruct())


class LinesField(TextField[Sent, Kept]):
    """Text of several lines, stored unchanged: `min_length` to `max_length` characters.

    Line ends and tabs are its only control characters.
    """

    def __init__(
        self, *args: Any, min_length: int = 0, max_length: int = 10_000, **options: Any
    ) -> None:
        self.min_length = min_length
        self.own_validators = [
            _no_other_control_characters,
            MinLengthValidator(min_length),
            MaxLengthValidator(max_length),
        ]
        options["validators"] = [*self.own_validators, *options.get("validators", ())]
        options["blank"] = min_length == 0 or options.get("null", False)
        super().__init__(*args, **options | {"max_length": max_length})

    def deconstruct(self) -> Any:
        name, kind, args, options = super().deconstruct()
        del options["max_length"]
        return _as_stored("TextField", name, kind, args, options)


def _as_stored(kind: str, name: str, _: str, args: Any, options: dict[str, Any]) -> Any:
    """A text field as its database type, so that no migration depends on its class."""
    for only_here in ("blank", "validators"):
        options.pop(only_here, None)
    return name, f"django.db.models.{kind}", args, options


class ExactField(DecimalField[Sent, Kept]):
    """An exact number: NUMERIC, or in SQLite an integer in units of the last digit.

    At most 18 digits fit in SQLite, whose own NUMERIC may be a double. Calculate in Python: in
    queries only comparisons and sums are the same on both databases.
    """

    def get_internal_type(self) -> str:
        return "ExactField"  # in SQLite, Django reads a DecimalField as a double

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        on_sqlite = connection.vendor == "sqlite"
        return "bigint" if on_sqlite else f"numeric({self.max_digits}, {self.decimal_places})"

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        value = super().get_db_prep_value(value, connection, prepared)
        if not isinstance(value, Decimal) or connection.vendor != "sqlite":
            return value
        whole = int(value.scaleb(self.decimal_places))
        if abs(whole) > _MAX_INTEGER:
            raise OverflowError("more digits than SQLite's integers have")
        return whole

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        return self.get_db_prep_value(value, connection)

    def from_db_value(self, value: Any, _: Any, connection: BaseDatabaseWrapper) -> Any:
        if value is None or connection.vendor != "sqlite":
            return value
        return Decimal(value).scaleb(-self.decimal_places)


class IdempotencyKey(models.Model):
    """A request that was carried out, and the response that it got."""

    # A hash of the path and the key, so that neither reaches an index in full.
    digest = models.CharField(primary_key=True, max_length=64)
    # A hash of what the client sent.
    fingerprint = models.CharField(max_length=64)
    response = models.TextField()
    created_at = models.DateTimeField(db_index=True, default=timezone.now)

    class Meta:
        db_table = "idempotency_keys"

    def __str__(self) -> str:
        return self.digest


class RecordQuerySet(models.QuerySet[Row]):
    """A queryset whose updates also replace the revisions."""

    def update(self, **values: Any) -> int:
        changed = {"revision": new_revision(), "updated_at": timezone.now()}
        return super().update(**changed | values)


class Record(models.Model):
    """Base class of a resource's model: an ID, a revision and timestamps come with it.

    A reference to another resource is `ForeignKey(Room, models.PROTECT, to_field="uuid")`.
    """

    # The order of creation; never reused, so that pagination can rely on it.
    position = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField("id", db_column="id", unique=True, default=uuid4, editable=False)
    revision = RevisionField(max_length=16, editable=False)
    created_at = models.DateTimeField(editable=False, default=timezone.now)
    updated_at = models.DateTimeField(editable=False, default=timezone.now)

    objects: ClassVar[Any] = RecordQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ("position",)

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        """Delete the row, even if it refers to itself."""
        fields: Any = self._meta.concrete_fields
        own = [
            field.attname
            for field in fields
            if field.related_model is type(self) and getattr(self, field.attname) == self.uuid
        ]
        if own:
            type(self)._base_manager.filter(pk=self.pk).update(**dict.fromkeys(own))
        return super().delete(*args, **options)

    def save(self, *args: Any, **options: Any) -> None:
        self.updated_at = timezone.now()
        if self._state.adding:
            self.created_at = self.updated_at
        if options.get("update_fields") is not None:
            options["update_fields"] = {*options["update_fields"], "revision", "updated_at"}
        try:
            super().save(*args, **options)
        except IntegrityError as error:
            error.row = self  # type: ignore[attr-defined]  # for `constraints` to explain
            raise
        connection: Any = transaction.get_connection(self._state.db)
        fields: Any = self._meta.concrete_fields
        if connection.in_atomic_block and any(one.is_relation for one in fields):
            connection.saved_rows.append(self)  # the database checks references at the commit
