"""`seed`: create the rows in the service's `seed.py`, if there are none."""

import json
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from importlib import import_module
from typing import Any, Final

import structlog

from . import Unavailable
from .database import Database
from .http import Problem
from .resource import PageRequest, Resource
from .settings import Settings
from .store import Store

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
        with database.writing(seconds=_SECONDS):
            import_module("..seed", __package__).seed(Seeds(settings, database))
    except Unavailable as error:
        _log.critical("not_seeded", reason=str(error))
        sys.exit(1)
    finally:
        database.close()


class Seeds:
    """Creates rows for the service's `seed`, in one transaction."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database

    def fill(self, resource: Resource[Any, Any], rows: Iterable[Mapping[str, Any]]) -> None:
        """Create rows, each as a client would send it, unless the resource already has rows."""
        store, created = self.store(resource), 0
        if not self.ids(resource, 1):
            for row in rows:
                store.create(_content(resource, row))
                created += 1
        said = partial(_log.info, "seeded", resource=resource.plural, created=created)
        with self.database.writing(said):  # logged once it is committed
            pass

    def ids(self, resource: Resource[Any, Any], count: int) -> list[str]:
        """The IDs of the oldest rows, at most `count`, for use in references."""
        page = self.store(resource).page(PageRequest(count))
        return [str(row.id) for row in page.rows]

    def store(self, resource: Resource[Any, Any]) -> Store[Any, Any]:
        """The store of a resource."""
        return Store(resource, self.database)


def _content(resource: Resource[Any, Any], row: Mapping[str, Any]) -> Any:
    try:
        return resource.read("application/json", None, json.dumps(row).encode())
    except Problem as problem:
        wrong = "; ".join(f"{one['pointer']}: {one['detail']}" for one in problem.errors)
        raise ValueError(f"{resource.plural}: {wrong or problem.detail}") from None
