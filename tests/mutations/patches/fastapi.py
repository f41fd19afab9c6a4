"""Patches of the files that are FastAPI's own."""

from __future__ import annotations

from tests.mutations.patches.patch import ASGI, HTTP, OWNERS, ROUTES, SERVICE, Patch

ERRORS = "{package}/runtime/errors.py"
ROUTING = "{package}/runtime/routing.py"
THREADS = "{package}/runtime/threads.py"

SIZE = '        size = sum(len(name) + len(value) for name, value in scope["headers"])\n'
BEGUN = "        body = _RequestBody(receive, headers, self._max_body_bytes, self._places)\n"
NOSNIFF = "        yield _NOSNIFF\n"
PUT = '@router.put("/{item_id}", response_model=ITEMS.view)\n'
PATCH = '@router.patch("/{item_id}", response_model=ITEMS.view)\n'
FOUND_FIRST = """\
async def find(
    request: Request, items: Items, item_id: RowId, revisions: Revisions
) -> None:
    item = await in_thread(request, items.get, read_id(item_id))
    if revisions is not None and item.revision not in revisions:
        raise StaleRevision("It has changed.")


"""
JOINED = "        lines.setdefault(name, []).append(value)\n"
ERRORS_HANDLED = "        errors.handle_errors(self)\n"

