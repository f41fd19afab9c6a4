"""Patches of the files that are Django's own, and REST framework's."""

from __future__ import annotations

from tests.mutations.patches.patch import (
    CONSTRAINTS,
    DATABASE,
    IDEMPOTENCY,
    OWNERS,
    PROBE,
    SEEDING,
    Patch,
)

DEFAULTS = "{package}/runtime/defaults.py"
DOCUMENT = "{package}/runtime/document.py"
ERRORS = "{package}/runtime/errors.py"
FILTERS = "{package}/runtime/filters.py"
ITEM_URLS = "{package}/items/urls.py"
MIDDLEWARE = "{package}/runtime/middleware.py"
MIGRATION = "{package}/items/migrations/0001_initial.py"
MODELS = "{package}/items/models.py"
PAGES = "{package}/runtime/pagination.py"
PARSERS = "{package}/runtime/parsers.py"
PERMISSIONS = "{package}/runtime/permissions.py"
RECORDS = "{package}/runtime/models.py"
ROOT_URLS = "{package}/runtime/urls.py"
SCHEMA = "{package}/runtime/schema.py"
SERIALIZERS = "{package}/runtime/serializers.py"
SQLITE = "{package}/runtime/sqlite/base.py"
VIEWS = "{package}/runtime/views.py"

ROOMS = "rooms-and-bookings"
GROWTH = "tags-attributes-and-nested-paths"
MIGRATE = '        call_command("migrate", interactive=False, verbosity=0)\n'
READ = "return from_json(body)"
SORTED = "queryset.order_by(*(column.sort_key() for column in columns))"
OPTIONS = "    def options(self, request: Any, *_: Any, **__: Any) -> Response:\n"
PATCHED = "        return self._change(self._read_body(MERGE_PATCH, partial=True))\n"
PATTERNS = "urlpatterns = urls.urlpatterns"
REFERRED_TO = """\
        if names := list(referring(row, self._database, PROTECT)):
            raise still_referenced(row, names)
"""

