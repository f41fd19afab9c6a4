"""Patches of what every service has, whatever its framework."""

from __future__ import annotations

from tests.mutations.patches.patch import (
    CLI,
    CONFTEST,
    CONTENT,
    DEADLINES,
    DOCUMENT,
    ENDPOINTS,
    HEALTH,
    HTTP,
    LOCKS,
    LOGS,
    OUTAGES,
    OWN_TESTS,
    OWNERS,
    PAGE,
    PAGE_SCRIPT,
    SERVER,
    SETTINGS,
    TELEMETRY,
    Patch,
)

SQLITE_OR_MIGRATE = 'if command == "migrate" or settings.on_sqlite:'
CONFIGURED = "    configure_logs(settings.log_level)\n    app: "
NOT_FOUND = """\
        "description": "Nothing is here.",
        "headers": {
          "X-Request-ID": {
            "$ref": "#/components/headers/X-Request-ID"
          }
        },
        "content": {
          """
STRIPPED = "text = text.strip(ASCII_WHITE_SPACE)"
UNLESS_IN_LENGTH = "        if not self.minimum <= len(text) <= self.maximum:\n"
"""Of a line of text; a text of several lines has the same, and its error on one line."""
LINE_LENGTH = f"{UNLESS_IN_LENGTH}            raise ValueError(\n"
QUERY = """\
            query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS
        )
    except ValueError:
        raise invalid("", "The query is not valid.") from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
"""
UNBOUNDED_QUERY = """\
            query, keep_blank_values=True, errors="strict"
        )
    except ValueError:
        raise invalid("", "The query is not valid.") from None
    values: dict[str, str] = {{}}
    for name, value in pairs:
        if {}:
"""

