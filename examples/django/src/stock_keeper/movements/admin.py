"""Movements in the admin."""

from django.contrib import admin

from ..runtime.admin import RecordAdmin
from .models import Movement


@admin.register(Movement)
class MovementAdmin(RecordAdmin[Movement]):
    list_display = ("product", "quantity", "reason", "moved_at", "updated_at")
    list_filter = ("reason",)
    raw_id_fields = ("product",)
