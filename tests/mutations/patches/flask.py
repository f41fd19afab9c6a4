"""Patches of the files that are Flask's own."""

from __future__ import annotations

from tests.mutations.patches.patch import ADDRESS, APP, OWNERS, RESOURCE, ROUTES, SERVICE, Patch

CONTENT_OF_PUT = "    content = read_content(ITEMS)\n"
ENDPOINTS_MADE = (
    "        endpoints = Endpoints(Checks(self.database.checks, checks), self.document)\n"
)

PATCHES = [
    Patch(
        "A1",
        "what answers a method that no document has is open",
        "{package}/runtime/auth/access.py",
        "return _all_of(operations.values())",
        "return None",
        by="test_what_answers_a_method_that_no_document_has_asks_for_a_token",
        having=("auth",),
    ),
    Patch(
        "R8",
        "a key that cannot be one is told after the content",
        SERVICE,
        "request.get_data(), key)",
        "request.get_data())",
        by="test_a_key_is_refused_after_the_form_of_a_body_and_before_its_content",
    ),
    Patch(
        "N10",
        "a body waits for the client to acknowledge the head",
        ADDRESS,
        "        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n",
        "",
        by="test_no_response_waits_for_its_client_to_acknowledge",
    ),
    Patch(
        "R1",
        "no Location",
        ROUTES,
        'answer(ITEMS, item, 201, location=url_for(".get_item", item_id=item.id))',
        "answer(ITEMS, item, 201)",
        by="test_a_new_item_is_answered_whole_and_lies_at_its_location",
    ),
    Patch(
        "R2",
        "no Link",
        SERVICE,
        '        response.headers["Link"] = link\n',
        "        pass\n",
        by="test_link_and_cursor_lead_to_the_same_next_page",
    ),
    Patch(
        "R2",
        "the link names a host",
        SERVICE,
        "page.link(request.root_path + request.path)",
        "page.link(request.base_url)",
        by="test_link_and_cursor_lead_to_the_same_next_page",
    ),
    Patch(
        "R3",
        "a replacement is taken as it comes",
        ROUTES,
        CONTENT_OF_PUT,
        "    from flask import request\n\n"
        "    content = ItemContent.model_construct(**request.get_json())\n",
        by="test_put_is_as_strict_as_post",
    ),
    Patch(
        "R3",
        "the item and its condition come before the body",
        ROUTES,
        CONTENT_OF_PUT,
        "    found, revisions = items().get(read_id(item_id)), read_revisions()\n"
        "    if revisions is not None and found.revision not in revisions:\n"
        f"        return Response(status=412)\n{CONTENT_OF_PUT}",
        by="test_the_first_of_several_answers_wins test_a_bad_body_comes_before_a_precondition",
    ),
    Patch(
        "R3",
        "what is deleted stays",
        ROUTES,
        "    items().delete(read_id(item_id), read_revisions())\n",
        "    items().get(read_id(item_id))\n",
        by="test_a_deleted_item_is_gone",
    ),
    Patch(
        "R4",
        "OPTIONS with 200",
        SERVICE,
        "status_code = 204",
        "status_code = 200",
        by="test_options_lists_what_is_allowed",
    ),
    Patch(
        "R4",
        "405 without Allow",
        SERVICE,
        'if name != "Content-Type"',
        'if name not in ("Allow", "Content-Type")',
        by="test_any_other_method_is_refused_with_what_is_allowed",
    ),
    Patch(
        "R4",
        "double slashes are redirected",
        SERVICE,
        "self.url_map.merge_slashes = False",
        "self.url_map.merge_slashes = True",
        by="test_nothing_but_the_exact_path_is_found"
        " test_an_item_with_a_slash_behind_it_is_not_found",
    ),
    Patch(
        "R4",
        "a path may begin with two slashes",
        SERVICE,
        "if request.path != path_of(request.environ):",
        "if False:",
        by="test_nothing_but_the_exact_path_is_found",
    ),
    Patch(
        "R4",
        "a slash at the end is redirected",
        ROUTES,
        '@blueprint.get("")',
        '@blueprint.get("/")',
        by="test_nothing_but_the_exact_path_is_found"
        " test_head_tells_what_get_tells_without_the_body",
    ),
    Patch(
        "R5",
        "a status that is not declared",
        ROUTES,
        "answer(ITEMS, item, 201, ",
        "answer(ITEMS, item, 202, ",
        by="test_schemathesis_finds_nothing",
    ),
    Patch(
        "R6",
        "the media type of a merge patch is not known",
        RESOURCE,
        "content_type, content_encoding, body, MERGE_PATCH)",
        "content_type, content_encoding, body)",
        by="test_what_is_left_out_stays",
    ),
    Patch(
        "R6",
        "the item comes before the patch",
        ROUTES,
        "    changes = read_patch(ITEMS)\n",
        "    items().get(read_id(item_id))\n    changes = read_patch(ITEMS)\n",
        by="test_the_first_of_several_refusals_counts",
    ),
    Patch(
        "E1",
        "HTML on 404",
        SERVICE,
        "if error.response is not None or (error.code or 500) < 400:",
        "if True:",
        by="test_an_unknown_path_is_a_problem",
    ),
    Patch(
        "E1",
        "what Flask refuses is an internal error",
        SERVICE,
        "Problem(error.code or 500, said",
        "Problem(500, said",
        by="test_each_status_is_a_problem_with_its_own_title",
    ),
    Patch(
        "E4",
        "an error is shown by the framework",
        SERVICE,
        "    problem = problem_of(error)\n",
        "    problem = problem_of(error)\n"
        "    if problem.status == 500:\n"
        "        import traceback\n\n"
        "        return Response(traceback.format_exc(), 500)\n",
        by="test_a_table_that_is_gone_is_an_internal_error",
    ),
    Patch(
        "E6",
        "a page for debugging",
        APP,
        "    app.register_blueprint(items.blueprint)\n",
        "    app.register_blueprint(items.blueprint)\n"
        '    app.add_url_rule("/debug", view_func=lambda: "debug")\n',
        by="test_there_is_no_debug_page",
    ),
    Patch(
        "O4",
        "a check of who may call is asked about the endpoints too",
        SERVICE,
        ENDPOINTS_MADE,
        f"{ENDPOINTS_MADE}\n"
        "        def reply() -> Response:\n"
        "            found = endpoints.reply(request.method, request.path)\n"
        "            return Response(\n"
        "                found.body, found.status, found.headers, None, found.content_type\n"
        "            )\n\n"
        '        for path in ("/livez", "/readyz", "/metrics", "/openapi.json"):\n'
        "            self.add_url_rule(path, path, reply)\n"
        "        endpoints.has = lambda path: False\n",
        by=OWNERS,
        case="a-check-of-who-may-call",
    ),
    Patch(
        "O4",
        "a body is judged before anybody has asked who sent it",
        SERVICE,
        "    if request.url_rule is not None:\n",
        "    if request.data:\n        request.get_json()\n    if request.url_rule is not None:\n",
        by=OWNERS,
        case="a-check-of-who-may-call",
    ),
    Patch(
        "O4",
        "nobody asks who looks for what is not there",
        SERVICE,
        "    if request.url_rule is not None:\n",
        "    if request.url_rule is None:\n"
        "        raise NotFound\n"
        "    if request.url_rule is not None:\n",
        by=OWNERS,
        case="a-check-of-who-may-call",
    ),
    Patch(
        "O4",
        "the headers of a refusal are lost",
        SERVICE,
        "        problem.headers,\n",
        "        {},\n",
        by=OWNERS,
        case="a-check-of-who-may-call",
    ),
    Patch(
        "O7",
        "the description of a Flask error is lost",
        SERVICE,
        'said or ""',
        '""',
        by=OWNERS,
        case="errors",
    ),
    Patch(
        "O7",
        "the headers of a Flask error are lost",
        SERVICE,
        "headers = {name: value for name, value in error.get_headers()",
        "headers = {name: value for name, value in [('', '')]",
        by=OWNERS,
        case="errors",
    ),
    Patch(
        "O7",
        "what a handler of errors raises is an internal error",
        SERVICE,
        "    if original is not None:\n",
        "    if False:\n",
        by=OWNERS,
        case="errors",
    ),
    Patch(
        "O7",
        "converters are part of a route",
        SERVICE,
        '_CONVERTER.sub(r"{\\1}", rule)',
        'rule.replace("<", "{").replace(">", "}")',
        by=OWNERS,
        case="errors",
    ),
]