PROCESS = [
    Patch(
        "P1",
        "own tests do not pass",
        CONFTEST,
        "import os\n",
        "import oss\n",
        by="test_a_fresh_project_passes_its_own_tests_without_network",
    ),
    Patch(
        "P2",
        "another port by default",
        SETTINGS,
        "= 8000",
        "= 8080",
        by="test_the_first_run_just_works",
    ),
    Patch(
        "P2",
        "every interface by default",
        SETTINGS,
        'host: str = "127.0.0.1"',
        'host: str = "0.0.0.0"',
        by="test_the_first_run_just_works",
    ),
    Patch(
        "P2",
        "no schema on the first run",
        CLI,
        SQLITE_OR_MIGRATE,
        'if command == "migrate":',
        by="test_the_first_run_just_works",
    ),
    Patch(
        "P2",
        "each start begins anew",
        CLI,
        f"    {SQLITE_OR_MIGRATE}\n",
        "    if settings.on_sqlite:\n"
        "        from pathlib import Path\n\n"
        '        Path(settings.database_url.removeprefix("sqlite:///")).unlink(missing_ok=True)\n'
        f"    {SQLITE_OR_MIGRATE}\n",
        by="test_the_second_run_finds_what_the_first_stored",
    ),
    Patch(
        "P2",
        "every address, whatever HOST says",
        SERVER,
        "address=settings.host",
        'address="0.0.0.0"',
        by="test_host_and_port_come_from_the_environment",
    ),
    Patch(
        "P3",
        "a new file that another process changes is not waited for",
        DEADLINES,
        "or time.monotonic() >= end:",
        "or True:",
        by="test_migrating_at_once_is_safe",
    ),
    Patch(
        "P3",
        "serving migrates PostgreSQL",
        CLI,
        SQLITE_OR_MIGRATE,
        "if True:",
        by="test_serving_never_migrates_postgresql",
        database="postgresql",
    ),
    Patch(
        "P4",
        "a bad value ends with 0",
        CLI,
        "        sys.exit(2)\n    configure_logs(settings",
        "        sys.exit(0)\n    configure_logs(settings",
        by="test_a_bad_value_ends_the_process_naming_the_variable"
        " test_migrate_refuses_a_bad_value_too test_a_port_in_use_ends_the_process",
    ),
    Patch(
        "P4",
        "a bad value is shown, over several lines",
        SETTINGS,
        'raise SettingsError("; ".join(problems)) from None',
        "raise SettingsError(str(error)) from None",
        by="test_a_bad_value_ends_the_process_naming_the_variable",
    ),
    Patch(
        "P4",
        "any word is a command",
        CLI,
        'choices=["serve", "migrate"], ',
        "",
        by="test_an_unknown_command_is_refused",
    ),
    Patch(
        "P4",
        "a port is shared",
        CLI,
        "            listen(settings.host, settings.port).close()\n",
        "            pass\n",
        by="test_a_port_in_use_ends_the_process",
    ),
    Patch(
        "P4",
        "another file than the one that is named",
        SETTINGS,
        'len("sqlite:///"):\n        return url\n',
        'len("sqlite:///"):\n        return f"{url}.db"\n',
        by="test_a_relative_sqlite_file_lies_in_the_working_folder",
    ),
    Patch(
        "P4",
        "a level is a word that nobody looks at",
        LOGS,
        "make_filtering_bound_logger(_number(level))",
        'make_filtering_bound_logger(_number("debug"))',
        by="test_a_quiet_service_logs_no_request_that_went_well"
        " test_probes_are_logged_at_debug_alone",
    ),
    Patch(
        "P5",
        "no drain: the listener closes at once",
        SERVER,
        "if self._drain_seconds == 0 or draining.is_set():",
        "if True:",
        by="test_a_terminated_service_drains_and_then_ends_well",
    ),
    Patch(
        "P5",
        "ready while draining",
        HEALTH,
        "    if draining.is_set():\n",
        "    if False:\n",
        by="test_a_terminated_service_drains_and_then_ends_well",
    ),
    Patch(
        "P5",
        "exit 143",
        SERVER,
        "        log_dictconfig=logging_config(settings.log_level),\n    ).serve()\n",
        "        log_dictconfig=logging_config(settings.log_level),\n    ).serve()\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n",
        by="test_an_idle_service_is_gone_within_5_seconds test_uv_run_serves"
        " test_a_service_that_has_just_begun_to_answer_ends_as_well",
    ),
    Patch(
        "P5",
        "SIGTERM is not heard",
        SERVER,
        "            stop()\n            return\n",
        "            return\n",
        by="test_as_pid_1_an_idle_service_ends_with_0"
        " test_an_idle_service_is_gone_within_5_seconds",
    ),
    Patch(
        "P5",
        "the worker is killed at once",
        SERVER,
        "            stop()\n            return\n",
        "            for worker in self.wrks:\n"
        "                os.kill(worker.inner.pid, signal.SIGKILL)\n"
        "            stop()\n            return\n",
        by="test_a_body_that_is_on_its_way_is_still_accepted",
    ),
    Patch(
        "P5",
        "the worker is killed when the drain is over",
        SERVER,
        "        timer = threading.Timer(self._drain_seconds, stop)\n",
        "        pids = [worker.inner.pid for worker in self.wrks]\n"
        "        end = [lambda: [os.kill(pid, signal.SIGKILL) for pid in pids], stop]\n"
        "        timer = threading.Timer(self._drain_seconds, lambda: [each() for each in end])\n",
        by="test_a_terminated_service_drains_and_then_ends_well",
    ),
    Patch(
        "P5",
        "what is in flight is cut off after five seconds",
        SERVER,
        "IN_FLIGHT_SECONDS: Final = 30",
        "IN_FLIGHT_SECONDS: Final = 5",
        by="test_a_terminated_service_drains_and_then_ends_well",
    ),
    Patch(
        "P6",
        "no start while SQLite's file is locked",
        CLI,
        'if command == "migrate" or database.checks().get("schema") is False:',
        "if True:",
        by="test_a_database_that_is_down_is_waited_for",
    ),
    Patch(
        "P6",
        "no start without the database",
        CLI,
        SQLITE_OR_MIGRATE,
        "Database(settings).migrate()\n    if True:",
        by="test_a_database_that_is_down_is_waited_for",
        database="postgresql",
    ),
    Patch(
        "P6",
        "an outage is an internal error",
        HTTP,
        "problem = Problem(503, ",
        "problem = Problem(500, ",
        by="test_a_database_that_is_down_is_waited_for",
        database="postgresql",
    ),
    Patch(
        "P7",
        "the environment's deadline is ignored",
        SETTINGS,
        "Field(ge=2, le=300, allow_inf_nan=False)] = 5",
        "Field(ge=2, le=300, allow_inf_nan=False), AfterValidator(lambda _: 5.0)] = 5",
        by="test_the_deadline_is_what_it_was_set_to",
    ),
    Patch(
        "P7",
        "liveness asks the database",
        ENDPOINTS,
        "lambda: Reply(200, health.CONTENT_TYPE, health.LIVENESS, _NO_STORE)",
        "lambda: checks.run() and Reply(200, health.CONTENT_TYPE, health.LIVENESS, _NO_STORE)",
        by="test_a_database_that_hangs_never_holds_a_request_beyond_its_time",
        database="postgresql",
    ),
    Patch(
        "P9",
        "a worker outlives its main process",
        SERVER,
        "ctypes.CDLL(None).prctl(_DEATH_OF_PARENT, signal.SIGKILL)",
        "ctypes.CDLL(None)",
        by="test_no_worker_outlives_its_main_process",
    ),
    Patch(
        "P9",
        "nobody notices that the worker has died",
        SERVER,
        "        self._drain_seconds = drain_seconds\n",
        "        self._drain_seconds = drain_seconds\n\n"
        "    def startup(self, *args: Any, **options: Any) -> None:\n"
        "        super().startup(*args, **options)\n"
        "        self.reload_on_changes = self.reload_ignore_worker_failure = True\n",
        by="test_a_dead_worker_is_replaced_or_ends_the_service",
    ),
]

