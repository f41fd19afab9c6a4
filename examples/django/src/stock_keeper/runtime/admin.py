"""The base class of a resource in the admin."""

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django.contrib import admin
from django.db import models

from .models import Record

Row = TypeVar("Row", bound=Record)

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin
else:
    # Django's own class is generic for type checkers alone.
    class ModelAdmin(Generic[Row], admin.ModelAdmin):
        pass


class RecordAdmin(ModelAdmin[Row]):
    """Shows what comes with every resource, and lets nobody change it."""

    formfield_overrides: ClassVar[Any] = {models.URLField: {"assume_scheme": "https"}}
    readonly_fields = ("uuid", "created_at", "updated_at")
