"""Products in the admin."""

from django.contrib import admin

from ..runtime.admin import RecordAdmin
from .models import Product


@admin.register(Product)
class ProductAdmin(RecordAdmin[Product]):
    list_display = ("sku", "name", "price", "active", "updated_at")
    list_filter = ("active",)
    search_fields = ("sku", "name")