HEALTH_METRICS_LOGS = [
    Patch(
        "H1",
        "always ready",
        HEALTH,
        "return (200 if healthy else 503)",
        "return 200",
        by="test_an_empty_database_is_not_ready_until_it_is_migrated",
        database="postgresql",
    ),
    Patch(
        "H1",
        "health may be kept",
        ENDPOINTS,
        '_NO_STORE: Final = {"Cache-Control": "no-store"}',
        "_NO_STORE: Final[dict[str, str]] = {}",
        by="test_a_live_process_says_so test_a_ready_service_says_what_it_asked",
    ),
    Patch(
        "H1",
        "health is plain JSON",
        HEALTH,
        '"application/health+json"',
        '"application/json"',
        by="test_a_live_process_says_so test_a_ready_service_says_what_it_asked",
    ),
    Patch(
        "H1",
        "readiness does not say what it asked",
        HEALTH,
        '{name: {"status": word[passed]} for name, passed in checks.items()}',
        "{}",
        by="test_a_ready_service_says_what_it_asked",
    ),
    Patch(
        "H1",
        "readiness tells where the database is",
        HEALTH,
        '        "status": word[healthy],\n',
        '        "status": word[healthy],\n        "output": "127.0.0.1:5432",\n',
        by="test_probes_say_nothing_about_the_inside",
    ),
    Patch(
        "H2",
        "metrics are JSON by their type",
        TELEMETRY,
        "METRICS_CONTENT_TYPE = CONTENT_TYPE_LATEST",
        'METRICS_CONTENT_TYPE = "application/json"',
        by="test_metrics_are_prometheus_text",
    ),
    Patch(
        "H2",
        "a series for each method that somebody thinks of",
        TELEMETRY,
        'method=method if method in METHODS else "_OTHER",',
        "method=method,",
        by="test_unheard_of_methods_share_one_series",
    ),
    Patch(
        "H2",
        "requests stay active",
        TELEMETRY,
        "    _active_of(context.method).dec()\n",
        "",
        by="test_a_request_is_active_until_it_is_answered"
        " test_no_request_stays_active_after_its_client_is_gone",
    ),
    Patch(
        "H2",
        "durations in milliseconds",
        TELEMETRY,
        ".observe(seconds)",
        ".observe(seconds * 1000)",
        by="test_durations_are_seconds",
    ),
    Patch(
        "H2",
        "buckets for slow answers alone",
        TELEMETRY,
        "buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, ",
        "buckets=(1, ",
        by="test_the_buckets_tell_a_fast_answer_from_a_slow_one",
    ),
    Patch(
        "H2",
        "an internal error is not counted",
        TELEMETRY,
        "    _duration_of(",
        "    if status < 500:\n        _duration_of(",
        by="test_an_internal_error_is_counted_and_leaves_no_request_active",
    ),
    Patch(
        "H3",
        "the query in the log",
        TELEMETRY,
        "        path=context.path,\n        status",
        '        path=context.path + "?token=s3cret",\n        status',
        by="test_a_request_has_one_line_that_tells_all test_a_secret_in_a_request_is_not_logged",
    ),
    Patch(
        "H3",
        "the database's password in the log",
        SERVER,
        CONFIGURED,
        "    configure_logs(settings.log_level)\n"
        '    logging.getLogger(__name__).error("database %s", settings.database_url)\n    app: ',
        by="test_a_secret_in_a_request_is_not_logged"
        " test_a_password_with_every_special_character_works_and_is_never_shown"
        " test_after_all_tests_every_line_is_json_and_none_holds_a_secret",
        database="postgresql",
    ),
    Patch(
        "H3",
        "a line that is not JSON",
        SERVER,
        CONFIGURED,
        '    print("ready to serve")\n    app: ',
        by="test_from_start_to_end_every_line_is_json"
        " test_after_all_tests_every_line_is_json_and_none_holds_a_secret",
    ),
    Patch(
        "H3",
        "a path is printed as it came",
        TELEMETRY,
        "    seconds = time.perf_counter() - context.started\n",
        "    seconds = time.perf_counter() - context.started\n    print(context.path)\n",
        by="test_a_url_cannot_forge_a_line",
    ),
    Patch(
        "H3",
        "probes at info",
        TELEMETRY,
        "_log.debug if context.path in QUIET_PATHS else _log.info",
        "_log.info",
        by="test_probes_are_logged_at_debug_alone",
    ),
    Patch(
        "H3",
        "lines without the id of their request",
        TELEMETRY,
        "(request_id=context.request_id, trace_id=context.trace_id)",
        "(trace_id=context.trace_id)",
        by="test_a_problem_leads_to_its_line test_a_request_has_one_line_that_tells_all",
    ),
    Patch(
        "H4",
        "the caller's request id is not kept",
        TELEMETRY,
        "_valid_request_id(request_id) or ",
        "",
        by="test_a_callers_request_id_is_kept",
    ),
    Patch(
        "H4",
        "a request id of any length",
        TELEMETRY,
        "]{1,128}",
        "]+",
        by="test_an_unfit_request_id_is_replaced",
    ),
    Patch(
        "H4",
        "every request id is the same",
        TELEMETRY,
        "_valid_request_id(request_id) or randbytes(16).hex()",
        '_valid_request_id(request_id) or "0" * 32',
        by="test_every_answer_has_a_request_id_of_its_own"
        " test_problems_of_the_same_kind_have_their_own_request_ids",
    ),
    Patch(
        "H4",
        "the caller's trace is not followed",
        TELEMETRY,
        "_trace_id(traceparent) or ",
        "",
        by="test_a_valid_traceparent_gives_its_trace_id",
    ),
    Patch(
        "H4",
        "an invalid traceparent is believed",
        TELEMETRY,
        "(?P<trace>(?!0{32})[0-9a-f]{32})",
        "(?P<trace>[0-9a-f]{32})",
        by="test_an_invalid_traceparent_starts_a_new_trace",
    ),
]