BREAK_NOTHING = {
    "values are counted by parsing them": "FastAPI answers 400 to any error of reading a body",
    "a parameter is looked for in a list of those before it": "the route refuses so many",
    "each parameter is compared with all the others": "the route refuses so many",
    "any number of large bodies is in memory": "its event loop parses one at a time, and 300 fit",
    "a name is looked up without a deadline": "on an event loop a request has its own deadline",
    "a browser may not ask what it may do": "OPTIONS is answered before any dependency",
    "the standard library reads JSON": "in part: FastAPI's own patch of this name has the rest",
}
PATCHES = [
    Patch(
        "R8",
        "a key that cannot be one is told before the form of the body",
        ROUTING,
        "        http.check_json(*types, await request.body())\n        raise\n",
        "        assert types\n        raise\n",
        by="test_a_key_is_refused_after_the_form_of_a_body_and_before_its_content",
    ),
    Patch(
        "P4",
        "the environment's limit for bodies is ignored",
        ASGI,
        "self._max_body_bytes = settings.max_body_bytes",
        "self._max_body_bytes = 1_048_576",
        by="test_settings_of_one_process_are_not_those_of_another"
        " test_the_limit_is_what_it_was_set_to",
    ),
    Patch(
        "P5",
        "who keeps a connection is not asked to leave",
        ASGI,
        "if not self._body.complete or draining.is_set():",
        "if not self._body.complete:",
        by="test_a_terminated_service_drains_and_then_ends_well",
    ),
    Patch(
        "P5",
        "nothing is stored while draining",
        ASGI,
        SIZE,
        '        if draining.is_set() and scope["method"] == "POST":\n'
        f"            return Problem(503)\n{SIZE}",
        by="test_a_service_that_is_terminated_under_load_keeps_its_word",
    ),
    Patch(
        "P7",
        "calls of the database block the event loop",
        THREADS,
        "        self._executor.submit("
        "self._ended.call, future, context, partial(call, *args, **kwargs))\n",
        "        return context.run(partial(call, *args, **kwargs))\n",
        by="test_a_database_that_hangs_never_holds_a_request_beyond_its_time",
        database="postgresql",
    ),
    Patch(
        "H1",
        "a probe has no query",
        ASGI,
        SIZE,
        '        if scope["query_string"] and context.path in QUIET_PATHS:\n'
        f"            return Problem(400)\n{SIZE}",
        by="test_probes_take_any_query_and_header",
    ),
    Patch(
        "H2",
        "raw paths in the metrics",
        ASGI,
        "context.route = context.route or self._endpoints.route_of(context.path)",
        "context.route = context.path",
        by="test_each_request_counts_under_its_routes_template"
        " test_unknown_paths_have_an_empty_route test_a_thousand_unknown_paths_add_no_series"
        " test_a_metric_never_holds_what_a_client_sent",
    ),
    Patch(
        "H2",
        "a route by the name of its function",
        ERRORS,
        "getattr(route, 'path_format', '')",
        "getattr(route, 'name', '')",
        by="test_each_request_counts_under_its_routes_template",
    ),
    Patch(
        "H3",
        "a credential in the log",
        ASGI,
        BEGUN,
        "        import structlog\n\n"
        "        structlog.contextvars.bind_contextvars(\n"
        '            who=_text(headers.get(b"authorization"))\n'
        f"        )\n{BEGUN}",
        by="test_a_secret_in_a_request_is_not_logged"
        " test_a_secret_is_not_logged_with_an_internal_error",
    ),
    Patch(
        "H3",
        "a header is printed as it came",
        ASGI,
        BEGUN,
        f'        print(_text(headers.get(b"user-agent", b"-")), flush=True)\n{BEGUN}',
        by="test_a_header_cannot_forge_a_line",
    ),
    Patch(
        "H4",
        "a request id comes twice",
        ASGI,
        '        yield b"x-request-id", self._context.request_id.encode()\n',
        '        yield b"x-request-id", self._context.request_id.encode()\n'
        '        yield b"x-request-id", self._context.request_id.encode()\n',
        by="test_two_request_ids_give_one",
    ),
    Patch(
        "R1",
        "no Location",
        ROUTES,
        "item, 201, location=location)",
        "item, 201)",
        by="test_a_new_item_is_answered_whole_and_lies_at_its_location",
    ),
    Patch(
        "R2",
        "no Link",
        SERVICE,
        'headers = {"Link": link} if link else None',
        "headers = None",
        by="test_link_and_cursor_lead_to_the_same_next_page",
    ),
    Patch(
        "R2",
        "the link names a host",
        SERVICE,
        "page.link(request.url.path)",
        'page.link(f"http://{request.url.netloc}{request.url.path}")',
        by="test_link_and_cursor_lead_to_the_same_next_page",
    ),
    Patch(
        "R3",
        "of several lines of a header the first counts",
        ASGI,
        'else (b"; " if name == b"cookie" else b", ").join(values)',
        "else values[0]",
        by="test_a_list_of_tags_may_come_in_several_lines",
    ),
    Patch(
        "R3",
        "the item and its condition come before the body",
        ROUTES,
        PUT,
        "from ..runtime import StaleRevision\n\n\n"
        + FOUND_FIRST
        + PUT.replace("view)", "view, dependencies=[Depends(find)])"),
        by="test_the_first_of_several_answers_wins test_a_bad_body_comes_before_a_precondition",
    ),
    Patch(
        "R3",
        "what is deleted stays",
        ROUTES,
        "    await in_thread(request, items.delete, read_id(item_id), revisions)\n",
        "    await in_thread(request, items.get, read_id(item_id))\n",
        by="test_a_deleted_item_is_gone",
    ),
    Patch(
        "R4",
        "HEAD is not known",
        ASGI,
        '            scope["method"] = "GET"\n',
        "            pass\n",
        by="test_head_tells_what_get_tells_without_the_body test_head_of_a_page_has_its_link"
        " test_head_of_an_error_tells_what_get_tells",
    ),
    Patch(
        "R4",
        "OPTIONS with 200",
        ERRORS,
        "Response(status_code=HTTPStatus.NO_CONTENT, ",
        "Response(status_code=HTTPStatus.OK, ",
        by="test_options_lists_what_is_allowed",
    ),
    Patch(
        "R4",
        "405 with the methods of the first route alone",
        ERRORS,
        '        headers["Allow"] = ", ".join(_allowed_methods(request))\n',
        "",
        by="test_any_other_method_is_refused_with_what_is_allowed",
    ),
    Patch(
        "R4",
        "a slash at the end is redirected",
        SERVICE,
        '"redirect_slashes": False',
        '"redirect_slashes": True',
        by="test_nothing_but_the_exact_path_is_found"
        " test_an_item_with_a_slash_behind_it_is_not_found",
    ),
    Patch(
        "R5",
        "a status that is not declared",
        ROUTES,
        "item, 201, location=location)",
        "item, 202, location=location)",
        by="test_schemathesis_finds_nothing",
    ),
    Patch(
        "R6",
        "the media type of a merge patch is not known",
        ROUTING,
        "read_model(self._model, *types, body, self._media_type)",
        "read_model(self._model, *types, body)",
        by="test_what_is_left_out_stays",
    ),
    Patch(
        "R6",
        "the item comes before the patch",
        ROUTES,
        PATCH,
        "from ..runtime import StaleRevision\n\n\n"
        + FOUND_FIRST
        + PATCH.replace("view)", "view, dependencies=[Depends(find)])"),
        by="test_the_first_of_several_refusals_counts",
    ),
    Patch(
        "E1",
        "what FastAPI refuses is no problem",
        ERRORS,
        "    app.add_exception_handler(HTTPException, _answer_http_exception)\n",
        "",
        by="test_an_unknown_path_is_a_problem",
    ),
    Patch(
        "E2",
        "a body is read whole, however long it is",
        ASGI,
        "        if self._size > self._limit:\n            raise Problem(413)\n",
        "",
        by="test_50_megabytes_are_refused_without_being_kept",
    ),
    Patch(
        "E2",
        "one byte too much",
        ASGI,
        "if self._size > self._limit:",
        "if self._size > self._limit + 1:",
        by="test_a_body_over_the_limit_gets_a_readable_answer",
    ),
    Patch(
        "E2",
        "a body of the limit is too large",
        ASGI,
        "if self._size > self._limit:",
        "if self._size >= self._limit:",
        by="test_a_body_of_exactly_the_limit_is_accepted",
    ),
    Patch(
        "E2",
        "what will be refused is waited for",
        ASGI,
        "return Problem(413) if length.isdigit() and int(length) > self._max_body_bytes else None",
        "return None",
        by="test_a_declared_length_over_the_limit_is_refused_before_it_is_sent",
    ),
    Patch(
        "E2",
        "nobody is told to go on",
        ASGI,
        SIZE,
        f'        if b"expect" in headers:\n            return Problem(417)\n{SIZE}',
        by="test_a_client_may_wait_to_be_told_to_go_on",
    ),
    Patch(
        "E2",
        "a body has to say how long it is",
        ASGI,
        SIZE,
        f'        if b"transfer-encoding" in headers:\n            return Problem(411)\n{SIZE}',
        by="test_small_chunks_are_accepted test_a_chunk_may_have_an_extension"
        " test_chunks_may_end_with_a_trailer test_a_put_may_be_chunked_too",
    ),
    Patch(
        "E2",
        "a body that was cut off is as good",
        ASGI,
        '            raise Problem(400, "The body ended before its end.")\n',
        '            message = {"type": "http.request", "body": b"", "more_body": False}\n',
        by="test_a_body_that_was_cut_off_is_not_stored"
        " test_a_chunked_body_without_its_end_is_not_stored",
    ),
    Patch(
        "E2",
        "a connection ends without a word",
        ASGI,
        "if not self._body.complete or draining.is_set():",
        "if draining.is_set():",
        by="test_a_refusal_says_so_if_it_ends_the_connection",
    ),
    Patch(
        "E3",
        "a body that nobody expected is not foreseen",
        ASGI,
        SIZE,
        '        if scope["method"] == "GET" and b"content-length" in headers:\n'
        f"            raise RuntimeError\n{SIZE}",
        by="test_a_body_where_none_is_expected_is_no_5xx",
    ),
    Patch(
        "E3",
        "the standard library reads JSON",
        HTTP,
        "return model.model_validate_json(body)",
        "return model.model_validate(json.loads(body))",
        by="test_a_lone_surrogate_is_a_bad_request test_json_that_is_not_utf8_is_a_bad_request"
        " test_broken_utf8_is_a_bad_request test_malformed_json_is_a_bad_request",
    ),
    Patch(
        "E3",
        "a header is ASCII",
        ASGI,
        'return None if header is None else header.decode("latin-1")',
        "return None if header is None else header.decode()",
        by="test_no_header_makes_a_5xx",
    ),
    Patch(
        "E4",
        "an error is shown by the framework",
        ERRORS,
        "    problem, context = problem_of(error), request.scope[CONTEXT]\n",
        "    problem, context = problem_of(error), request.scope[CONTEXT]\n"
        "    problem.detail += repr(error)\n",
        by="test_a_table_that_is_gone_is_an_internal_error",
    ),
    Patch(
        "E5",
        "a slow body holds up everybody",
        ASGI,
        "            async with asyncio.timeout_at(self._end):\n",
        "            __import__('time').sleep(1)\n"
        "            async with asyncio.timeout_at(self._end):\n",
        by="test_slow_clients_never_keep_a_probe_waiting",
    ),
    Patch(
        "E5",
        "a body may trickle for ten minutes",
        ASGI,
        "BODY_SECONDS: Final = 20",
        "BODY_SECONDS: Final = 600",
        by="test_a_body_that_trickles_is_closed",
    ),
    Patch(
        "E6",
        "no nosniff",
        ASGI,
        NOSNIFF,
        "",
        by="test_no_answer_is_sniffed_or_tells_a_version"
        " test_created_unchanged_and_deleted_are_not_sniffed_either",
    ),
    Patch(
        "E6",
        "what has no body may be sniffed",
        ASGI,
        NOSNIFF,
        "        if self._status not in BODILESS:\n            yield _NOSNIFF\n",
        by="test_created_unchanged_and_deleted_are_not_sniffed_either",
    ),
    Patch(
        "E6",
        "every origin is let in",
        ASGI,
        NOSNIFF,
        f'{NOSNIFF}        yield b"access-control-allow-origin", b"*"\n',
        by="test_no_other_origin_is_let_in",
    ),
    Patch(
        "E6",
        "FastAPI's own pages are there",
        SERVICE,
        '"openapi_url": None, ',
        "",
        by="test_there_is_no_debug_page",
    ),
    Patch(
        "E6",
        "probes need an allowed host",
        ASGI,
        "if self._allowed_hosts and context.path not in QUIET_PATHS:",
        "if self._allowed_hosts:",
        by="test_probes_are_answered_under_any_host",
    ),
    Patch(
        "E6",
        "a host is looked at although none is listed",
        ASGI,
        "if self._allowed_hosts and context.path not in QUIET_PATHS:",
        "if context.path not in QUIET_PATHS:",
        by="test_any_host_is_served_unless_hosts_are_listed",
    ),
    Patch(
        "E6",
        "of two hosts the first counts",
        ASGI,
        JOINED,
        f'        if name != b"host" or name not in lines:\n    {JOINED}',
        by="test_two_hosts_are_not_served",
    ),
    Patch(
        "E3",
        "a body is read as FastAPI reads it",
        ROUTING,
        "            if info is not None:\n",
        "            if False:\n",
        by="test_a_lone_surrogate_is_a_bad_request",
    ),
    Patch(
        "O4",
        "a check of who may call is asked about the endpoints too",
        SERVICE,
        ERRORS_HANDLED,
        f"{ERRORS_HANDLED}\n"
        "        async def reply(request: Request) -> Response:\n"
        "            path = request.url.path\n"
        "            found = await in_thread(request, endpoints.reply, request.method, path)\n"
        "            headers = dict(found.headers)\n"
        "            return Response(found.body, found.status, headers, found.content_type)\n\n"
        "        endpoints = self._endpoints\n"
        '        for path in ("/livez", "/readyz", "/metrics", "/openapi.json"):\n'
        "            self.add_api_route(path, reply, include_in_schema=False)\n"
        "        endpoints.has = lambda path: False\n",
        by=OWNERS,
        case="a-check-of-who-may-call",
    ),
    Patch(
        "O4",
        "a body is judged before anybody has asked who sent it",
        ROUTING,
        "            if self._model is Any:\n",
        "            if True:\n",
        by=OWNERS,
        case="a-check-of-who-may-call",
    ),
    Patch(
        "O4",
        "the headers of a refusal are lost",
        ERRORS,
        "Response(body, problem.status, problem.headers, media_type",
        "Response(body, problem.status, media_type",
        by=OWNERS,
        case="a-check-of-who-may-call",
    ),
    Patch(
        "O4",
        "a check that returns a coroutine lets everybody in",
        ROUTING,
        "        if inspect.iscoroutine(result):\n",
        "        if False:\n",
        by=OWNERS,
        case="a-coroutine-that-is-returned",
    ),
    Patch(
        "O4",
        "a check that drops a coroutine lets everybody in",
        ROUTING,
        "        unawaited.check()\n",
        "",
        by=OWNERS,
        case="a-coroutine-that-is-dropped",
    ),
    Patch(
        "O7",
        "the detail of an HTTPException is lost",
        ERRORS,
        "Problem(error.status_code, detail, headers=error.headers)",
        'Problem(error.status_code, "", headers=error.headers)',
        by=OWNERS,
        case="errors",
    ),
    Patch(
        "O7",
        "the headers of an HTTPException are lost",
        ERRORS,
        "Problem(error.status_code, detail, headers=error.headers)",
        "Problem(error.status_code, detail)",
        by=OWNERS,
        case="errors",
    ),
    Patch(
        "O7",
        "nobody is told which value a route has rejected",
        ERRORS,
        "(_place(*loc), why) for loc, why in found",
        '("", why) for loc, why in found',
        by=OWNERS,
        case="plain-routes",
    ),
    Patch(
        "N10",
        "an underscore in a header's name is a dash",
        ASGI,
        "lines.setdefault(name, [])",
        'lines.setdefault(name.replace(b"_", b"-"), [])',
        by="test_a_name_with_an_underscore_is_no_name_with_a_dash",
    ),
    Patch(
        "N10",
        "an address without the prefix that a proxy strips",
        SERVICE,
        'str(request.scope.get("root_path", "")) + location',
        "location",
        by="test_a_proxy_may_strip_a_prefix",
    ),
    Patch(
        "O11",
        "what is refused at the edge never reaches the framework",
        ASGI,
        "            await self._app(scope, _no_body, response.send)\n",
        "            await response.failed(rejected)\n",
        by=OWNERS,
        case="cors",
    ),
    Patch(
        "O13",
        "a task after the response counts as the request's time",
        ASGI,
        '            if not message.get("more_body", False):\n                self.finish()\n',
        "",
        by=OWNERS,
        case="a-job-and-a-task",
    ),
]
