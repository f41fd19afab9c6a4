"""Items in the admin."""

from typing import TYPE_CHECKING

from django.contrib import admin

from .models import Item

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Item]
else:
    ModelAdmin = admin.ModelAdmin


@admin.register(Item)
class ItemAdmin(ModelAdmin):
    list_display = ("name", "quantity", "updated_at")
    search_fields = ("name",)
    readonly_fields = ("uuid", "created_at", "updated_at")
