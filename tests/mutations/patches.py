"""Small ways to break a service, each breaking one promise of the contract.

A patch is a replacement in one file of a rendered Flask service; what it replaces has to stand
there exactly once. ``{package}`` in a path is the package's folder.
"""

from __future__ import annotations

from dataclasses import dataclass

MAIN = "{package}/__main__.py"
APP = "{package}/app.py"
HEALTH = "{package}/health.py"
ROUTES = "{package}/items/routes.py"
STORE = "{package}/items/store.py"
DOCUMENT = "{package}/runtime/openapi.json"
MIGRATION = "{package}/migrations/versions/0001_items.py"
DATABASE = "{package}/runtime/database.py"
DEADLINES = "{package}/runtime/deadlines.py"
HTTP = "{package}/runtime/http.py"
PAGE = "{package}/runtime/docs.html"
SERVER = "{package}/runtime/server.py"
SETTINGS = "{package}/runtime/settings.py"
TELEMETRY = "{package}/runtime/telemetry.py"
EDGE = "{package}/runtime/wsgi.py"


@dataclass(frozen=True)
class Patch:
    """What a patch breaks, on which line of the contract, and where its tests are looked for."""

    line: str
    breaks: str
    file: str
    old: str
    new: str
    only: str = ""
    """A module of tests, or a pytest ``-k`` expression, to leave out what cannot notice."""
    database: str = "sqlite"


