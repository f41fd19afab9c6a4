"""Patches of the files that are Flask's own."""

from __future__ import annotations

from tests.mutations.patches.patch import APP, HEALTH, HTTP, ROUTES, STORE, Patch

PATCHES = [
    Patch(
        "P7",
        "liveness asks the database",
        HEALTH,
        """    return health(200, '{"status": "pass"}')""",
        """    current_app.extensions["database"].checks()\n"""
        """    return health(200, '{"status": "pass"}')""",
        by="test_a_database_that_hangs_never_holds_a_request_beyond_its_time",
        database="postgresql",
    ),
    Patch(
        "R1",
        "no Location",
        ROUTES,
        '    response.headers["Location"] = url_for("items.get_item", item_id=item.id)\n',
        "",
        by="test_a_new_item_is_answered_whole_and_lies_at_its_location",
    ),
    Patch(
        "R1",
        "a name need not be given",
        STORE,
        "name: Annotated[str, AfterValidator(_trimmed)]\n",
        'name: Annotated[str, AfterValidator(_trimmed)] = "nameless"\n',
        by="test_a_name_must_be_given",
    ),
    Patch(
        "R2",
        "no Link",
        ROUTES,
        """        response.headers["Link"] = f'<{following}>; rel="next"'\n""",
        "",
        by="test_link_and_cursor_lead_to_the_same_next_page",
    ),
    Patch(
        "R2",
        "the link names a host",
        ROUTES,
        'url_for("items.list_items", limit=page.limit, cursor=cursor)',
        'url_for("items.list_items", limit=page.limit, cursor=cursor, _external=True)',
        by="test_link_and_cursor_lead_to_the_same_next_page",
    ),
    Patch(
        "R3",
        "a replacement is taken as it comes",
        ROUTES,
        "    wanted = content()\n",
        "    wanted = ItemContent.model_construct(**request.get_json())\n",
        by="test_put_is_as_strict_as_post",
    ),
    Patch(
        "R3",
        "the item and its condition come before the body",
        ROUTES,
        "    wanted = content()\n",
        "    found = store().get(read_id(item_id))\n"
        '    asked = if_match(request.headers.get("If-Match"))\n'
        "    if asked is not None and found.revision not in asked:\n"
        "        return Response(status=412)\n"
        "    wanted = content()\n",
        by="test_the_first_of_several_answers_wins test_a_bad_body_comes_before_a_precondition",
    ),
    Patch(
        "R3",
        "what is deleted stays",
        ROUTES,
        '    store().delete(read_id(item_id), if_match(request.headers.get("If-Match")))\n',
        "    store().get(read_id(item_id))\n",
        by="test_a_deleted_item_is_gone",
    ),
    Patch(
        "R4",
        "OPTIONS with 200",
        APP,
        "status_code = 204",
        "status_code = 200",
        by="test_options_lists_what_is_allowed",
    ),
    Patch(
        "R4",
        "405 without Allow",
        APP,
        'if name == "Allow"',
        'if name == "Never"',
        by="test_any_other_method_is_refused_with_what_is_allowed",
    ),
    Patch(
        "R4",
        "double slashes are redirected",
        APP,
        "self.url_map.merge_slashes = False",
        "self.url_map.merge_slashes = True",
        by="test_nothing_but_the_exact_path_is_found"
        " test_an_item_with_a_slash_behind_it_is_not_found",
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
        "    response.status_code = 201\n",
        "    response.status_code = 202\n",
        by="test_schemathesis_finds_nothing",
    ),
    Patch(
        "R5",
        "a page far behind is an internal error",
        HTTP,
        "    return int(text, 16)\n",
        '    if text >= "4":\n        raise RuntimeError\n    return int(text, 16)\n',
        by="test_schemathesis_finds_nothing_when_it_looks_longer",
    ),
    Patch(
        "E1",
        "HTML on 404",
        APP,
        "    app.register_error_handler(HTTPException, answer_http_exception)\n",
        "",
        by="test_an_unknown_path_is_a_problem",
    ),
    Patch(
        "E1",
        "what Flask does not know is an internal error",
        APP,
        "    app.register_error_handler(Exception, answer_error)\n",
        "",
        by="test_each_status_is_a_problem_with_its_own_title",
    ),
    Patch(
        "E4",
        "an error is shown by the framework",
        APP,
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
        HEALTH,
        '@blueprint.get("/livez")\n',
        '@blueprint.get("/debug")\n@blueprint.get("/livez")\n',
        by="test_there_is_no_debug_page",
    ),
]
