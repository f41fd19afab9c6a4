"""Serializers that take a value as it is sent, or reject it."""

import math
import re
from copy import copy, deepcopy
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, ClassVar, Final, TypeVar, cast

from django.db import models
from django.db.backends.base.operations import BaseDatabaseOperations
from pydantic import TypeAdapter, ValidationError
from rest_framework import serializers
from rest_framework.utils.field_mapping import ClassLookupDict
from rest_framework.validators import UniqueValidator

from .content import Line, Text, Timestamp
from .models import LineField, Record

Row = TypeVar("Row", bound=Record)

_MAX_UNKNOWN: Final = 20
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_fields: dict[type, dict[str, Any]] = {}


class _Strict(serializers.Field[Any, Any, Any, Any]):
    """Mixed into a field that would convert: it takes values of these JSON types alone."""

    json_types: tuple[type, ...] = (str,)
    pattern: re.Pattern[str] | None = None

    def to_internal_value(self, data: Any) -> Any:
        fits = type(data) in self.json_types
        if not fits or (self.pattern is not None and not self.pattern.fullmatch(data)):
            self.fail("invalid", format="that of RFC 3339", value=str(data)[:100])
        return super().to_internal_value(data)


class StrictCharField(_Strict, serializers.CharField):
    """Text, as it is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})


class _Validated(StrictCharField):
    """Text whose rule is one of `content`, which describes it as well."""

    rule: TypeAdapter[str]

    def to_internal_value(self, data: Any) -> Any:
        return _validated(self.rule, super().to_internal_value(data))


class StrictLineField(_Validated):
    """A line of text; the ASCII white space around it is removed."""

    def __init__(self, *, min_length: int = 1, max_length: int = 100, **options: Any) -> None:
        super().__init__(**options | {"allow_blank": min_length == 0})
        self.rule = _rule(Line, min_length, max_length)


class StrictTextField(_Validated):
    """Text of several lines, kept as it is sent."""

    def __init__(self, *, max_length: int = 10_000, **options: Any) -> None:
        super().__init__(**options)
        self.rule = _rule(Text, 0 if self.allow_blank else 1, max_length)


@cache
def _rule(kind: Any, minimum: int, maximum: int) -> TypeAdapter[str]:
    return TypeAdapter(Annotated[str, kind(minimum, maximum)])


def _validated(rule: TypeAdapter[Any], data: Any) -> Any:
    try:
        return rule.validate_python(data)
    except ValidationError as error:
        raise serializers.ValidationError(error.errors()[0]["msg"]) from None


class StrictEmailField(StrictCharField, serializers.EmailField):
    pass


class StrictURLField(StrictCharField, serializers.URLField):
    pass


class StrictSlugField(StrictCharField, serializers.SlugField):
    pass


class StrictIntegerField(_Strict, serializers.IntegerField):
    json_types = (int,)


class StrictFloatField(_Strict, serializers.FloatField):
    json_types = (int, float)

    def to_internal_value(self, data: Any) -> float:
        try:
            value = float(super().to_internal_value(data))
        except OverflowError:  # an integer that is too large
            self.fail("invalid")
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class StrictBooleanField(_Strict, serializers.BooleanField):
    json_types = (bool,)


class StrictDecimalField(_Strict, serializers.DecimalField):
    json_types = (str, int, float)


class StrictDateField(_Strict, serializers.DateField):
    pattern = _DATE


class StrictDateTimeField(serializers.DateTimeField):
    """A point in time with an offset; shown in UTC, with six digits of a second."""

    def to_internal_value(self, value: Any) -> datetime:
        return cast(datetime, _validated(_timestamp, value))

    def to_representation(self, value: Any) -> str:
        shown: str = value.astimezone(UTC).isoformat(timespec="microseconds")
        return shown.replace("+00:00", "Z")


_timestamp: Final[TypeAdapter[datetime]] = TypeAdapter(Timestamp)


class StrictUUIDField(_Strict, serializers.UUIDField):
    pattern = _UUID


class StrictChoiceField(serializers.ChoiceField):
    def to_internal_value(self, data: Any) -> Any:
        if not any(type(data) is type(choice) and data == choice for choice in self.choices):
            self.fail("invalid_choice", input=str(data)[:100])
        return data


_MAPPING: Final[dict[Any, Any]] = {
    models.BigIntegerField: StrictIntegerField,
    models.BooleanField: StrictBooleanField,
    models.CharField: StrictCharField,
    models.DateField: StrictDateField,
    models.DateTimeField: StrictDateTimeField,
    models.DecimalField: StrictDecimalField,
    models.EmailField: StrictEmailField,
    models.FloatField: StrictFloatField,
    models.IntegerField: StrictIntegerField,
    models.SlugField: StrictSlugField,
    models.TextField: StrictTextField,
    models.URLField: StrictURLField,
    models.UUIDField: StrictUUIDField,
    LineField: StrictLineField,
}
_RANGES: Final = BaseDatabaseOperations.integer_field_ranges


class ResourceSerializer(serializers.ModelSerializer[Row]):
    """Shows a resource, and says what a client may send of it.

    Its fields and their rules come from the model: those that `Meta.fields` names, a reference by
    its column (`room_id`). Nothing is converted, and fields that cannot be set are rejected. What
    must be unique is left to the database, so that it is a conflict.

    The fields of a class are made once, and each serializer has copies of them.
    """

    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        **_MAPPING,
    }
    serializer_choice_field = StrictChoiceField

    def get_fields(self) -> dict[str, Any]:
        # Making them of a model takes as long as two queries.
        if type(self) not in _fields:
            _fields[type(self)] = super().get_fields()
        return {name: _copied(field) for name, field in _fields[type(self)].items()}

    def build_field(
        self, field_name: str, info: Any, model_class: Any, nested_depth: int
    ) -> tuple[Any, dict[str, Any]]:
        if field_name == "id":
            return StrictUUIDField, {"source": "uuid", "read_only": True}
        for field in model_class._meta.concrete_fields:
            if field.is_relation and field.attname == field_name:
                kind = ClassLookupDict(self.serializer_field_mapping)[field.target_field]
                return kind, _defaults(field) | {"help_text": field.help_text or None}
        return super().build_field(field_name, info, model_class, nested_depth)

    def build_standard_field(self, field_name: str, model_field: Any) -> tuple[Any, dict[str, Any]]:
        kind, options = super().build_standard_field(field_name, model_field)
        if not options.get("read_only"):
            options |= _defaults(model_field)
        validators = [
            one for one in options.get("validators", ()) if not isinstance(one, UniqueValidator)
        ]
        if isinstance(model_field, LineField):
            validators = [one for one in validators if one not in model_field.own_validators]
            options["min_length"] = model_field.min_length
        if model_field.get_internal_type() in _RANGES and issubclass(kind, StrictIntegerField):
            least, most = _RANGES[model_field.get_internal_type()]
            options["min_value"] = max(least, options.get("min_value", least))
            options["max_value"] = min(most, options.get("max_value", most))
        return kind, options | {"validators": validators}

    def get_unique_together_validators(self) -> list[Any]:
        return []

    def get_uniqueness_extra_kwargs(
        self, field_names: Any, declared_fields: Any, extra_kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        return extra_kwargs, {}

    def to_internal_value(self, data: Any) -> Any:
        known = {name for name, field in self.fields.items() if not field.read_only}
        unknown = sorted(data.keys() - known) if isinstance(data, dict) else []
        # An error costs far more to make than the name of a field costs to send.
        errors: dict[str, Any] = {
            name: ["This field cannot be set."] for name in unknown[:_MAX_UNKNOWN]
        }
        try:
            content = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors.update(cast("dict[str, Any]", error.detail))
        if errors:
            raise serializers.ValidationError(errors)
        return content


def _copied(field: Any) -> Any:
    """A copy that can be changed; Django REST Framework's own makes the field anew."""
    if isinstance(field, serializers.BaseSerializer | serializers.ManyRelatedField) or hasattr(
        field, "child"
    ):
        return deepcopy(field)
    found = copy(field)
    found.validators = [*field.validators]
    found.error_messages = {**field.error_messages}
    return found


def _defaults(field: Any) -> dict[str, Any]:
    """What a field is when a client leaves it out, as `PUT` does not keep what it was."""
    found: dict[str, Any] = {"allow_null": True} if field.null else {}
    if field.has_default():
        return found | {"default": field.default, "required": False}
    if field.null:
        return found | {"default": None, "required": False}
    if field.blank and not field.is_relation:
        return found | {"default": "", "required": False}
    return found