PATCHES = [
    Patch("P1", "own tests do not pass", "tests/conftest.py", "import os\n", "import oss\n"),
    Patch("P2", "another port by default", SETTINGS, "= 8000", "= 8080", "first_run"),
    Patch(
        "P2",
        "every interface by default",
        SETTINGS,
        'host: str = "127.0.0.1"',
        'host: str = "0.0.0.0"',
        "first_run",
    ),
    Patch(
        "P2",
        "no schema on the first run",
        MAIN,
        'if command == "migrate" or settings.on_sqlite:',
        'if command == "migrate":',
        "first_run",
    ),
    Patch(
        "P3",
        "serving migrates PostgreSQL",
        MAIN,
        'if command == "migrate" or settings.on_sqlite:',
        "if True:",
        "never_migrates",
        "postgresql",
    ),
    Patch(
        "P3", "the way down does nothing", MIGRATION, 'op.drop_table("items")', "pass", "way_down"
    ),
    Patch(
        "P3",
        "two migrations get in each other's way",
        DATABASE,
        "SELECT pg_advisory_xact_lock(:k)",
        "SELECT :k",
        "at_once",
        "postgresql",
    ),
    Patch("P4", "a bad value ends with 0", MAIN, "sys.exit(2)", "sys.exit(0)", "bad_value"),
    Patch(
        "P6",
        "no start while SQLite's file is locked",
        MAIN,
        'if command == "migrate" or database.checks().get("schema") is False:',
        "if True:",
        "is_down",
    ),
    Patch(
        "P4",
        "a bad value is shown, over several lines",
        SETTINGS,
        'raise BadSetting("; ".join(problems)) from None',
        "raise BadSetting(str(error)) from None",
        "bad_value",
    ),
    Patch(
        "P4",
        "the environment's limit for bodies is ignored",
        EDGE,
        "self._max_body_bytes = settings.max_body_bytes",
        "self._max_body_bytes = 1_048_576",
        "settings_of_one or limit_is",
    ),
    Patch(
        "P5",
        "no drain: the listener closes at once",
        SERVER,
        "if self._drain_seconds == 0 or draining.is_set():",
        "if True:",
        "drains",
    ),
    Patch("P5", "ready while draining", HTTP, "    if draining:\n", "    if False:\n", "drains"),
    Patch(
        "P5",
        "exit 143",
        SERVER,
        "        log_dictconfig=logging_config(settings.log_level),\n    ).serve()\n",
        "        log_dictconfig=logging_config(settings.log_level),\n    ).serve()\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n",
        "idle",
    ),
    Patch(
        "P5",
        "what is in flight is cut off after five seconds",
        SERVER,
        "IN_FLIGHT_SECONDS: Final = 30",
        "IN_FLIGHT_SECONDS: Final = 5",
        "drains",
    ),
    Patch(
        "P6",
        "no start without the database",
        MAIN,
        'if command == "migrate" or settings.on_sqlite:',
        "Database(settings).migrate()\n    if True:",
        "is_down",
        "postgresql",
    ),
    Patch(
        "P6",
        "an outage is an internal error",
        HTTP,
        "return Problem(503, ",
        "return Problem(500, ",
        "is_down",
        "postgresql",
    ),
    Patch(
        "P7",
        "no deadline on the client's side",
        DEADLINES,
        "if left is None or (",
        "if True or (",
        "hangs",
        "postgresql",
    ),
    Patch(
        "P7",
        "liveness asks the database",
        HEALTH,
        """    return health(200, '{"status": "pass"}')""",
        """    current_app.extensions["database"].checks()\n"""
        """    return health(200, '{"status": "pass"}')""",
        "hangs",
        "postgresql",
    ),
    Patch(
        "P8",
        "acknowledged before it is stored",
        STORE,
        "        with _unique_names(), self._database.writing() as connection:\n"
        "            return _item(connection.execute(insert(items).values(values)"
        ".returning(items)).one())\n",
        "        import threading\n\n"
        "        def later() -> None:\n"
        "            with self._database.writing() as connection:\n"
        "                connection.execute(insert(items).values(values))\n\n"
        "        threading.Timer(0.2, later).start()\n"
        '        revision = str(values["revision"])\n'
        '        identifier = values["id"]\n'
        "        name, quantity = content.name, content.quantity\n"
        "        return Item(0, identifier, name, quantity, revision, now, now)\n",
        "another_process or outlives",
    ),
    Patch(
        "P9",
        "a worker outlives its main process",
        SERVER,
        "ctypes.CDLL(None).prctl(_DEATH_OF_PARENT, signal.SIGKILL)",
        "ctypes.CDLL(None)",
        "outlives_its_main",
    ),
    Patch(
        "H1",
        "always ready",
        HTTP,
        "return (200 if healthy else 503)",
        "return 200",
        "not fault and not slow",
        "postgresql",
    ),
    Patch(
        "H1",
        "ready without a schema",
        DATABASE,
        'return {"database": True} if migrated else {"database": True, "schema": False}',
        'return {"database": True, "schema": True}',
        "not fault and not slow",
        "postgresql",
    ),
    Patch("H1", "health may be kept", HEALTH, '{"Cache-Control": "no-store"}', "{}", "test_health"),
    Patch(
        "H1",
        "health is plain JSON",
        HTTP,
        '"application/health+json"',
        '"application/json"',
        "test_health",
    ),
    Patch(
        "H2",
        "raw paths in the metrics",
        EDGE,
        "exchange.route = exchange.route or route_of(exchange.path)",
        "exchange.route = exchange.route or exchange.path",
        "test_metrics",
    ),
    Patch(
        "H2",
        "a series for each method that somebody thinks of",
        TELEMETRY,
        'method=method if method in METHODS else "_OTHER",',
        "method=method,",
        "test_metrics",
    ),
    Patch(
        "H2",
        "requests stay active",
        TELEMETRY,
        "    _active_of(exchange.method).dec()\n",
        "",
        "test_metrics",
    ),
    Patch(
        "H2",
        "durations in milliseconds",
        TELEMETRY,
        ".observe(seconds)",
        ".observe(seconds * 1000)",
        "test_metrics",
    ),
    Patch(
        "H3",
        "a credential in the log",
        EDGE,
        "        environ[EXCHANGE] = exchange\n",
        "        environ[EXCHANGE] = exchange\n"
        "        import structlog\n\n"
        "        structlog.contextvars.bind_contextvars(\n"
        '            who=environ.get("HTTP_AUTHORIZATION")\n'
        "        )\n",
        "test_logs",
    ),
    Patch(
        "H3",
        "the query in the log",
        TELEMETRY,
        "        path=exchange.path,\n        status",
        '        path=exchange.path + "?token=s3cret",\n        status',
        "test_logs",
    ),
    Patch(
        "H3",
        "the database's password in the log",
        SERVER,
        "    configure_logs(settings.log_level)\n    app: ",
        "    configure_logs(settings.log_level)\n"
        '    logging.getLogger(__name__).error("database %s", settings.database_url)\n    app: ',
        "test_logs",
        "postgresql",
    ),
    Patch(
        "H3",
        "a line that is not JSON",
        SERVER,
        "    configure_logs(settings.log_level)\n    app: ",
        '    print("ready to serve")\n    app: ',
        "test_logs",
    ),
    Patch(
        "H3",
        "probes at info",
        TELEMETRY,
        "_log.debug if exchange.path in QUIET_PATHS else _log.info",
        "_log.info",
        "test_logs",
    ),
    Patch(
        "H4",
        "the caller's request id is not kept",
        TELEMETRY,
        "_valid_request_id(request_id) or ",
        "",
        "test_logs",
    ),
    Patch("H4", "a request id of any length", TELEMETRY, "]{1,128}", "]+", "test_logs"),
    Patch(
        "H4",
        "an invalid traceparent is believed",
        TELEMETRY,
        "(?P<trace>(?!0{32})[0-9a-f]{32})",
        "(?P<trace>[0-9a-f]{32})",
        "test_logs",
    ),
    Patch(
        "R1",
        "no Location",
        ROUTES,
        '    response.headers["Location"] = url_for("items.get_item", item_id=item.id)\n',
        "",
        "test_create",
    ),
    Patch("R1", "types are converted", STORE, "strict=True", "strict=False", "test_create"),
    Patch("R1", "unknown fields are let through", STORE, '"forbid"', '"ignore"', "test_create"),
    Patch("R1", "101 characters", STORE, "len(name) <= 100", "len(name) <= 101", "test_create"),
    Patch(
        "R1",
        "all white space is trimmed",
        STORE,
        "strip(ASCII_WHITE_SPACE)",
        "strip()",
        "test_create",
    ),
    Patch("R1", "C1 controls are let through", STORE, "127 <= ord", "128 <= ord", "test_create"),
    Patch(
        "R2",
        "no Link",
        ROUTES,
        """        response.headers["Link"] = f'<{following}>; rel="next"'\n""",
        "",
        "test_listing",
    ),
    Patch("R2", "the last page leads on", STORE, "len(rows) > limit", "rows", "test_listing"),
    Patch(
        "R2",
        "an item comes twice",
        STORE,
        "items.c.position > bindparam",
        "items.c.position >= bindparam",
        "test_listing",
    ),
    Patch(
        "R2",
        "newest first",
        STORE,
        ".order_by(items.c.position)",
        ".order_by(items.c.position.desc())",
        "test_listing",
    ),
    Patch(
        "R2",
        "a repeated parameter is let through",
        HTTP,
        "if len(values) < len(pairs):",
        "if False:",
        "test_listing",
    ),
    Patch(
        "R2", "any digits are a limit", HTTP, r'"100|[1-9][0-9]?"', r'"\s*\d+\s*"', "test_listing"
    ),
    Patch(
        "R3",
        "If-Match is ignored",
        HTTP,
        'if header is None or header.strip() == "*":',
        "if True:",
        "test_revisions",
    ),
    Patch(
        "R3",
        "a weak tag matches",
        HTTP,
        """tag[1:-1] for tag in _ENTITY_TAG.findall(header) if not tag.startswith("W/"))""",
        """tag.removeprefix("W/")[1:-1] for tag in _ENTITY_TAG.findall(header))""",
        "test_revisions",
    ),
    Patch(
        "R3",
        "the tag stays the same",
        STORE,
        "secrets.token_hex(8)",
        '"0123456789abcdef"',
        "test_revisions",
    ),
    Patch(
        "R3",
        "a duplicate is an internal error",
        STORE,
        'raise Duplicate("Another item has this name.") from error',
        "raise",
        "test_revisions",
    ),
    Patch(
        "R3",
        "a missing quantity keeps the old one",
        STORE,
        "{**content.model_dump(), ",
        "{**content.model_dump(exclude_unset=True), ",
        "test_revisions",
    ),
    Patch(
        "R3",
        "checked first, written later",
        STORE,
        "conditions.append(items.c.revision.in_(revisions))",
        "pass",
        "test_revisions",
    ),
    Patch(
        "R3",
        "any spelling of an id",
        HTTP,
        "if not _UUID.fullmatch(text):",
        "if False:",
        "test_revisions",
    ),
    Patch("R4", "OPTIONS with 200", APP, "status_code = 204", "status_code = 200", "test_methods"),
    Patch(
        "R4",
        "405 without Allow",
        APP,
        'if name == "Allow"',
        'if name == "Never"',
        "test_methods",
    ),
    Patch(
        "R4",
        "double slashes are redirected",
        APP,
        "self.url_map.merge_slashes = False",
        "self.url_map.merge_slashes = True",
        "test_methods",
    ),
    Patch(
        "R4",
        "a slash at the end is redirected",
        ROUTES,
        '@blueprint.get("")',
        '@blueprint.get("/")',
        "test_methods",
    ),
    Patch(
        "R5",
        "the document promises another limit",
        DOCUMENT,
        '"maximum": 100, "default": 50',
        '"maximum": 1000, "default": 50',
        "test_document",
    ),
    Patch(
        "R5",
        "a status that is not declared",
        ROUTES,
        "    response.status_code = 201\n",
        "    response.status_code = 202\n",
        "schemathesis_finds_nothing and not longer",
    ),
    Patch(
        "R5",
        "the page asks another host",
        PAGE,
        "</head>",
        '<link rel="stylesheet" href="https://cdn.example.com/docs.css"></head>',
        "test_document",
    ),
    Patch(
        "E1",
        "HTML on 404",
        APP,
        "    app.register_error_handler(HTTPException, answer_http_exception)\n",
        "",
        "test_problems",
    ),
    Patch(
        "E1",
        "a problem without its request id",
        HTTP,
        '            "request_id": request_id,\n',
        "",
        "test_problems",
    ),
    Patch(
        "E1",
        "the query in the instance",
        HTTP,
        '"instance": quote(path, safe="/:@!$&\'()*+,;=-._~"),',
        '"instance": "/",',
        "test_problems",
    ),
    Patch(
        "E2",
        "a chunked body is read whole",
        EDGE,
        "wanted = int(length) if length.isdecimal() else limit + 1",
        "wanted = int(length) if length.isdecimal() else 10**9",
        "test_problems",
    ),
    Patch(
        "E2",
        "one byte too much",
        EDGE,
        "if len(body) > limit:",
        "if len(body) > limit + 1:",
        "test_problems",
    ),
    Patch(
        "E2",
        "any type is JSON",
        HTTP,
        'if not _JSON_MEDIA_TYPE.fullmatch(content_type or ""):',
        "if False:",
        "test_problems",
    ),
    Patch(
        "E2",
        "a content coding is ignored",
        HTTP,
        "    if content_encoding:\n",
        "    if False:\n",
        "test_problems",
    ),
    Patch(
        "E2",
        "any encoding of Unicode is JSON",
        HTTP,
        "return model.model_validate_json(body)",
        "return model.model_validate(json.loads(body))",
        "test_problems",
    ),
    Patch(
        "E3",
        "the standard library reads JSON",
        HTTP,
        "return model.model_validate_json(body)",
        "return model.model_validate(json.loads(body))",
        "test_hostile",
    ),
    Patch(
        "E3",
        "an id is not looked at",
        HTTP,
        "if not _UUID.fullmatch(text):",
        "if False:",
        "test_revisions or test_hostile",
    ),
    Patch(
        "E4",
        "an internal error tells what it was",
        HTTP,
        "    return Problem(500)\n",
        "    return Problem(500, repr(error))\n",
        "test_internal_errors",
    ),
    Patch(
        "E4",
        "no traceback in the log",
        HTTP,
        '_log.error("unhandled_error", exc_info=error)',
        '_log.error("unhandled_error")',
        "test_internal_errors",
    ),
    Patch(
        "E4",
        "every error of the database is an outage",
        DATABASE,
        "if deadlines.out_of_reach(error.orig):",
        "if True:",
        "test_internal_errors",
    ),
    Patch(
        "E5",
        "a head may trickle for ten minutes",
        SERVER,
        "header_read_timeout=30_000",
        "header_read_timeout=600_000",
        "head_that_trickles",
    ),
    Patch("E5", "sixteen threads", SERVER, "THREADS: Final = 128", "THREADS: Final = 16", "probe"),
    Patch(
        "E5",
        "who waits is refused under mere load",
        DEADLINES,
        "            if self._stalled():\n                raise",
        "            if True:\n                raise",
        "two_hundred",
    ),
    Patch("E6", "no nosniff", EDGE, ", NOSNIFF]", "]", "test_headers"),
    Patch(
        "E6",
        "every origin is let in",
        EDGE,
        ", NOSNIFF]",
        ', NOSNIFF, ("Access-Control-Allow-Origin", "*")]',
        "test_headers",
    ),
    Patch(
        "E6",
        "headers of any size",
        HTTP,
        "MAX_HEADER_BYTES = 32_768",
        "MAX_HEADER_BYTES = 10_000_000",
        "test_headers",
    ),
    Patch(
        "E6",
        "a host is allowed by its ending",
        HTTP,
        "if host == pattern or (",
        "if host.endswith(pattern) or (",
        "test_headers",
    ),
    Patch(
        "E6",
        "probes need an allowed host",
        EDGE,
        "if self._allowed_hosts and exchange.path not in QUIET_PATHS:",
        "if self._allowed_hosts:",
        "test_headers",
    ),
    Patch("D6", "lint finds something", APP, "import re\n", "import os\nimport re\n", "lint"),
    Patch("D6", "badly formatted", APP, "app = Service()", "app  =  Service()", "format"),
    Patch("D6", "a wrong type", APP, "app = Service()", "app: int = Service()", "types"),
    Patch("D6", "nobody tests it", "tests/test_items.py", "def test_", "def untested_", "cover"),
]
