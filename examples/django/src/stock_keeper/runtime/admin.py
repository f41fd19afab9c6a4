"""The base class of a resource in the admin."""

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django.contrib import admin
from django.db import models

from .models import Record

Row = TypeVar("Row", bound=Record)

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin
else:
    # Django's own class is generic only for type checkers.
    class ModelAdmin(Generic[Row], admin.ModelAdmin):
        pass


class RecordAdmin(ModelAdmin[Row]):
    """Shows the fields that every resource has as read-only."""

    formfield_overrides: ClassVar[Any] = {models.URLField: {"assume_scheme": "https"}}
    readonly_fields = ("uuid", "created_at", "updated_at")
