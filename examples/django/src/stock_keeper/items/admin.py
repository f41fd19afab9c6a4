"""Items in the admin."""

from django.contrib import admin

from ..runtime.admin import RecordAdmin
from .models import Item


@admin.register(Item)
class ItemAdmin(RecordAdmin[Item]):
    list_display = ("name", "quantity", "updated_at")
    search_fields = ("name",)
