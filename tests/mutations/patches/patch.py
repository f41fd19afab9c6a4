"""What a patch is, and the files of a service that patches are about."""

from __future__ import annotations

from dataclasses import dataclass

MAIN = "{package}/__main__.py"
APP = "{package}/app.py"
HEALTH = "{package}/health.py"
ROUTES = "{package}/items/routes.py"
STORE = "{package}/items/store.py"
ITEMS_DOCUMENT = "{package}/items/openapi.json"
MIGRATION = "{package}/migrations/versions/0001_items.py"
ASGI = "{package}/runtime/asgi.py"
DATABASE = "{package}/runtime/database.py"
DEADLINES = "{package}/runtime/deadlines.py"
DOCUMENT = "{package}/runtime/openapi.json"
HTTP = "{package}/runtime/http.py"
LOGS = "{package}/runtime/logs.py"
PAGE = "{package}/runtime/docs.html"
SERVER = "{package}/runtime/server.py"
SETTINGS = "{package}/runtime/settings.py"
TELEMETRY = "{package}/runtime/telemetry.py"
WSGI = "{package}/runtime/wsgi.py"
CONFTEST = "tests/conftest.py"


@dataclass(frozen=True)
class Patch:
    """One replacement in one file of a rendered service, which breaks one promise.

    ``old`` has to stand in ``file`` exactly once; ``{package}`` is the folder of the package.
    ``by`` names the tests, separated by white space, that each have to fail on the broken
    service; the first one proves ``line``.
    """

    line: str
    breaks: str
    file: str
    old: str
    new: str
    by: str
    database: str = "sqlite"

    @property
    def tests(self) -> list[str]:
        return self.by.split()
