"""Patches of what services have whose framework speaks WSGI."""

from __future__ import annotations

from tests.mutations.patches.patch import (
    DEADLINES,
    OWNERS,
    SERVER,
    WSGI,
    Patch,
)

IS_UPPER = (
    '        if not environ["REQUEST_METHOD"].isupper():  # methods are case-sensitive\n'
    "            raise Problem(400)\n"
)

PATCHES = [
    Patch(
        "N10",
        "addresses without the prefix that a proxy strips",
        WSGI,
        '            environ["SCRIPT_NAME"] = self._root_path\n',
        "            pass\n",
        by="test_a_proxy_may_strip_a_prefix",
    ),
    Patch(
        "P4",
        "the environment's limit for bodies is ignored",
        WSGI,
        "self._max_body_bytes = settings.max_body_bytes",
        "self._max_body_bytes = 1_048_576",
        by="test_settings_of_one_process_are_not_those_of_another"
        " test_the_limit_is_what_it_was_set_to",
    ),
    Patch(
        "N11",
        "what is in the environment is in each request",
        SERVER,
        '    vars(wsgi)["os"] = SimpleNamespace(environ={})\n',
        "",
        by="test_variables_that_it_does_not_read_change_nothing",
    ),
    Patch(
        "P5",
        "who keeps a connection is not asked to leave",
        WSGI,
        "if (self.closes or draining.is_set()) and self._may_close:",
        "if self.closes and self._may_close:",
        by="test_a_terminated_service_drains_and_then_ends_well",
    ),
    Patch(
        "E2",
        "what ends a connection does not say so",
        WSGI,
        "response.closes = rejected is not None and _has_body(environ)",
        "response.closes = False",
        by="test_a_refusal_says_so_if_it_ends_the_connection",
    ),
    Patch(
        "E5",
        "a slow body is read to its end",
        SERVER,
        "        _guard(settings.port).start()\n",
        "        _guard(settings.port)\n",
        by="test_a_body_that_trickles_is_closed",
    ),
    Patch(
        "N9",
        "any number of slow bodies has half a minute each",
        WSGI,
        "MAX_SLOW_BODIES: Final = 128",
        "MAX_SLOW_BODIES: Final = 100_000",
        by="test_no_number_of_slow_bodies_keeps_probes_waiting_for_long",
    ),
    Patch(
        "P5",
        "nothing is stored while draining",
        WSGI,
        IS_UPPER,
        '        if draining.is_set() and environ["REQUEST_METHOD"] == "POST":\n'
        "            raise Problem(503)\n",
        by="test_a_service_that_is_terminated_under_load_keeps_its_word",
    ),
    Patch(
        "P7",
        "no deadline on the client's side",
        DEADLINES,
        "if left is None or (",
        "if True or (",
        by="test_a_database_that_hangs_never_holds_a_request_beyond_its_time",
        database="postgresql",
    ),
    Patch(
        "H1",
        "a probe has no query",
        WSGI,
        IS_UPPER,
        '        if environ["QUERY_STRING"] and context.path in QUIET_PATHS:\n'
        "            raise Problem(400)\n",
        by="test_probes_take_any_query_and_header",
    ),
    Patch(
        "H2",
        "raw paths in the metrics",
        WSGI,
        "context.route = context.route or self._endpoints.route_of(context.path)",
        "context.route = context.path",
        by="test_each_request_counts_under_its_routes_template"
        " test_unknown_paths_have_an_empty_route test_a_thousand_unknown_paths_add_no_series"
        " test_a_metric_never_holds_what_a_client_sent",
    ),
    Patch(
        "H2",
        "what is refused at the edge has no route",
        WSGI,
        "            context.route = context.route or self._endpoints.route_of(context.path)\n",
        "",
        by="test_refused_bodies_and_long_headers_are_counted_too",
    ),
    Patch(
        "H3",
        "a credential in the log",
        WSGI,
        "        environ[CONTEXT] = context\n",
        "        environ[CONTEXT] = context\n"
        "        import structlog\n\n"
        "        structlog.contextvars.bind_contextvars(\n"
        '            who=environ.get("HTTP_AUTHORIZATION")\n'
        "        )\n",
        by="test_a_secret_in_a_request_is_not_logged"
        " test_a_secret_is_not_logged_with_an_internal_error",
    ),
    Patch(
        "H3",
        "a header is printed as it came",
        WSGI,
        "        environ[CONTEXT] = context\n",
        "        environ[CONTEXT] = context\n"
        '        print(environ.get("HTTP_USER_AGENT", "-"), flush=True)\n',
        by="test_a_header_cannot_forge_a_line",
    ),
    Patch(
        "H4",
        "a request id comes twice",
        WSGI,
        '("X-Request-ID", self._context.request_id), ',
        '*[("X-Request-ID", self._context.request_id)] * 2, ',
        by="test_two_request_ids_give_one",
    ),
    Patch(
        "R1",
        "who does not name a program is refused",
        WSGI,
        IS_UPPER,
        '        if environ["REQUEST_METHOD"] == "POST" and "HTTP_USER_AGENT" not in environ:\n'
        "            raise Problem(403)\n",
        by="test_a_client_that_never_sends_a_newer_header_can_create",
    ),
    Patch(
        "R2",
        "there is no JSON for who wants HTML",
        WSGI,
        IS_UPPER,
        '        if environ.get("HTTP_ACCEPT") == "text/html":\n            raise Problem(406)\n',
        by="test_accept_is_not_looked_at",
    ),
    Patch(
        "R4",
        "HEAD is not known",
        WSGI,
        IS_UPPER,
        '        if environ["REQUEST_METHOD"] == "HEAD":\n'
        '            raise Problem(405, headers={"Allow": "GET"})\n',
        by="test_head_tells_what_get_tells_without_the_body test_head_of_a_page_has_its_link"
        " test_head_of_an_error_tells_what_get_tells",
    ),
    Patch(
        "R4",
        "a method in small letters is as good",
        WSGI,
        IS_UPPER,
        "",
        by="test_an_unheard_of_method_is_refused",
    ),
    Patch(
        "E2",
        "a chunked body is read whole",
        WSGI,
        "wanted = int(length) if length.isdecimal() else limit + 1",
        "wanted = int(length) if length.isdecimal() else 10**9",
        by="test_50_megabytes_are_refused_without_being_kept",
    ),
    Patch(
        "E2",
        "one byte too much",
        WSGI,
        "if len(body) > limit:",
        "if len(body) > limit + 1:",
        by="test_a_body_over_the_limit_gets_a_readable_answer",
    ),
    Patch(
        "E2",
        "a body of the limit is too large",
        WSGI,
        "if len(body) > limit:",
        "if len(body) >= limit:",
        by="test_a_body_of_exactly_the_limit_is_accepted",
    ),
    Patch(
        "E2",
        "what will be refused is waited for",
        WSGI,
        "if length.isdecimal() and int(length) > limit:",
        "if False:",
        by="test_a_declared_length_over_the_limit_is_refused_before_it_is_sent",
    ),
    Patch(
        "E2",
        "nobody is told to go on",
        WSGI,
        IS_UPPER,
        '        if "HTTP_EXPECT" in environ:\n            raise Problem(417)\n',
        by="test_a_client_may_wait_to_be_told_to_go_on",
    ),
    Patch(
        "E2",
        "chunks are not read",
        WSGI,
        "wanted = int(length) if length.isdecimal() else limit + 1",
        "wanted = int(length) if length.isdecimal() else 0",
        by="test_small_chunks_are_accepted test_a_chunk_may_have_an_extension"
        " test_chunks_may_end_with_a_trailer test_a_put_may_be_chunked_too",
    ),
    Patch(
        "E2",
        "a body that was cut off is as good",
        WSGI,
        "if length.isdecimal() and len(body) < wanted:",
        "if False:",
        by="test_a_body_that_was_cut_off_is_not_stored",
    ),
    Patch(
        "E3",
        "a body that nobody expected is not foreseen",
        WSGI,
        IS_UPPER,
        '        if environ["REQUEST_METHOD"] == "GET" and environ.get("CONTENT_LENGTH"):\n'
        "            raise RuntimeError\n",
        by="test_a_body_where_none_is_expected_is_no_5xx",
    ),
    Patch(
        "E3",
        "the end of chunks is not foreseen",
        WSGI,
        "    if length.isdecimal() and len(body) < wanted:\n",
        '    if "HTTP_TRANSFER_ENCODING" in environ and not body:\n'
        "        raise RuntimeError\n"
        "    if length.isdecimal() and len(body) < wanted:\n",
        by="test_a_broken_chunk_is_no_5xx test_a_request_with_two_framings_is_one_request",
    ),
    Patch(
        "E5",
        "sixteen threads",
        SERVER,
        "THREADS: Final = 256",
        "THREADS: Final = 16",
        by="test_slow_clients_never_keep_a_probe_waiting",
    ),
    Patch(
        "E6",
        "no nosniff",
        WSGI,
        ", NOSNIFF]",
        "]",
        by="test_no_answer_is_sniffed_or_tells_a_version"
        " test_created_unchanged_and_deleted_are_not_sniffed_either",
    ),
    Patch(
        "E6",
        "what has no body may be sniffed",
        WSGI,
        ", NOSNIFF]",
        ", *([] if self.status in BODILESS else [NOSNIFF])]",
        by="test_created_unchanged_and_deleted_are_not_sniffed_either",
    ),
    Patch(
        "E6",
        "every origin is let in",
        WSGI,
        ", NOSNIFF]",
        ', NOSNIFF, ("Access-Control-Allow-Origin", "*")]',
        by="test_no_other_origin_is_let_in",
    ),
    Patch(
        "E6",
        "probes need an allowed host",
        WSGI,
        "if self._allowed_hosts and context.path not in QUIET_PATHS:",
        "if self._allowed_hosts:",
        by="test_probes_are_answered_under_any_host",
    ),
    Patch(
        "E6",
        "a host is looked at although none is listed",
        WSGI,
        "if self._allowed_hosts and context.path not in QUIET_PATHS:",
        "if context.path not in QUIET_PATHS:",
        by="test_any_host_is_served_unless_hosts_are_listed",
    ),
    Patch(
        "E6",
        "a long path is not foreseen",
        WSGI,
        IS_UPPER,
        "        if len(context.path) > MAX_HEADER_BYTES:\n            raise RuntimeError\n",
        by="test_a_path_over_32_kb_is_refused",
    ),
    Patch(
        "O11",
        "what is refused at the edge never reaches the framework",
        WSGI,
        '            environ[REJECTED] = rejected\n            _set_body(environ, b"")\n',
        "            raise rejected\n",
        by=OWNERS,
        case="cors",
    ),
]