RESOURCE = [
    Patch(
        "R1",
        "of several wrong fields one is named",
        HTTP,
        "_MAX_ERRORS = 20",
        "_MAX_ERRORS = 1",
        by="test_every_wrong_field_is_named",
    ),
    Patch(
        "R1",
        "a slash in a pointer is not escaped",
        HTTP,
        '.replace("/", "~1")',
        "",
        by="test_a_pointer_escapes_what_json_pointer_escapes",
    ),
    Patch(
        "R1",
        "the media type tells upper from lower case",
        HTTP,
        "match[1].lower() not in",
        "match[1] not in",
        by="test_the_media_type_of_json_may_be_written_in_each_legal_way",
    ),
    Patch(
        "R2",
        "any digits are a limit",
        HTTP,
        r'"100|[1-9][0-9]?"',
        r'"\s*\d+\s*"',
        by="test_a_bad_limit_is_refused_by_its_name",
    ),
    Patch(
        "R2",
        "a wrong parameter is not named",
        HTTP,
        "errors=[(where, why)]",
        'errors=[("", why)]',
        by="test_of_two_bad_parameters_at_least_one_is_named"
        " test_a_bad_limit_is_refused_by_its_name test_a_bad_cursor_is_refused_by_its_name",
    ),
    Patch(
        "R2",
        "a repeated parameter is let through",
        HTTP,
        "if name in values:",
        "if False:",
        by="test_a_repeated_parameter_is_refused test_a_repeated_cursor_is_refused",
    ),
    Patch(
        "R3",
        "tags are weak",
        HTTP,
        """return f'"{revision}"'""",
        """return f'W/"{revision}"'""",
        by="test_an_item_is_read_with_a_strong_tag"
        " test_a_new_item_is_answered_whole_and_lies_at_its_location",
    ),
    Patch(
        "R3",
        "If-None-Match is ignored",
        HTTP,
        'return header.strip() == "*" or revision in tags',
        "return False",
        by="test_a_known_item_is_not_sent_again test_a_list_of_tags_may_come_in_several_lines",
    ),
    Patch(
        "R3",
        "any tag is the current one",
        HTTP,
        'return header.strip() == "*" or revision in tags',
        'return header.strip() == "*" or any(tags)',
        by="test_another_tag_brings_the_item",
    ),
    Patch(
        "R3",
        "a tag is searched in the header",
        HTTP,
        "or revision in tags",
        "or revision in header",
        by="test_a_tag_is_compared_whole",
    ),
    Patch(
        "R3",
        "If-Match is ignored",
        HTTP,
        'if header is None or header.strip() == "*":',
        "if True:",
        by="test_if_match_protects_another_revision test_an_old_tag_no_longer_matches",
    ),
    Patch(
        "R3",
        "a star in If-Match is a tag like any other",
        HTTP,
        'if header is None or header.strip() == "*":',
        "if header is None:",
        by="test_if_match_lets_the_right_revision_be_written",
    ),
    Patch(
        "R3",
        "a weak tag matches",
        HTTP,
        """tag[1:-1] for tag in _ENTITY_TAG.findall(header) if not tag.startswith("W/"))""",
        """tag.removeprefix("W/")[1:-1] for tag in _ENTITY_TAG.findall(header))""",
        by="test_if_match_protects_another_revision",
    ),
    Patch(
        "R3",
        "any spelling of an id",
        HTTP,
        "if not _UUID.fullmatch(text):",
        "if False:",
        by="test_another_spelling_of_an_id_is_not_found"
        " test_an_unknown_or_malformed_id_is_not_found"
        " test_no_path_makes_a_5xx_or_leaves_the_service",
    ),
    Patch(
        "R4",
        "a malformed id is a bad request",
        HTTP,
        "    if not _UUID.fullmatch(text):\n        raise NotFound\n",
        "    if not _UUID.fullmatch(text):\n        raise Problem(400)\n",
        by="test_a_plain_request_for_the_stream_is_not_found"
        " test_an_unknown_or_malformed_id_is_not_found",
    ),
    Patch(
        "R5",
        "a document of another version",
        DOCUMENT,
        '"openapi": "3.1.0"',
        '"openapi": "3.0.3"',
        by="test_the_document_is_valid_openapi_3_1",
    ),
    Patch(
        "R5",
        "the document does not know that a service may be unready",
        DOCUMENT,
        '"503": {\n            "description": "Send',
        '"504": {\n            "description": "Send',
        by="test_the_document_has_every_operation_with_every_status",
    ),
    Patch(
        "R5",
        "the document promises other words for health",
        DOCUMENT,
        '"How one dependency is.",\n        "type": "object",\n        "required": [\n'
        '          "status"\n        ],\n',
        '"How one dependency is.",\n        "type": "object",\n',
        by="test_the_document_is_the_same_on_every_service",
    ),
    Patch(
        "R5",
        "two operations of one name",
        DOCUMENT,
        '"operationId": "getReadiness"',
        '"operationId": "getLiveness"',
        by="test_operation_ids_are_unique",
    ),
    Patch(
        "R5",
        "an error is declared as plain JSON",
        DOCUMENT,
        NOT_FOUND + '"application/problem+json"',
        NOT_FOUND + '"application/json"',
        by="test_every_error_is_declared_as_a_problem",
    ),
    Patch(
        "R5",
        "the page asks another host",
        PAGE,
        "</head>",
        '<link rel="stylesheet" href="https://cdn.example.com/docs.css"></head>',
        by="test_the_page_asks_no_other_host",
    ),
    Patch(
        "R5",
        "the page's policy lets it ask other hosts",
        PAGE,
        "default-src 'none'; ",
        "default-src *; ",
        by="test_the_page_asks_no_other_host",
    ),
    Patch(
        "R5",
        "the page finds no document",
        PAGE_SCRIPT,
        'url: new URL("openapi.json", root).href',
        'url: new URL("api.json", root).href',
        by="test_the_page_shows_the_document_and_lets_it_be_tried",
    ),
    Patch(
        "R5",
        "the page sends no requests",
        PAGE_SCRIPT,
        "  deepLinking: true,\n",
        "  deepLinking: true,\n  supportedSubmitMethods: [],\n",
        by="test_the_page_shows_the_document_and_lets_it_be_tried",
    ),
    Patch(
        "R5",
        "the page's own policy forbids its requests",
        PAGE,
        "connect-src 'self'; ",
        "",
        by="test_the_page_shows_the_document_and_lets_it_be_tried",
    ),
    Patch(
        "R5",
        "the document promises another limit",
        DOCUMENT,
        '"maximum": 100,\n          "default": 50',
        '"maximum": 1000,\n          "default": 50',
        by="test_the_document_is_the_same_on_every_service",
    ),
    Patch(
        "R6",
        "of several tags for a patch only the first counts",
        HTTP,
        "for tag in _ENTITY_TAG.findall(header) if not",
        "for tag in _ENTITY_TAG.findall(header)[:1] if not",
        by="test_a_patch_with_the_current_tag_is_applied",
    ),
    Patch(
        "R9",
        "a reference to nothing is a conflict",
        HTTP,
        "problem = invalid_body(((name,), why) for name in error.fields)",
        "problem = Problem(409, why)",
        by=OWNERS,
        case="rooms-and-bookings",
    ),
    Patch(
        "R9",
        "a row that others refer to is an internal error",
        HTTP,
        "case Duplicate() | StillReferenced():",
        "case Duplicate():",
        by=OWNERS,
        case="rooms-and-bookings",
    ),
]

