"""Create products."""

import uuid

import django.utils.timezone
from django.db import migrations, models

from ...runtime.models import ExactField


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Product",
            fields=[
                ("position", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "uuid",
                    models.UUIDField(
                        db_column="id",
                        default=uuid.uuid4,
                        editable=False,
                        unique=True,
                        verbose_name="id",
                    ),
                ),
                ("sku", models.CharField(max_length=40, unique=True)),
                ("name", models.CharField(max_length=100)),
                ("price", ExactField(max_digits=10, decimal_places=2, blank=True, null=True)),
                ("active", models.BooleanField(default=True)),
                ("revision", models.CharField(editable=False, max_length=16)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
            ],
            options={
                "db_table": "products",
                "ordering": ("position",),
                "indexes": [
                    models.Index(fields=["active", "position"], name="products_active_9110ed_idx"),
                ],
            },
        ),
    ]
