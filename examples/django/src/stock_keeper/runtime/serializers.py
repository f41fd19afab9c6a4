"""Serializers that take a value as it is sent, or refuse it."""

from copy import deepcopy
from typing import Any, ClassVar, TypeVar, cast

from django.db import models
from rest_framework import serializers
from rest_framework.fields import empty

ASCII_WHITE_SPACE = " \t\n\r\f\v"
Stored = TypeVar("Stored", bound=models.Model)

_fields: dict[type, dict[str, Any]] = {}


class StrictField(serializers.Field[Any, Any, Any, Any]):
    """Mixed into a field that would convert: it takes a value of one JSON type alone."""

    json_type: type

    def to_internal_value(self, data: Any) -> Any:
        if type(data) is not self.json_type:
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictCharField(StrictField, serializers.CharField):
    """Text; of the white space around it ASCII's is dropped, and no other."""

    json_type = str

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation(data.strip(ASCII_WHITE_SPACE) if type(data) is str else data)


class StrictIntegerField(StrictField, serializers.IntegerField):
    json_type = int


class StrictBooleanField(StrictField, serializers.BooleanField):
    json_type = bool


class StrictModelSerializer(serializers.ModelSerializer[Stored]):
    """A serializer that converts nothing, and refuses what it does not know or cannot set.

    Its class makes the fields once, each serializer has copies of them: what depends on a request
    is put into these, in an override of `get_fields`.
    """

    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.BooleanField: StrictBooleanField,
        models.CharField: StrictCharField,
        models.IntegerField: StrictIntegerField,
        models.PositiveIntegerField: StrictIntegerField,
        models.TextField: StrictCharField,
    }

    def get_fields(self) -> dict[str, Any]:
        # What is made of a model takes as long as two queries.
        if type(self) not in _fields:
            _fields[type(self)] = super().get_fields()
        return deepcopy(_fields[type(self)])

    def to_internal_value(self, data: Any) -> Any:
        known = {name for name, field in self.fields.items() if not field.read_only}
        unknown = sorted(data.keys() - known) if isinstance(data, dict) else []
        errors: dict[str, Any] = {name: ["This field cannot be set."] for name in unknown}
        try:
            content = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors.update(cast("dict[str, Any]", error.detail))
        if errors:
            raise serializers.ValidationError(errors)
        return content
