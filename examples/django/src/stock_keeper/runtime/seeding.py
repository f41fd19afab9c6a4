"""`seed`: create the rows in the service's `seed.py`, if there are none."""

import sys
from collections.abc import Iterable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.db import transaction

from . import Unavailable
from .database import Database, bounded
from .settings import Settings

if TYPE_CHECKING:  # it can only be imported once Django is set up
    from .serializers import ResourceSerializer

_SECONDS: Final = 300  # for all rows together
_log = structlog.get_logger()


def seed(settings: Settings) -> None:
    """Call the service's `seed` in one transaction; the process ends if nothing can be stored."""
    _log.info("seeding", database=settings.database_label)
    database = Database(settings)
    try:
        checks = database.checks()
        if not checks["database"]:
            raise Unavailable("the database does not answer")
        if not all(checks.values()):
            raise Unavailable("the schema is not migrated: run migrate first")
        with bounded(_SECONDS), transaction.atomic():
            import_module("..seed", __package__).seed(Seeds())
    except Unavailable as error:
        _log.critical("not_seeded", reason=str(error))
        sys.exit(1)
    finally:
        database.close()


class Seeds:
    """Creates rows for the service's `seed`, in one transaction."""

    def fill(
        self, serializer: "type[ResourceSerializer[Any]]", rows: Iterable[Mapping[str, Any]]
    ) -> None:
        """Create rows, each as a client would send it, unless the resource already has rows."""
        model: Any = serializer.Meta.model
        plural, created = model._meta.db_table, 0
        if not self.ids(serializer, 1):
            for row in rows:
                content = serializer(data=dict(row))
                if not content.is_valid():
                    raise ValueError(f"{plural}: {content.errors}")
                content.save()
                created += 1
        # Logged once it is committed.
        transaction.on_commit(partial(_log.info, "seeded", resource=plural, created=created))

    def ids(self, serializer: "type[ResourceSerializer[Any]]", count: int) -> list[str]:
        """The IDs of the oldest rows, at most `count`, for use in references."""
        model: Any = serializer.Meta.model
        return [str(row.uuid) for row in model.objects.order_by("position")[:count]]