REFUSALS = [
    Patch(
        "E1",
        "every title is the same",
        HTTP,
        '"title": self.title',
        '"title": "Error"',
        by="test_each_status_is_a_problem_with_its_own_title",
    ),
    Patch(
        "E1",
        "a problem without its request id",
        HTTP,
        '            "request_id": request_id,\n',
        "",
        by="test_an_unknown_path_is_a_problem",
    ),
    Patch(
        "E1",
        "every problem is at the root",
        HTTP,
        '"instance": quote(path, safe="/:@!$&\'()*+,;=-._~"),',
        '"instance": "/",',
        by="test_the_instance_is_the_path_without_the_query test_an_unknown_path_is_a_problem",
    ),
    Patch(
        "E2",
        "any type is JSON",
        HTTP,
        'if match is None or match[1].lower() not in ("application/json", *other_types):',
        "if False:",
        by="test_another_media_type_is_unsupported",
    ),
    Patch(
        "E2",
        "a content coding is ignored",
        HTTP,
        "    if content_encoding:\n",
        "    if False:\n",
        by="test_any_content_encoding_is_unsupported",
    ),
    Patch(
        "E2",
        "a coded body is unpacked before it is refused",
        HTTP,
        "    if content_encoding:\n",
        "    if content_encoding:\n"
        "        import zlib\n\n"
        "        zlib.decompressobj(31).decompress(body)\n",
        by="test_a_compressed_bomb_is_not_unpacked",
    ),
    Patch(
        "E2",
        "an empty body is not foreseen",
        HTTP,
        '        raise Problem(400, "The body is empty; it must be a JSON object.")\n',
        "        raise RuntimeError\n",
        by="test_no_body_at_all_is_a_bad_request",
    ),
    Patch(
        "E2",
        "NaN is no JSON",
        HTTP,
        '        raise Problem(415, f"The body must be sent as {accepted}.")\n',
        '        raise Problem(415, f"The body must be sent as {accepted}.")\n'
        '    if b"NaN" in body:\n'
        "        raise not_json()\n",
        by="test_a_root_that_is_no_object_is_invalid test_what_is_not_a_finite_integer_is_invalid",
    ),
    Patch(
        "E3",
        "a query is ASCII",
        HTTP,
        '    except ValueError:\n        raise invalid("", ',
        '    except KeyError:\n        raise invalid("", ',
        by="test_no_query_makes_a_5xx",
    ),
    Patch(
        "E3",
        "every tag has its quotes",
        HTTP,
        'return header.strip() == "*" or revision in tags',
        """quoted = [tag.split('"')[1] for tag in header.split(",") if tag.strip() != "*"]\n"""
        '    return header.strip() == "*" or revision in quoted',
        by="test_no_header_makes_a_5xx test_another_tag_brings_the_item",
    ),
    Patch(
        "E3",
        "an error at the start, of which no caller hears",
        SERVER,
        CONFIGURED,
        "    configure_logs(settings.log_level)\n"
        "    try:\n"
        '        raise RuntimeError("warming up")\n'
        "    except RuntimeError:\n"
        '        logging.getLogger(__name__).exception("not warm")\n    app: ',
        by="test_after_all_tests_only_broken_databases_made_internal_errors",
    ),
    Patch(
        "E4",
        "an internal error tells what it was",
        HTTP,
        "            problem = Problem(500)\n",
        "            problem = Problem(500, repr(error))\n",
        by="test_a_table_that_is_gone_is_an_internal_error",
    ),
    Patch(
        "E4",
        "no traceback in the log",
        HTTP,
        '_log.error("unhandled_error", exc_info=error)',
        '_log.error("unhandled_error")',
        by="test_a_table_that_is_gone_is_an_internal_error"
        " test_the_callers_own_request_id_leads_to_the_traceback",
    ),
    Patch(
        "E4",
        "a traceback without its request",
        LOGS,
        "            structlog.contextvars.merge_contextvars,\n"
        "            structlog.stdlib.add_log_level,\n",
        "            structlog.stdlib.add_log_level,\n",
        by="test_the_callers_own_request_id_leads_to_the_traceback",
    ),
    Patch(
        "E5",
        "a head may trickle for ten minutes",
        SERVER,
        "header_read_timeout=30_000",
        "header_read_timeout=600_000",
        by="test_a_head_that_trickles_is_closed",
    ),
    Patch(
        "E5",
        "who waits is refused under mere load",
        DEADLINES,
        "            if self._is_hopeless():\n                raise",
        "            if True:\n                raise",
        by="test_two_hundred_connections_are_no_error",
    ),
    Patch(
        "E6",
        "headers of any size",
        HTTP,
        "MAX_HEADER_BYTES = 32_768",
        "MAX_HEADER_BYTES = 10_000_000",
        by="test_headers_over_32_kb_are_refused",
    ),
    Patch(
        "E6",
        "a head of any size is kept",
        SERVER,
        "max_buffer_size=65_536",
        "max_buffer_size=100_000_000",
        by="test_headers_far_over_the_limit_harm_nothing",
    ),
    Patch(
        "E6",
        "headers over 8 KB are refused",
        HTTP,
        "MAX_HEADER_BYTES = 32_768",
        "MAX_HEADER_BYTES = 8_192",
        by="test_headers_of_16_kb_are_accepted",
    ),
    Patch(
        "E6",
        "a host is allowed by its ending",
        HTTP,
        "if host == pattern or (",
        "if host.endswith(pattern) or (",
        by="test_another_host_is_refused",
    ),
    Patch(
        "E6",
        "hosts tell upper from lower case",
        HTTP,
        'host = _PORT.sub("", header.lower())',
        'host = _PORT.sub("", header)',
        by="test_an_allowed_host_is_served",
    ),
    Patch(
        "E6",
        "of several hosts the first counts",
        HTTP,
        'host = _PORT.sub("", header.lower())',
        'host = _PORT.sub("", header.lower().split(",")[0])',
        by="test_another_host_is_refused",
    ),
    Patch(
        "E6",
        "no host is as good as an allowed one",
        HTTP,
        "if host == pattern or (",
        "if not host or host == pattern or (",
        by="test_a_request_without_a_host_is_refused_where_hosts_are_listed",
    ),
]

