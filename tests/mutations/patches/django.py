"""Patches of the files that are Django's own, and REST framework's."""

from __future__ import annotations

from tests.mutations.patches.patch import APP, DATABASE, HEALTH, Patch

ADMIN_SETTINGS = "{package}/settings.py"
MIGRATION = "{package}/items/migrations/0001_initial.py"
MODELS = "{package}/items/models.py"
REST = "{package}/runtime/rest.py"
SERIALIZER = "{package}/items/serializers.py"
SERIALIZERS = "{package}/runtime/serializers.py"
URLS = "{package}/urls.py"
VIEW = "{package}/items/views.py"
VIEWS = "{package}/runtime/views.py"

MIGRATE = '            call_command("migrate", interactive=False, verbosity=0)\n'
NAME = "name = StrictCharField(max_length=100"
STRIPPED = "data.strip(ASCII_WHITE_SPACE) if type(data) is str else data"
READ = "return from_json(stream.read())"

PATCHES = [
    Patch(
        "P3",
        "there is no way down",
        MIGRATION,
        '            options={"db_table": "items", "ordering": ("position",)},\n        ),\n',
        '            options={"db_table": "items", "ordering": ("position",)},\n        ),\n'
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
        f'            call_command("migrate", "items", "zero", fake=True, verbosity=0)\n{MIGRATE}',
        by="test_migrating_twice_changes_nothing",
    ),
    Patch(
        "P3",
        "each migration makes everything anew",
        DATABASE,
        MIGRATE,
        f'            call_command("migrate", "items", "zero", verbosity=0)\n{MIGRATE}',
        by="test_migrating_keeps_what_is_stored",
    ),
    Patch(
        "P7",
        "liveness asks the database",
        HEALTH,
        """        return answer_health(200, b'{"status": "pass"}')""",
        """        Database.checks()\n        return answer_health(200, b'{"status": "pass"}')""",
        by="test_a_database_that_hangs_never_holds_a_request_beyond_its_time",
        database="postgresql",
    ),
    Patch(
        "P7",
        "what is asked of the database has no deadline",
        APP,
        "            with bounded(self._database_seconds):\n",
        "            with bounded(600):\n",
        by="test_the_deadline_is_what_it_was_set_to",
        database="postgresql",
    ),
    Patch(
        "P8",
        "acknowledged before it is stored",
        VIEW,
        "        serializer = self.valid_serializer()\n"
        "        with storing():\n"
        "            item = serializer.save()\n"
        "        location",
        "        import threading\n\n"
        "        from django.utils import timezone\n\n"
        "        item = Item(**self.valid_serializer().validated_data)\n"
        "        item.created_at = item.updated_at = timezone.now()\n"
        "        threading.Timer(0.2, item.save).start()\n"
        "        location",
        by="test_a_write_is_seen_at_once_by_another_process"
        " test_what_was_acknowledged_outlives_a_kill",
    ),
    Patch(
        "H1",
        "ready without a schema",
        DATABASE,
        'return {"database": True} if _newest() <= applied else '
        '{"database": True, "schema": False}',
        'return {"database": True, "schema": True}',
        by="test_an_empty_database_is_not_ready_until_it_is_migrated",
        database="postgresql",
    ),
    Patch(
        "H1",
        "readiness waits for whoever writes",
        DATABASE,
        "            with bounded(READINESS_SECONDS):\n",
        "            with bounded(READINESS_SECONDS), transaction.atomic():\n",
        by="test_readiness_does_not_need_the_items_to_be_quick",
    ),
    Patch(
        "H2",
        "a route as Django writes it",
        APP,
        'route = _PARAMETER.sub(r"{\\1}", request.resolver_match.route)',
        "route = request.resolver_match.route",
        by="test_each_request_counts_under_its_routes_template",
    ),
    Patch(
        "R1",
        "no Location",
        VIEW,
        "return self.answer(item, serializer.data, 201, Location=location)",
        "return self.answer(item, serializer.data, 201)",
        by="test_a_new_item_is_answered_whole_and_lies_at_its_location",
    ),
    Patch(
        "R1",
        "one, unless quantity is given",
        SERIALIZER,
        '{"quantity": {"default": 0}}',
        '{"quantity": {"default": 1}}',
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
        by="test_quantity_is_refused_unless_it_is_an_integer_in_range"
        " test_a_shorter_integer_is_merely_out_of_range",
    ),
    Patch(
        "R1",
        "types are converted",
        SERIALIZERS,
        "if type(data) is not self.json_type:",
        "if False:",
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
        SERIALIZER,
        NAME,
        f'{NAME}, default="nameless"',
        by="test_a_name_must_be_given",
    ),
    Patch(
        "R1",
        "a name may be empty",
        SERIALIZER,
        NAME,
        f"{NAME}, allow_blank=True",
        by="test_a_name_is_a_string_with_something_in_it",
    ),
    Patch(
        "R1",
        "101 characters",
        SERIALIZER,
        NAME,
        "name = StrictCharField(max_length=101",
        by="test_a_name_has_at_most_100_code_points",
    ),
    Patch(
        "R1",
        "length counts before trimming",
        SERIALIZERS,
        "        return super().run_validation(data.strip",
        "        if isinstance(data, str) and len(data) > 100:\n"
        '            self.fail("max_length", max_length=100)\n'
        "        return super().run_validation(data.strip",
        by="test_length_counts_after_trimming",
    ),
    Patch(
        "R1",
        "spaces alone are trimmed",
        SERIALIZERS,
        STRIPPED,
        STRIPPED.replace("ASCII_WHITE_SPACE", '" "'),
        by="test_ascii_white_space_is_trimmed_and_only_there",
    ),
    Patch(
        "R1",
        "all white space is trimmed",
        SERIALIZERS,
        STRIPPED,
        STRIPPED.replace("ASCII_WHITE_SPACE", ""),
        by="test_other_white_space_is_part_of_a_name test_control_characters_are_not_trimmed_away",
    ),
    Patch(
        "R1",
        "DEL is let through",
        MODELS,
        r"\x7f-\x9f",
        r"\x80-\x9f",
        by="test_control_characters_are_refused_inside_a_name",
    ),
    Patch(
        "R1",
        "names may come twice",
        MIGRATION,
        "                        max_length=100,\n                        unique=True,\n",
        "                        max_length=100,\n",
        by="test_a_name_is_unique_after_trimming"
        " test_a_name_in_use_is_a_conflict_and_changes_nothing"
        " test_of_50_parallel_creates_of_one_name_one_wins",
    ),
    Patch(
        "R1",
        "names do not tell upper from lower case",
        SERIALIZERS,
        STRIPPED,
        f"data.casefold().{STRIPPED.removeprefix('data.')}",
        by="test_names_differ_by_case_and_by_code_points",
    ),
    Patch(
        "R2",
        "no Link",
        REST,
        """            response["Link"] = f'<{following}>; rel="next"'\n""",
        "            pass\n",
        by="test_link_and_cursor_lead_to_the_same_next_page",
    ),
    Patch(
        "R2",
        "the last page leads on",
        REST,
        "cursor_after(found[-1].pk) if more else None",
        "cursor_after(found[-1].pk) if found else None",
        by="test_only_a_page_with_more_behind_it_has_a_link_and_a_cursor",
    ),
    Patch(
        "R2",
        "an item comes twice",
        REST,
        "pk__gt=page.after",
        "pk__gte=page.after",
        by="test_a_walk_sees_every_acknowledged_item_once_while_others_are_added",
    ),
    Patch(
        "R2",
        "newest first",
        REST,
        'order_by("pk")',
        'order_by("-pk")',
        by="test_the_newest_comes_last test_a_page_has_items_and_a_cursor",
    ),
    Patch(
        "R2",
        "last changed last",
        REST,
        'order_by("pk")',
        'order_by("updated_at")',
        by="test_a_replaced_item_keeps_its_place",
    ),
    Patch(
        "R2",
        "REST framework chooses by Accept",
        ADMIN_SETTINGS,
        '    "DEFAULT_CONTENT_NEGOTIATION_CLASS": f"{__package__}.runtime.rest.JSONOnly",\n',
        "",
        by="test_accept_is_not_looked_at",
    ),
    Patch(
        "R3",
        "the tag stays the same",
        MODELS,
        "secrets.token_hex(8)",
        '"0123456789abcdef"',
        by="test_put_replaces_and_renews_the_tag test_put_of_the_same_content_is_a_new_revision"
        " test_an_old_tag_no_longer_matches",
    ),
    Patch(
        "R3",
        "a duplicate is an internal error",
        VIEW,
        'raise Duplicate("Another item has this name.") from error',
        "raise",
        by="test_a_name_in_use_is_a_conflict_and_changes_nothing",
    ),
    Patch(
        "R3",
        "a missing quantity keeps the old one",
        SERIALIZER,
        '{"quantity": {"default": 0}}',
        "{}",
        by="test_put_without_quantity_means_zero",
    ),
    Patch(
        "R3",
        "a part of an item is enough",
        VIEW,
        "            serializer.instance = self.find_expected(item_id)\n"
        "            item = serializer.save()\n",
        "            serializer = self.get_serializer(\n"
        "                self.find_expected(item_id), data=self.request.data, partial=True\n"
        "            )\n"
        "            serializer.is_valid(raise_exception=True)\n"
        "            item = serializer.save()\n",
        by="test_put_without_quantity_means_zero",
    ),
    Patch(
        "R3",
        "checked first, written later",
        VIEW,
        "item = self.find(item_id, lock=True)",
        "item = self.find(item_id)",
        by="test_of_50_parallel_puts_with_one_if_match_one_wins"
        " test_of_50_parallel_deletes_one_wins",
        database="postgresql",
    ),
    Patch(
        "R3",
        "the item and its condition come before the body",
        VIEW,
        "        serializer = self.valid_serializer()\n"
        "        with storing():\n"
        "            serializer.instance",
        "        with storing():\n"
        "            self.find_expected(item_id)\n"
        "        serializer = self.valid_serializer()\n"
        "        with storing():\n"
        "            serializer.instance",
        by="test_the_first_of_several_answers_wins test_a_bad_body_comes_before_a_precondition",
    ),
    Patch(
        "R3",
        "what is deleted stays",
        VIEW,
        "self.find_expected(item_id).delete()",
        "self.find_expected(item_id)",
        by="test_a_deleted_item_is_gone",
    ),
    Patch(
        "R4",
        "OPTIONS with 200",
        VIEWS,
        "return Response(status=204)",
        "return Response(status=200)",
        by="test_options_lists_what_is_allowed",
    ),
    Patch(
        "R4",
        "OPTIONS as REST framework answers it",
        VIEWS,
        "    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:\n",
        "    def no_options(self, request: Any, *args: Any, **kwargs: Any) -> Response:\n",
        by="test_options_lists_what_is_allowed",
    ),
    Patch(
        "R4",
        "405 with fewer methods than there are",
        VIEWS,
        "    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:\n",
        "    @property\n"
        "    def allowed_methods(self) -> list[str]:\n"
        '        return ["GET"]\n\n'
        "    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:\n",
        by="test_any_other_method_is_refused_with_what_is_allowed",
    ),
    Patch(
        "R4",
        "a slash at the end is forgiven",
        URLS,
        '    path("livez", health.Liveness.as_view()),\n',
        '    path("livez", health.Liveness.as_view()),\n'
        '    path("livez/", health.Liveness.as_view()),\n',
        by="test_nothing_but_the_exact_path_is_found",
    ),
    Patch(
        "R5",
        "a status that is not declared",
        VIEW,
        "self.answer(item, serializer.data, 201, Location=location)",
        "self.answer(item, serializer.data, 202, Location=location)",
        by="test_schemathesis_finds_nothing",
    ),
    Patch(
        "E1",
        "HTML on 404",
        URLS,
        "handler404 = rest.answer_not_found\n",
        "",
        by="test_an_unknown_path_is_a_problem",
    ),
    Patch(
        "E1",
        "what REST framework refuses is no problem",
        ADMIN_SETTINGS,
        '    "EXCEPTION_HANDLER": f"{__package__}.runtime.rest.answer_error",\n',
        "",
        by="test_each_status_is_a_problem_with_its_own_title",
    ),
    Patch(
        "E3",
        "the standard library reads JSON",
        REST,
        READ,
        'return __import__("json").loads(stream.read())',
        by="test_a_hundred_thousand_levels_are_a_bad_request"
        " test_no_depth_in_between_is_too_much test_a_lone_surrogate_is_a_bad_request"
        " test_json_that_is_not_utf8_is_a_bad_request",
    ),
    Patch(
        "E3",
        "of duplicate keys the first counts",
        REST,
        READ,
        'return __import__("json").loads(\n'
        "                stream.read(), object_pairs_hook=lambda pairs: dict(reversed(pairs))\n"
        "            )",
        by="test_of_duplicate_keys_the_last_counts",
    ),
    Patch(
        "E3",
        "sixteen bits are enough for a character",
        MODELS,
        r"\x7f-\x9f]",
        r"\x7f-\x9f\U00010000-\U0010ffff]",
        by="test_a_pair_of_surrogates_is_a_character test_text_comes_back_byte_for_byte",
    ),
    Patch(
        "E4",
        "every error of the database is an outage",
        DATABASE,
        "if deadlines.out_of_reach(error.__cause__):",
        "if True:",
        by="test_a_table_that_is_gone_is_an_internal_error"
        " test_head_of_an_internal_error_shows_nothing_either",
    ),
    Patch(
        "E4",
        "Django answers for what nobody caught",
        ADMIN_SETTINGS,
        "DEBUG_PROPAGATE_EXCEPTIONS = True",
        "DEBUG_PROPAGATE_EXCEPTIONS = False",
        by="test_a_table_that_is_gone_is_an_internal_error",
    ),
    Patch(
        "E6",
        "debug pages are on",
        ADMIN_SETTINGS,
        "DEBUG = False",
        "DEBUG = True",
        by="test_there_is_no_debug_page",
    ),
]