BREAK_NOTHING = {
    "NUL is let through": "REST framework's own field refuses it too",
    "a new file that another process changes is not waited for": "SQLite's own timeout waits",
    "statements are prepared in sessions that a pooler shares": "Django prepares none",
}
PATCHES = [
    Patch(
        "R8",
        "a key that cannot be one is told after the content",
        VIEWS,
        '        key = idempotency_key(request.headers.get("Idempotency-Key"))\n'
        "        serializer.is_valid(raise_exception=True)\n",
        "        serializer.is_valid(raise_exception=True)\n"
        '        key = idempotency_key(request.headers.get("Idempotency-Key"))\n',
        by="test_a_key_is_refused_after_the_form_of_a_body_and_before_its_content",
    ),
    Patch(
        "P11",
        "seed creates its rows again",
        SEEDING,
        "        if not self.ids(serializer, 1):",
        "        if True:",
        by="test_seeding_names_the_database_and_twice_changes_nothing",
    ),
    Patch(
        "P11",
        "seed keeps rows before one that is not valid",
        SEEDING,
        "        with bounded(_SECONDS), transaction.atomic():",
        "        with bounded(_SECONDS):",
        by="test_rows_are_stored_together_or_not_at_all",
    ),
    Patch(
        "R8",
        "another body gets the first response",
        IDEMPOTENCY,
        "            if found.fingerprint != self._fingerprint:\n",
        "            if False:\n",
        by="test_another_body_is_refused",
    ),
    Patch(
        "R8",
        "a request in progress is waited for",
        IDEMPOTENCY,
        "        if not alone:\n",
        "        if False:\n",
        by="test_a_request_in_progress_is_told_as_such",
        database="postgresql",
    ),
    Patch(
        "R8",
        "old keys stay",
        IDEMPOTENCY,
        "        self._keys.filter(digest__in=[*free[:_DELETED_AT_ONCE]]).delete()\n",
        "",
        by="test_old_keys_mean_nothing_and_go_away",
    ),
    Patch(
        "R8",
        "the key is stored by itself",
        "{package}/runtime/views.py",
        "                first.keep(self._answer_created(serializer))\n",
        "                kept = self._answer_created(serializer)\n"
        "                transaction.on_commit(lambda: first.keep(kept), using=self._database)\n",
        by="test_after_a_503_that_was_stored_all_the_same_a_repeat_is_the_first_response",
        database="postgresql",
    ),
    Patch(
        "P3",
        "there is no way down",
        MIGRATION,
        '                "ordering": ("position",),\n            },\n        ),\n',
        '                "ordering": ("position",),\n            },\n        ),\n'
        '        migrations.RunSQL("SELECT 1"),\n',
        by="test_the_way_down_and_up_again_gives_the_same_schema",
    ),
    Patch(
        "P3",
        "two migrations get in each other's way",
        DATABASE,
        "SELECT pg_advisory_lock(%s)",
        "SELECT %s",
        by="test_migrating_at_once_is_safe",
        database="postgresql",
    ),
    Patch(
        "P3",
        "each migration begins at the first one",
        DATABASE,
        MIGRATE,
        f'        call_command("migrate", "items", "zero", fake=True, verbosity=0)\n{MIGRATE}',
        by="test_migrating_twice_changes_nothing",
    ),
    Patch(
        "P3",
        "each migration makes everything anew",
        DATABASE,
        MIGRATE,
        f'        call_command("migrate", "items", "zero", verbosity=0)\n{MIGRATE}',
        by="test_migrating_keeps_what_is_stored",
    ),
    Patch(
        "P7",
        "what is asked of the database has no deadline",
        MIDDLEWARE,
        "            with bounded(settings.SERVICE.database_timeout_seconds):\n",
        "            with bounded(600):\n",
        by="test_the_deadline_is_what_it_was_set_to",
        database="postgresql",
    ),
    Patch(
        "P8",
        "acknowledged before it is stored",
        VIEWS,
        "        with storing(self._database) as write:\n"
        "            if first and (earlier := first.response()) is not None:\n"
        "                return earlier\n"
        "            self.perform_create(serializer)\n"
        "            write.row = serializer.instance\n"
        "            if first:\n"
        "                first.keep(self._answer_created(serializer))\n",
        "        import threading\n\n"
        "        early = self.queryset.model(**serializer.validated_data)\n"
        '        early.revision = "0123456789abcdef"\n'
        "        serializer.instance = early\n"
        "        threading.Timer(0.2, early.save).start()\n",
        by="test_a_write_is_seen_at_once_by_another_process"
        " test_what_was_acknowledged_outlives_a_kill",
    ),
    Patch(
        "H1",
        "ready without a schema",
        PROBE,
        'return {"database": True, "schema": False}  # there is no such table',
        'return {"database": True, "schema": True}',
        by="test_an_empty_database_is_not_ready_until_it_is_migrated",
        database="postgresql",
    ),
    Patch(
        "H1",
        "readiness waits for whoever writes",
        DATABASE,
        "        # Migrations unknown to this code",
        "        try:\n"
        "            with bounded(READINESS_SECONDS), transaction.atomic():\n                pass\n"
        '        except Unavailable:\n            return {"database": False}\n'
        "        # Migrations unknown to this code",
        by="test_readiness_does_not_need_the_items_to_be_quick",
    ),
    Patch(
        "H2",
        "a route as Django writes it",
        DOCUMENT,
        '"/" + _PARAMETER.sub(r"{\\1}", route)',
        '"/" + route',
        by="test_each_request_counts_under_its_routes_template",
    ),
    Patch(
        "R1",
        "no Location",
        VIEWS,
        'return self._answer(serializer, 201, {"Location": location})',
        "return self._answer(serializer, 201)",
        by="test_a_new_item_is_answered_whole_and_lies_at_its_location",
    ),
    Patch(
        "R1",
        "one, unless quantity is given",
        MODELS,
        "MaxValueValidator(1_000_000)], default=0",
        "MaxValueValidator(1_000_000)], default=1",
        by="test_quantity_is_zero_unless_given",
    ),
    Patch(
        "R1",
        "there is no none",
        MODELS,
        "MinValueValidator(0)",
        "MinValueValidator(1)",
        by="test_quantity_may_be_zero_to_a_million",
    ),
    Patch(
        "R1",
        "more than a million",
        MODELS,
        "MaxValueValidator(1_000_000)",
        "MaxValueValidator(10**30)",
        by="test_quantity_is_refused_unless_it_is_an_integer_in_range",
    ),
    Patch(
        "R1",
        "types are converted",
        SERIALIZERS,
        "self.rule.validate_python(data, strict=True)",
        "self.rule.validate_python(data, strict=False)",
        by="test_quantity_is_refused_unless_it_is_an_integer_in_range",
    ),
    Patch(
        "R1",
        "unknown fields are let through",
        SERIALIZERS,
        "sorted(data.keys() - known) if isinstance(data, dict) else []",
        "list[str]()",
        by="test_unknown_and_read_only_fields_are_refused",
    ),
    Patch(
        "R1",
        "a name need not be given",
        MODELS,
        "max_length=100, unique=True)",
        'max_length=100, unique=True, default="nameless")',
        by="test_a_name_must_be_given",
    ),
    Patch(
        "R1",
        "names may come twice",
        MIGRATION,
        "models.CharField(max_length=100, unique=True)",
        "models.CharField(max_length=100)",
        by="test_a_name_is_unique_after_trimming"
        " test_a_name_in_use_is_a_conflict_and_changes_nothing"
        " test_of_50_parallel_creates_of_one_name_one_wins",
    ),
    Patch(
        "R2",
        "no Link",
        PAGES,
        """            response["Link"] = f'<{self._path}?{following}>; rel="next"'\n""",
        "            pass\n",
        by="test_link_and_cursor_lead_to_the_same_next_page",
    ),
    Patch(
        "R2",
        "the link names a host",
        PAGES,
        "self._path, self._query = request.path, ",
        "self._path, self._query = request.build_absolute_uri(request.path), ",
        by="test_link_and_cursor_lead_to_the_same_next_page",
    ),
    Patch(
        "R2",
        "the last page leads on",
        PAGES,
        "_cursor(rows[-1], columns, query) if more else None",
        "_cursor(rows[-1], columns, query) if rows else None",
        by="test_only_a_page_with_more_behind_it_has_a_link_and_a_cursor",
    ),
    Patch(
        "R2",
        "an item comes twice",
        PAGES,
        '("e" if including else "")',
        '"e"',
        by="test_a_walk_sees_every_acknowledged_item_once_while_others_are_added",
    ),
    Patch(
        "R2",
        "newest first",
        PAGES,
        SORTED,
        'queryset.order_by("-pk")',
        by="test_the_newest_comes_last test_a_page_has_items_and_a_cursor",
    ),
    Patch(
        "R2",
        "last changed last",
        PAGES,
        SORTED,
        'queryset.order_by("updated_at")',
        by="test_a_replaced_item_keeps_its_place",
    ),
    Patch(
        "R2",
        "twenty items unless it is told",
        PAGES,
        'query.pop("limit", str(self.page_size))',
        'query.pop("limit", "20")',
        by="test_a_page_has_50_items_unless_it_is_told",
    ),
    Patch(
        "R2",
        "no list has pages of its own size",
        PAGES,
        'query.pop("limit", str(self.page_size)), self.max_page_size',
        'query.pop("limit", "50")',
        by=OWNERS,
        case=GROWTH,
    ),
    Patch(
        "R6",
        "an object in a merge patch replaces the one that was there",
        VIEWS,
        "            if objects:\n",
        "            if False:\n",
        by=OWNERS,
        case=GROWTH,
    ),
    Patch(
        "O2",
        "references to many are positions",
        SERIALIZERS,
        'if not (options.get("many") and',
        'if not (options.get("few") and',
        by=OWNERS,
        case=GROWTH,
    ),
    Patch(
        "R9",
        "nobody explains what the commit finds",
        CONSTRAINTS,
        'rows = getattr(error, "rows", ())',
        "rows: tuple[Any, ...] = ()",
        by=OWNERS,
        case=GROWTH,
    ),
    Patch(
        "O11",
        "a nested path is not in the location",
        VIEWS,
        "kwargs={**self.kwargs, **own}",
        "kwargs=own",
        by=OWNERS,
        case=GROWTH,
    ),
    Patch(
        "R2",
        "any digits are a cursor",
        PAGES,
        "if not re.fullmatch(CURSOR, cursor):",
        'if not re.fullmatch(r"[0-9a-f.]+", cursor):',
        by="test_a_bad_cursor_is_refused_by_its_name",
    ),
    Patch(
        "R2",
        "REST framework chooses by Accept",
        DEFAULTS,
        '    "DEFAULT_CONTENT_NEGOTIATION_CLASS": f"{__package__}.parsers.JSONOnly",\n',
        "",
        by="test_accept_is_not_looked_at",
    ),
    Patch(
        "R3",
        "the tag stays the same",
        RECORDS,
        "secrets.token_hex(8)",
        '"0123456789abcdef"',
        by="test_put_replaces_and_renews_the_tag test_put_of_the_same_content_is_a_new_revision"
        " test_an_old_tag_no_longer_matches",
    ),
    Patch(
        "R3",
        "a duplicate is an internal error",
        CONSTRAINTS,
        'return Duplicate(f"Another {name} has this {_and(map(_told, taken))}.")',
        "return error",
        by="test_a_name_in_use_is_a_conflict_and_changes_nothing"
        " test_a_name_that_is_taken_is_a_conflict",
    ),
    Patch(
        "R3",
        "a missing quantity keeps the old one",
        SERIALIZERS,
        'return found | {"default": field.default, "required": False}',
        'return found | {"required": False}',
        by="test_put_without_quantity_means_zero",
    ),
    Patch(
        "R3",
        "a part of an item is enough",
        VIEWS,
        "self._change(self._read_body())",
        "self._change(self._read_body(partial=True))",
        by="test_put_without_quantity_means_zero",
    ),
    Patch(
        "R3",
        "a row is checked without a lock",
        VIEWS,
        'queryset = queryset.select_for_update(of=("self",))',
        "pass",
        by="test_of_50_parallel_puts_with_one_if_match_one_wins"
        " test_of_50_parallel_deletes_one_wins test_one_of_many_patches_with_one_tag_is_applied"
        " test_patches_of_different_fields_are_all_kept",
        database="postgresql",
    ),
    Patch(
        "R3",
        "the item and its condition come before the body",
        VIEWS,
        "        serializer.to_internal_value(\n",
        "        self._expected_object()\n        serializer.to_internal_value(\n",
        by="test_the_first_of_several_answers_wins test_a_bad_body_comes_before_a_precondition",
    ),
    Patch(
        "R3",
        "what is deleted stays",
        VIEWS,
        "            self.perform_destroy(row)\n",
        "",
        by="test_a_deleted_item_is_gone",
    ),
    Patch(
        "R4",
        "OPTIONS with 200",
        VIEWS,
        "return Response(status=204)  # the framework",
        "return Response(status=200)  # the framework",
        by="test_options_lists_what_is_allowed",
    ),
    Patch(
        "R4",
        "OPTIONS as REST framework answers it",
        VIEWS,
        OPTIONS,
        OPTIONS.replace("options", "no_options"),
        by="test_options_lists_what_is_allowed",
    ),
    Patch(
        "R4",
        "405 with fewer methods than there are",
        VIEWS,
        OPTIONS,
        "    @property\n"
        "    def default_response_headers(self) -> dict[str, str]:\n"
        f'        return super().default_response_headers | {{"Allow": "GET"}}\n\n{OPTIONS}',
        by="test_any_other_method_is_refused_with_what_is_allowed",
    ),
    Patch(
        "R4",
        "a slash at the end is forgiven",
        ITEM_URLS,
        "urlpatterns = router.urls\n",
        "from django.urls import path\n\n"
        'again = path("items/", ItemViewSet.as_view({"get": "list"}))\n'
        "urlpatterns = [*router.urls, again]\n",
        by="test_nothing_but_the_exact_path_is_found",
    ),
    Patch(
        "R5",
        "a status that is not declared",
        VIEWS,
        'self._answer(serializer, 201, {"Location": location})',
        'self._answer(serializer, 202, {"Location": location})',
        by="test_schemathesis_finds_nothing",
    ),
    Patch(
        "R5",
        "a page far behind is an internal error",
        PAGES,
        "    return [*values, int(position, 16)]\n",
        '    if position >= "4":\n        raise RuntimeError\n'
        "    return [*values, int(position, 16)]\n",
        by="test_schemathesis_finds_nothing_when_it_looks_longer",
    ),
    Patch(
        "R5",
        "the document does not know of other media types",
        SCHEMA,
        "_WITH_BODY: Final = (413, 415, 422)",
        "_WITH_BODY: Final = (413, 422)",
        by="test_the_document_has_every_operation_with_every_status",
    ),
    Patch(
        "R5",
        "the document does not declare where a new item is",
        SCHEMA,
        'headers=("ETag", "Location")',
        'headers=("ETag",)',
        by="test_the_declared_headers_are_there",
    ),
    Patch(
        "R6",
        "the media type of a merge patch is not known",
        VIEWS,
        PATCHED,
        PATCHED.replace("MERGE_PATCH, ", ""),
        by="test_what_is_left_out_stays",
    ),
    Patch(
        "R6",
        "a patch has to be complete",
        VIEWS,
        PATCHED,
        PATCHED.replace(", partial=True", ""),
        by="test_what_is_left_out_stays test_a_patch_that_changes_nothing_is_fine",
    ),
    Patch(
        "R6",
        "the item comes before the patch",
        VIEWS,
        PATCHED,
        f"        self.get_object()\n{PATCHED}",
        by="test_the_first_of_several_refusals_counts",
    ),
    Patch(
        "R6",
        "a change keeps the tag",
        RECORDS,
        "        revision = new_revision()\n",
        "        revision = new_revision() if add else getattr(instance, self.attname)\n",
        by="test_a_patch_renews_the_tag test_a_patch_with_a_stale_tag_is_not_applied",
    ),
    Patch(
        "R6",
        "a patch may have unknown fields",
        SERIALIZERS,
        "if isinstance(data, dict) else []",
        "if isinstance(data, dict) and not self.partial else []",
        by="test_a_patch_that_is_not_valid_changes_nothing",
    ),
    Patch(
        "R6",
        "If-Match is ignored with a patch",
        VIEWS,
        "if revisions is not None and row.revision not in revisions:",
        'if self.request.method != "PATCH" and row.revision not in (revisions or [row.revision]):',
        by="test_a_patch_with_a_stale_tag_is_not_applied"
        " test_one_of_many_patches_with_one_tag_is_applied",
    ),
    Patch(
        "R7",
        "a list is not filtered",
        FILTERS,
        "            if name in request.query_params:\n",
        "            if False:\n",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "the link to the next page has lost the filter",
        PAGES,
        '{"limit": limit, **query}',
        '{"limit": limit}',
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "the cursor of another filter is accepted",
        PAGES,
        'if digest != (_digest(query) if query or len(columns) > 1 else ""):',
        "if bool(digest) != bool(query or len(columns) > 1):",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "the value of a filter is converted",
        SERIALIZERS,
        "rule = _rule(bool)",
        "rule = _rule(bool | int)",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "a page ends between two rows with the same value",
        PAGES,
        "first.beyond(start, including=True) & found",
        "first.beyond(start)",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "of two rows with the same value the newer one comes first",
        PAGES,
        'startswith("-") else "pk"',
        'startswith("-") else "-pk"',
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "a descending list ascends",
        PAGES,
        'return f"-{self.name}" if self.descending else self.name',
        "return self.name",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "a list can be sorted by any of its columns",
        FILTERS,
        "        if asked not in allowed:\n",
        "        if False:\n",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R9",
        "a reference to nothing is an internal error",
        CONSTRAINTS,
        "return UnknownReference(_missing(row, database) or _references(row))",
        "return error",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R9",
        "a row that is deleted takes with it those that refer to it",
        VIEWS,
        REFERRED_TO,
        "        for relation in row._meta.related_objects:\n"
        "            rows = relation.related_model._base_manager\n"
        "            rows.filter(**{relation.field.name: row}).delete()\n",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R9",
        "the document does not know that deleting can conflict",
        SCHEMA,
        "return is_referred_to(model)",
        "return False",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "E1",
        "HTML on 404",
        ROOT_URLS,
        "handler403 = handler404 = errors",
        "handler403 = errors",
        by="test_an_unknown_path_is_a_problem",
    ),
    Patch(
        "E1",
        "what REST framework refuses is no problem",
        DEFAULTS,
        '    "EXCEPTION_HANDLER": f"{__package__}.errors.handle_exception",\n',
        "",
        by="test_each_status_is_a_problem_with_its_own_title",
    ),
    Patch(
        "E3",
        "the standard library reads JSON",
        PARSERS,
        READ,
        'return __import__("json").loads(body)',
        by="test_no_depth_in_between_is_too_much test_a_lone_surrogate_is_a_bad_request"
        " test_json_that_is_not_utf8_is_a_bad_request",
    ),
    Patch(
        "E3",
        "of duplicate keys the first counts",
        PARSERS,
        READ,
        'return __import__("json").loads(\n'
        "                    body, object_pairs_hook=lambda pairs: dict(reversed(pairs))\n"
        "                )",
        by="test_of_duplicate_keys_the_last_counts",
    ),
    Patch(
        "E3",
        "an unknown parameter is ignored",
        VIEWS,
        "            for name in sent.keys() - known:\n",
        "            for name in set[str]():\n",
        by="test_an_unknown_parameter_is_rejected_by_name",
    ),
    Patch(
        "E4",
        "every error of the database is an outage",
        ERRORS,
        "case Error() if is_unavailable(error):",
        "case Error():",
        by="test_a_table_that_is_gone_is_an_internal_error"
        " test_head_of_an_internal_error_shows_nothing_either",
    ),
    Patch(
        "E4",
        "Django answers for what nobody caught",
        ROOT_URLS,
        "handler500 = errors.answer_error\n",
        "",
        by="test_a_table_that_is_gone_is_an_internal_error",
    ),
    Patch(
        "E6",
        "debug pages are on",
        DEFAULTS,
        "DEBUG = False",
        "DEBUG = True",
        by="test_there_is_no_debug_page",
    ),
    Patch(
        "E7",
        "a refusal counts as trouble with the database",
        DATABASE,
        "        super()._rollback()  # type: ignore[misc]\n",
        "        super()._rollback()  # type: ignore[misc]\n"
        "        self.give_place_back(finished=False)\n"
        "        self.shared.users._has_failed = True\n",
        by="test_refusals_are_no_sign_of_trouble_with_the_database",
        database="postgresql",
    ),
    Patch(
        "O3",
        "a violated check is an error of the service",
        CONSTRAINTS,
        "return _rule(error, row) or ",
        "return ",
        by=OWNERS,
        case="rules-a-search-and-hidden-rows",
    ),
    Patch(
        "O3",
        "a violated check is told in the words of the database",
        CONSTRAINTS,
        "known.violation_error_message != known.default_violation_error_message",
        "False",
        by=OWNERS,
        case="rules-a-search-and-hidden-rows",
    ),
    Patch(
        "O4",
        "a check of who may call is asked about the endpoints too",
        ROOT_URLS,
        PATTERNS,
        "from django.http import HttpRequest, HttpResponse\n"
        "from django.urls import path\n\n"
        "from .service import current_service\n\n"
        "endpoints = current_service().endpoints\n"
        "endpoints.has = lambda path: False\n\n\n"
        "def reply(request: HttpRequest) -> HttpResponse:\n"
        '    found = endpoints.reply(request.method or "", request.path)\n'
        "    headers = dict(found.headers)\n"
        "    return HttpResponse(found.body, found.content_type, found.status, headers=headers)\n"
        "\n\n"
        'own = [path(name, reply) for name in ("livez", "readyz", "metrics", "openapi.json")]\n'
        "\nurlpatterns = [*own, *urls.urlpatterns]",
        by=OWNERS,
        case="a-check-in-middleware",
    ),
    Patch(
        "O4",
        "a body is judged before anybody has asked who sent it",
        VIEWS,
        "        super().initial(request, *args, **kwargs)\n",
        "        self._read_body().is_valid() if request.data else None\n"
        "        super().initial(request, *args, **kwargs)\n",
        by=OWNERS,
        case="an-authentication-class",
    ),
    Patch(
        "O4",
        "a client is not told how to sign in",
        ERRORS,
        '        "WWW-Authenticate": getattr(error, "auth_header", None),\n',
        "",
        by=OWNERS,
        case="an-authentication-class",
    ),
    Patch(
        "O4",
        "a check that nobody awaits lets everybody in",
        PERMISSIONS,
        "if iscoroutinefunction(getattr(kind, name, None)):",
        "if False:",
        by=OWNERS,
        case="checks-that-nobody-awaits",
    ),
    Patch(
        "O4",
        "nobody asks whether this very row is for the client",
        VIEWS,
        "        self.check_object_permissions(self.request, row)\n",
        "",
        by=OWNERS,
        case="object-permissions",
    ),
    Patch(
        "O5",
        "the first migration and the model differ",
        MIGRATION,
        "models.CharField(editable=False, max_length=16)",
        "models.CharField(editable=False, max_length=17)",
        by="test_nothing_is_to_migrate_in_an_untouched_service",
    ),
    Patch(
        "O5",
        "a migration has the rules of a line of text",
        RECORDS,
        'for only_here in ("blank", "validators"):',
        "for only_here in ():",
        by="test_nothing_is_to_migrate_in_an_untouched_service",
    ),
    Patch(
        "O7",
        "the detail of an exception of REST framework is lost",
        ERRORS,
        "Problem(error.status_code, _text(error.detail), headers=_headers(error))",
        'Problem(error.status_code, "", headers=_headers(error))',
        by=OWNERS,
        case="errors",
    ),
    Patch(
        "O7",
        "the headers of an exception of REST framework are lost",
        ERRORS,
        "Problem(error.status_code, _text(error.detail), headers=_headers(error))",
        "Problem(error.status_code, _text(error.detail))",
        by=OWNERS,
        case="errors",
    ),
    Patch(
        "O7",
        "what a Django view says of a 404 is lost",
        ERRORS,
        "found = Problem(404, _message(error))",
        "found = Problem(404)",
        by=OWNERS,
        case="errors",
    ),
    Patch(
        "O10",
        "half of a transaction is committed",
        SQLITE,
        "        super()._start_transaction_under_autocommit()  # type: ignore[misc]\n",
        "",
        by=OWNERS,
        case="a-transaction",
    ),
]