COSTS = [
    Patch(
        "E7",
        "a parameter is looked for in a list of those before it",
        HTTP,
        QUERY,
        UNBOUNDED_QUERY.format("name in list(values)"),
        by="test_a_large_request_costs_in_proportion_to_its_size",
    ),
    Patch(
        "E7",
        "each parameter is compared with all the others",
        HTTP,
        QUERY,
        UNBOUNDED_QUERY.format("sum(name == other for other, _ in pairs) > 1"),
        by="test_a_query_of_many_parameters_leaves_others_alone",
    ),
]

TEXT = [
    Patch(
        "R1",
        "a name may be empty",
        CONTENT,
        LINE_LENGTH,
        LINE_LENGTH.replace("self.minimum", "0"),
        by="test_a_name_is_a_string_with_something_in_it",
    ),
    Patch(
        "R1",
        "101 characters",
        CONTENT,
        LINE_LENGTH,
        LINE_LENGTH.replace("self.maximum", "self.maximum + 1"),
        by="test_a_name_has_at_most_100_code_points",
    ),
    Patch(
        "R1",
        "length counts before trimming",
        CONTENT,
        f"        {STRIPPED}\n{UNLESS_IN_LENGTH}",
        f"        sent, text = text, text.strip(ASCII_WHITE_SPACE)\n"
        f"{UNLESS_IN_LENGTH.replace('len(text)', 'len(sent)')}",
        by="test_length_counts_after_trimming",
    ),
    Patch(
        "R1",
        "spaces alone are trimmed",
        CONTENT,
        STRIPPED,
        'text = text.strip(" ")',
        by="test_ascii_white_space_is_trimmed_and_only_there",
    ),
    Patch(
        "R1",
        "all white space is trimmed",
        CONTENT,
        STRIPPED,
        "text = text.strip()",
        by="test_other_white_space_is_part_of_a_name test_control_characters_are_not_trimmed_away",
    ),
    Patch(
        "R1",
        "DEL is let through",
        CONTENT,
        "127 <= ord",
        "128 <= ord",
        by="test_control_characters_are_refused_inside_a_name",
    ),
    Patch(
        "R1",
        "names do not tell upper from lower case",
        CONTENT,
        STRIPPED,
        f"{STRIPPED}.casefold()",
        by="test_names_differ_by_case_and_by_code_points",
    ),
    Patch(
        "R1",
        "a refused name is taken",
        CONTENT,
        f"        {STRIPPED}\n",
        f"        {STRIPPED}\n"
        '        taken = _is_control.__dict__.setdefault("taken", set())\n'
        "        if text in taken:\n"
        '            raise ValueError("is taken")\n'
        "        taken.add(text)\n",
        by="test_a_refused_item_is_not_stored",
    ),
    Patch(
        "E3",
        "NUL is let through",
        CONTENT,
        "ord(character) < 32",
        "0 < ord(character) < 32",
        by="test_a_nul_in_a_name_is_invalid",
    ),
    Patch(
        "E3",
        "sixteen bits are enough for a character",
        CONTENT,
        "127 <= ord(character) < 160",
        "127 <= ord(character) < 160 or ord(character) > 0xFFFF",
        by="test_a_pair_of_surrogates_is_a_character test_text_comes_back_byte_for_byte",
    ),
    Patch(
        "E3",
        "names are normalised",
        CONTENT,
        STRIPPED,
        'text = __import__("unicodedata").normalize("NFC", text.strip(ASCII_WHITE_SPACE))',
        by="test_text_comes_back_byte_for_byte test_names_differ_by_case_and_by_code_points",
    ),
]

