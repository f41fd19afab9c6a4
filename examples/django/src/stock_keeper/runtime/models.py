"""The base class of a resource's model: what every resource has."""

import secrets
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from uuid import uuid4

from django.core.validators import MinLengthValidator, RegexValidator
from django.db import IntegrityError, models
from django.utils import timezone

Row = TypeVar("Row", bound="Record")

if TYPE_CHECKING:
    CharField = models.CharField[str, str]
else:
    CharField = models.CharField

_no_control_characters = RegexValidator(
    r"[\x00-\x1f\x7f-\x9f]", "It must not contain control characters.", inverse_match=True
)


def new_revision() -> str:
    """A revision that no row has had."""
    return secrets.token_hex(8)


class RevisionField(CharField):
    """The entity tag: each write replaces it."""

    def pre_save(self, instance: models.Model, add: bool) -> str:
        revision = new_revision()
        setattr(instance, self.attname, revision)
        return revision

    def deconstruct(self) -> Any:
        name, _, args, options = super().deconstruct()
        return name, "django.db.models.CharField", args, options


class LineField(CharField):
    """A line of text: `min_length` to `max_length` characters, none of them a control character.

    A serializer removes the ASCII white space around it.
    """

    def __init__(self, *args: Any, min_length: int = 1, **options: Any) -> None:
        self.min_length = min_length
        self.own_validators = [_no_control_characters, MinLengthValidator(min_length)]
        options["validators"] = [*self.own_validators, *options.get("validators", ())]
        super().__init__(*args, **options | {"blank": min_length == 0})

    def deconstruct(self) -> Any:
        # A migration has it as what it is in the database, so that none depends on this class.
        name, _, args, options = super().deconstruct()
        for only_here in ("blank", "validators"):
            options.pop(only_here, None)
        return name, "django.db.models.CharField", args, options


class RecordQuerySet(models.QuerySet[Row]):
    """Rows whose revisions change with them, whichever way they are changed."""

    def update(self, **values: Any) -> int:
        changed = {"revision": new_revision(), "updated_at": timezone.now()}
        return super().update(**changed | values)


class Record(models.Model):
    """Base class of a resource's model: an ID, a revision and timestamps come with it.

    A reference to another resource is `ForeignKey(Room, models.PROTECT, to_field="uuid")`.
    """

    # The order of creation. It is never reused, so that pagination can rely on it.
    position = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField("id", db_column="id", unique=True, default=uuid4, editable=False)
    revision = RevisionField(max_length=16, editable=False)
    created_at = models.DateTimeField(editable=False, default=timezone.now)
    updated_at = models.DateTimeField(editable=False, default=timezone.now)

    objects: ClassVar[Any] = RecordQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ("position",)

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
