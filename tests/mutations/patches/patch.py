"""What a patch is, and the files of a service that patches are about."""

from __future__ import annotations

from dataclasses import dataclass

APP = "{package}/app.py"
MODEL = "{package}/items/model.py"
ROUTES = "{package}/items/routes.py"
MIGRATION = "{package}/migrations/versions/0001_create_tables.py"
ADDRESS = "{package}/runtime/address.py"
ASGI = "{package}/runtime/asgi.py"
CLI = "{package}/runtime/cli.py"
CONSTRAINTS = "{package}/runtime/constraints.py"
CONNECTIONS = "{package}/runtime/connections.py"
CONTENT = "{package}/runtime/content.py"
DATABASE = "{package}/runtime/database.py"
DEADLINES = "{package}/runtime/deadlines.py"
DEVELOPMENT = "{package}/runtime/development.py"
DOCUMENT = "{package}/runtime/openapi.json"
ENDPOINTS = "{package}/runtime/endpoints.py"
HEALTH = "{package}/runtime/health.py"
HTTP = "{package}/runtime/http.py"
IDEMPOTENCY = "{package}/runtime/idempotency.py"
LOCKS = "{package}/runtime/locks.py"
LOGS = "{package}/runtime/logs.py"
METRICS = "{package}/runtime/metrics.py"
MIGRATIONS = "{package}/runtime/migrations.py"
OUTAGES = "{package}/runtime/outages.py"
PAGE = "{package}/runtime/docs.py"
PAGE_SCRIPT = "{package}/runtime/docs.js"
PROBE = "{package}/runtime/probe.py"
RESOURCE = "{package}/runtime/resource.py"
SEEDING = "{package}/runtime/seeding.py"
SERVER = "{package}/runtime/server.py"
SERVICE = "{package}/runtime/service.py"
SETTINGS = "{package}/runtime/settings.py"
STATEMENTS = "{package}/runtime/statements.py"
STORE = "{package}/runtime/store.py"
TABLES = "{package}/runtime/tables.py"
TELEMETRY = "{package}/runtime/telemetry.py"
WORKERS = "{package}/runtime/workers.py"
WSGI = "{package}/runtime/wsgi.py"
CONFTEST = "tests/conftest.py"
OWN_TESTS = "tests/test_service.py"

OWNERS = "test_a_change_of_its_owners_works"


@dataclass(frozen=True)
class Patch:
    """One replacement in one file of a rendered service, which breaks one promise.

    ``old`` has to stand in ``file`` exactly once; ``{package}`` is the folder of the package.
    ``by`` names the tests, separated by white space, that each have to fail on the broken
    service; the first one proves ``line``. ``case`` is a part of the ids of the
    owner's changes with which ``OWNERS`` runs. ``having`` are the answers of ``with`` that
    the service has.
    """

    line: str
    breaks: str
    file: str
    old: str
    new: str
    by: str
    database: str = "sqlite"
    case: str = ""
    having: tuple[str, ...] = ()

    @property
    def tests(self) -> list[str]:
        return self.by.split()