OWNED = [
    Patch(
        "N1",
        "statements are prepared in sessions that a pooler shares",
        DEADLINES,
        "    return row is not None and tuple(row) == (connection.info.backend_pid,)\n",
        "    return True\n",
        by="test_two_replicas_share_the_sessions_of_a_pooler",
        database="postgresql",
    ),
    Patch(
        "N2",
        "a standby is no reason to answer 503",
        DEADLINES,
        '"55P03", "25006")',
        '"55P03")',
        by="test_writes_go_on_after_a_switchover",
        database="postgresql",
    ),
    Patch(
        "N3",
        "the reason is not logged",
        OUTAGES,
        '        _log.error("database_unavailable"',
        '        _log.debug("database_unavailable"',
        by="test_the_log_says_once_why_the_database_cannot_be_used",
        database="postgresql",
    ),
    Patch(
        "N3",
        "the reason is logged each time",
        OUTAGES,
        "        self._kinds.add(kind)\n",
        "",
        by="test_the_log_says_once_why_the_database_cannot_be_used",
        database="postgresql",
    ),
    Patch(
        "N4",
        "a name is looked up without a deadline",
        DEADLINES,
        "    if left is None:\n        return _open(options, _CONNECT_SECONDS)\n",
        "    if True:\n        return _open(options, left or _CONNECT_SECONDS)\n",
        by="test_a_name_server_that_says_nothing_is_in_the_deadline",
        database="postgresql",
    ),
    Patch(
        "N4",
        "a connection that was idle is used without a look",
        DEADLINES,
        "        connection.pgconn.consume_input()  # the end of the stream behind it\n",
        "        return True\n",
        by="test_a_connection_that_was_cut_while_it_was_idle_costs_no_request",
        database="postgresql",
    ),
    Patch(
        "N7",
        "a migration that gets no lock is not tried again",
        LOCKS,
        "            if not deadlines.is_lock_timeout(cause):\n",
        "            if True:\n",
        by="test_a_migration_waits_for_a_lock_for_five_seconds_at_a_time",
        database="postgresql",
    ),
    Patch(
        "N12",
        "a lock that is held counts as a database that hangs",
        DEADLINES,
        "            if self._answers():\n",
        "            if False:\n",
        by="test_fifty_writers_wait_for_a_lock_that_is_held",
    ),
    Patch(
        "N12",
        "only a few may wait for the database",
        DEADLINES,
        "MAX_WAITING: Final = 220",
        "MAX_WAITING: Final = 20",
        by="test_fifty_writers_wait_for_a_lock_that_is_held"
        " test_two_hundred_callers_keep_no_probe_waiting",
    ),
    Patch(
        "O6",
        "settings of the owner's own are not read",
        SETTINGS,
        "return settings.Settings()",
        "return Settings()",
        by=OWNERS,
        case="a-setting",
    ),
    Patch(
        "O12",
        "own tests overlook a method that the document does not have",
        OWN_TESTS,
        '        assert (path, set(allowed.split(", "))) == (path, described)\n',
        '        assert described <= set(allowed.split(", ")), path\n',
        by="test_own_tests_notice_a_document_that_lies",
    ),
]

