"""Create movements."""

import uuid

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = [
        ("products", "0001_initial"),
    ]
    operations = [
        migrations.CreateModel(
            name="Movement",
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
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        to="products.product",
                        to_field="uuid",
                    ),
                ),
                (
                    "quantity",
                    models.IntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(-100_000),
                            django.core.validators.MaxValueValidator(100_000),
                        ]
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=[("bought", "Bought"), ("sold", "Sold"), ("counted", "Counted")],
                        max_length=7,
                        default="counted",
                    ),
                ),
                ("moved_at", models.DateTimeField()),
                ("note", models.TextField(null=True)),
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
                "db_table": "movements",
                "ordering": ("position",),
                "indexes": [
                    models.Index(
                        fields=["product", "position"], name="movements_product_d889bf_idx"
                    ),
                    models.Index(fields=["reason", "position"], name="movements_reason_ed35c4_idx"),
                    models.Index(
                        fields=["moved_at", "position"], name="movements_moved_a_e6aec3_idx"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason__in", ["bought", "sold", "counted"])),
                        name="movements_reason",
                    ),
                ],
            },
        ),
    ]
