"""Serializers that accept a value as it was sent, or reject it."""

from collections.abc import Callable, Iterable, Sequence
from copy import copy, deepcopy
from datetime import UTC
from decimal import Decimal
from functools import cache, cached_property
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, TypeVar, cast

from django.core.validators import EmailValidator, URLValidator
from django.db import models
from django.db.backends.base.operations import BaseDatabaseOperations
from pydantic import Field as Rule
from pydantic import FiniteFloat, TypeAdapter, ValidationError
from rest_framework import serializers
from rest_framework.relations import MANY_RELATION_KWARGS, PKOnlyObject
from rest_framework.utils.field_mapping import ClassLookupDict
from rest_framework.validators import UniqueValidator

from .content import Day, Digits, Email, Line, Lines, Timestamp, Url, Uuid, merged
from .models import ExactField, LineField, LinesField, Record

Row = TypeVar("Row", bound=Record)

_MAX_UNKNOWN: Final = 20
_fields: dict[type, dict[str, Any]] = {}
_columns: dict[type, "Sequence[_Column] | None"] = {}


class _Validated(serializers.Field[Any, Any, Any, Any]):
    """Mixin for fields that would convert values: a type of `content` validates instead."""

    rule: TypeAdapter[Any]

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return serializers.Field.run_validation(self, data)  # CharField itself treats "" specially

    def to_internal_value(self, data: Any) -> Any:
        try:
            return self.rule.validate_python(data, strict=True)
        except ValidationError as error:
            raise serializers.ValidationError(error.errors()[0]["msg"]) from None


@cache
def _rule(kind: Any, **limits: Any) -> TypeAdapter[Any]:
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    return TypeAdapter(Annotated[kind, Rule(**limits)] if limits else kind)


class StrictCharField(serializers.CharField):
    """Text, unchanged."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictLineField(_Validated, serializers.CharField):
    """A line of text; the ASCII white space around it is removed."""

    def __init__(self, *, min_length: int = 1, max_length: int = 100, **options: Any) -> None:
        super().__init__(**options)
        self.rule = _rule(Annotated[str, Line(min_length, max_length)])


class StrictTextField(_Validated, serializers.CharField):
    """Text of several lines, stored unchanged."""

    def __init__(self, *, max_length: int = 10_000, **options: Any) -> None:
        least = options.pop("min_length", None)
        if least is None:
            least = 0 if options.get("allow_blank") else 1
        super().__init__(**options)
        self.rule = _rule(Annotated[str, Lines(least, max_length)])


class StrictEmailField(_Validated, serializers.EmailField):
    """An email address, validated by `content` instead of Django."""

    rule = _rule(Email)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.validators = [one for one in self.validators if not isinstance(one, EmailValidator)]


class StrictURLField(_Validated, serializers.URLField):
    """An http or https URL, validated by `content` instead of Django."""

    rule = _rule(Url)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.validators = [one for one in self.validators if not isinstance(one, URLValidator)]


class StrictSlugField(StrictCharField, serializers.SlugField):
    pass


class StrictIntegerField(_Validated, serializers.IntegerField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.rule = _rule(int, ge=self.min_value, le=self.max_value)


class StrictFloatField(_Validated, serializers.FloatField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.rule = _rule(FiniteFloat, ge=self.min_value, le=self.max_value)


class StrictBooleanField(_Validated, serializers.BooleanField):
    rule = _rule(bool)


class StrictDecimalField(_Validated, serializers.DecimalField):
    """An exact number, shown as a string with all its digits."""

    def __init__(self, *, max_digits: int, decimal_places: int, **options: Any) -> None:
        super().__init__(max_digits=max_digits, decimal_places=decimal_places, **options)
        self.rule = _rule(Annotated[Decimal, Digits(max_digits, decimal_places)])

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return serializers.Field.validate_empty_values(self, data)  # "" does not mean null

    def to_representation(self, value: Any) -> str:
        return f"{value:.{self.decimal_places}f}"


class StrictDateField(_Validated, serializers.DateField):
    rule = _rule(Day)


class StrictDateTimeField(_Validated, serializers.DateTimeField):
    """A timestamp with an offset; shown in UTC, with microseconds."""

    rule = _rule(Timestamp)

    def to_representation(self, value: Any) -> str:
        shown: str = value.astimezone(UTC).isoformat(timespec="microseconds")
        return shown.replace("+00:00", "Z")


class StrictUUIDField(_Validated, serializers.UUIDField):
    rule = _rule(Uuid)


class StrictChoiceField(_Validated, serializers.ChoiceField):
    @property
    def rule(self) -> TypeAdapter[Any]:  # type: ignore[override]
        return _rule(Literal[tuple(self.choices)])


class RecordsField(serializers.SlugRelatedField[Any]):
    """References to other resources, as a list of their IDs."""

    rule = _rule(Uuid)

    def __init__(self, **options: Any) -> None:
        super().__init__("uuid", **options)

    @classmethod
    def many_init(cls, **options: Any) -> serializers.ManyRelatedField:
        of_list = {name: options[name] for name in MANY_RELATION_KWARGS if name in options}
        return _Records(child_relation=cls(**options), **of_list)

    def to_representation(self, row: Any) -> str:
        return str(row.uuid)


class _Records(serializers.ManyRelatedField):
    """Reads all rows by one query, however many they are."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        if not (data or self.allow_empty):
            self.fail("empty")
        relation: Any = self.child_relation
        errors: dict[Any, Any] = {}
        ids = {}
        for index, text in enumerate(data):
            try:
                ids[index] = relation.rule.validate_python(text, strict=True)
            except ValidationError as error:
                errors[index] = [error.errors()[0]["msg"]]
        rows = {row.uuid: row for row in relation.get_queryset().filter(uuid__in=ids.values())}
        missing = [index for index, uuid in ids.items() if uuid not in rows]
        errors |= {index: ["It refers to nothing that exists."] for index in missing}
        if errors:
            raise serializers.ValidationError(errors)
        return [*rows.values()]