PROJECT = [
    Patch(
        "D1",
        "the image runs as root",
        "Dockerfile",
        "USER 10001:10001",
        "USER root",
        by="test_the_image_is_locked_unprivileged_and_needs_no_shell",
    ),
    Patch(
        "D1",
        "the image is not locked",
        "Dockerfile",
        "uv sync --locked --no-dev --no-editable",
        "uv sync --no-dev --no-editable",
        by="test_the_image_is_locked_unprivileged_and_needs_no_shell",
    ),
    Patch(
        "D1",
        "a shell stands before the service",
        "Dockerfile",
        'ENTRYPOINT ["stock-keeper"]',
        "ENTRYPOINT stock-keeper",
        by="test_the_image_is_locked_unprivileged_and_needs_no_shell",
    ),
    Patch(
        "D1",
        "everything reaches the build",
        ".dockerignore",
        "*\n!pyproject.toml\n",
        ".git\n!pyproject.toml\n",
        by="test_only_what_is_needed_reaches_the_build",
    ),
    Patch(
        "D6",
        "one test is all there is",
        CONFTEST,
        "import os\n",
        "import os\n\n"
        "def pytest_collection_modifyitems(items: list) -> None:\n"
        "    del items[1:]\n\n",
        by="test_own_tests_cover_the_service",
    ),
    Patch(
        "D6",
        "lint finds something",
        CLI,
        "import argparse\n",
        "import argparse\nimport os\n",
        by="test_lint_has_nothing_to_say",
    ),
    Patch(
        "D6",
        "badly formatted",
        CLI,
        "sys.exit(1)",
        "sys.exit( 1 )",
        by="test_the_format_is_settled",
    ),
    Patch(
        "D6",
        "a wrong type",
        CLI,
        "sys.exit(1)",
        'sys.exit(len(1) or "1")',
        by="test_the_types_are_strict",
    ),
]

PATCHES = [
    *PROCESS,
    *HEALTH_METRICS_LOGS,
    *RESOURCE,
    *TEXT,
    *REFUSALS,
    *COSTS,
    *OWNED,
    *PROJECT,
]