_OBJECTS: Final = (serializers.JSONField, serializers.DictField, serializers.BaseSerializer)
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
    ExactField: StrictDecimalField,
    LineField: StrictLineField,
    LinesField: StrictTextField,
}
# The fields that show a value in the same way whatever their serializer is.
_ALONE: Final = frozenset({*_MAPPING.values(), StrictUUIDField, StrictChoiceField})
_RANGES: Final = BaseDatabaseOperations.integer_field_ranges


class ResourceSerializer(serializers.ModelSerializer[Row]):
    """Serializes a resource, and validates what a client sends.

    The fields and their rules come from the model: those named in `Meta.fields`, a reference by its
    column (`room_id`). Nothing is converted, and fields that cannot be set are rejected. Uniqueness
    is left to the database, so that a violation is a conflict.

    The fields of a class are created once, and each serializer has copies of them.
    """

    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        **_MAPPING,
    }
    serializer_choice_field = StrictChoiceField

    def get_fields(self) -> dict[str, Any]:
        # Creating them from a model takes as long as two queries.
        if type(self) not in _fields:
            _fields[type(self)] = super().get_fields()
        return {name: _copied(field) for name, field in _fields[type(self)].items()}

    def to_representation(self, instance: Any) -> dict[str, Any]:
        # Django REST Framework takes three times as long to find the attribute of each field.
        is_one_of_many = isinstance(self.parent, serializers.ListSerializer)
        if not isinstance(instance, self.Meta.model) or not (is_one_of_many or self._is_untouched):
            return super().to_representation(instance)
        found: dict[str, Any] = {}
        for name, read, show in self._shown:
            try:
                value = read(instance)
            except serializers.SkipField:
                continue
            key = value.pk if isinstance(value, PKOnlyObject) else value
            found[name] = None if key is None else show(value)
        return found

    @property
    def _is_untouched(self) -> bool:
        """Whether the fields are those of the class, and this serializer has not created them."""
        own = type(self).get_fields is ResourceSerializer.get_fields
        return own and "fields" not in vars(self)

    @cached_property
    def _shown(self) -> "Sequence[_Column]":
        """The fields of a response; those of the class, unless this serializer has others."""
        kind = type(self)
        if not self._is_untouched:
            return _columns_of(self.Meta.model, self._readable_fields)
        if kind not in _columns:
            fields = self.get_fields()
            for name, field in fields.items():
                field.bind(name, None)
            # Others may need the request, which they find by their serializer.
            alone = all(type(field) in _ALONE for field in fields.values())
            readable = [field for field in fields.values() if not field.write_only]
            _columns[kind] = _columns_of(self.Meta.model, readable) if alone else None
        return _columns[kind] or _columns_of(self.Meta.model, self._readable_fields)

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
        if isinstance(model_field, LineField | LinesField):
            validators = [one for one in validators if one not in model_field.own_validators]
            options["min_length"] = model_field.min_length
            options["max_length"] = model_field.max_length
            if not (options.get("read_only") or model_field.has_default() or model_field.null):
                options["required"] = True  # "" is not a default
        if model_field.get_internal_type() in _RANGES and issubclass(kind, StrictIntegerField):
            least, most = _RANGES[model_field.get_internal_type()]
            options["min_value"] = max(least, options.get("min_value", least))
            options["max_value"] = min(most, options.get("max_value", most))
        return kind, options | {"validators": validators}

    def build_relational_field(
        self, field_name: str, relation_info: Any
    ) -> tuple[Any, dict[str, Any]]:
        kind, options = super().build_relational_field(field_name, relation_info)
        if not (options.get("many") and issubclass(relation_info.related_model, Record)):
            return kind, options
        if options.get("required") is False:
            options["default"] = list
        return RecordsField, options

    def get_unique_together_validators(self) -> list[Any]:
        return []

    def get_uniqueness_extra_kwargs(
        self, field_names: Any, declared_fields: Any, extra_kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        return extra_kwargs, {}

    def to_internal_value(self, data: Any) -> Any:
        known = {name for name, field in self.fields.items() if not field.read_only}
        unknown = sorted(data.keys() - known) if isinstance(data, dict) else []
        # Creating an error costs the service far more than sending a field name costs a client.
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


def sent_objects(serializer: Any) -> dict[str, Any]:
    """The fields for which the client has sent an object."""
    sent = serializer.initial_data
    fields = serializer.fields if isinstance(sent, dict) else {}
    return {
        name: field
        for name, field in fields.items()
        if isinstance(field, _OBJECTS) and not field.read_only and isinstance(sent.get(name), dict)
    }


def merged_objects(fields: dict[str, Any], sent: Any, row: Record) -> dict[str, Any]:
    """The values of these fields in the row after a merge patch (RFC 7396)."""
    found = {}
    for name, field in fields.items():
        value = field.get_attribute(row)
        found[name] = merged(None if value is None else field.to_representation(value), sent[name])
    return found


class _Column(NamedTuple):
    """A field of a response: its name, where its value is, and how it is shown."""

    name: str
    read: Callable[[Any], Any]
    show: Callable[[Any], Any]


def _columns_of(model: type[models.Model], fields: Iterable[Any]) -> "list[_Column]":
    columns = {field.attname for field in model._meta.concrete_fields}
    return [_column(field, columns) for field in fields]


def _column(field: Any, columns: set[str]) -> _Column:
    show = field.to_representation
    if type(field) is StrictUUIDField and field.uuid_format == "hex_verbose":
        show = str
    elif show.__func__ in _BUILT_IN:
        show = _BUILT_IN[show.__func__]
    is_plain = type(field).get_attribute is serializers.Field.get_attribute
    read = attrgetter(field.source) if is_plain and field.source in columns else field.get_attribute
    return _Column(field.field_name, read, show)


# What these methods do, without a call.
_BUILT_IN: Final[dict[Any, Callable[[Any], Any]]] = {
    serializers.CharField.to_representation: str,
    serializers.IntegerField.to_representation: int,
    serializers.FloatField.to_representation: float,
}


def _copied(field: Any) -> Any:
    """A copy that can be changed; Django REST Framework would create the field again."""
    if isinstance(field, serializers.BaseSerializer | serializers.ManyRelatedField) or hasattr(
        field, "child"
    ):
        return deepcopy(field)
    found = copy(field)
    found.validators = [*field.validators]
    found.error_messages = {**field.error_messages}
    return found


def _defaults(field: Any) -> dict[str, Any]:
    """The value of a field that the client left out: `PUT` does not keep the old one."""
    found: dict[str, Any] = {"allow_null": True} if field.null else {}
    if field.has_default():
        return found | {"default": field.default, "required": False}
    if field.null:
        return found | {"default": None, "required": False}
    if field.blank and not (field.is_relation or isinstance(field, LineField | LinesField)):
        return found | {"default": "", "required": False}
    return found
