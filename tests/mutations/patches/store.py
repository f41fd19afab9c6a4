"""Patches of what services have whose items SQLAlchemy keeps and pydantic reads."""

from __future__ import annotations

from tests.mutations.patches.patch import (
    DATABASE,
    HTTP,
    MIGRATION,
    STORE,
    Patch,
)

READ = "return model.model_validate_json(body)"
STRIPPED = "name = name.strip(ASCII_WHITE_SPACE)"

PATCHES = [
    Patch(
        "P3",
        "the way down does nothing",
        MIGRATION,
        'op.drop_table("items")',
        "pass",
        by="test_the_way_down_and_up_again_gives_the_same_schema",
    ),
    Patch(
        "P3",
        "two migrations get in each other's way",
        DATABASE,
        "SELECT pg_advisory_xact_lock(:k)",
        "SELECT :k",
        by="test_migrating_at_once_is_safe",
        database="postgresql",
    ),
    Patch(
        "P3",
        "each migration begins at the first one",
        DATABASE,
        '        command.upgrade(config, "head")\n',
        '        command.stamp(config, "base")\n        command.upgrade(config, "head")\n',
        by="test_migrating_twice_changes_nothing",
    ),
    Patch(
        "P3",
        "each migration makes everything anew",
        DATABASE,
        '        command.upgrade(config, "head")\n',
        '        command.downgrade(config, "base")\n        command.upgrade(config, "head")\n',
        by="test_migrating_keeps_what_is_stored",
    ),
    Patch(
        "P8",
        "acknowledged before it is stored",
        STORE,
        "        with _unique_names(), self._database.writing() as connection:\n"
        "            return _item(connection.execute(_new, values).one())\n",
        "        import threading\n\n"
        "        def later() -> None:\n"
        "            with self._database.writing() as connection:\n"
        "                connection.execute(insert(items).values(values))\n\n"
        "        threading.Timer(0.2, later).start()\n"
        '        revision = str(values["revision"])\n'
        '        identifier = values["id"]\n'
        "        name, quantity = content.name, content.quantity\n"
        "        return Item(0, identifier, name, quantity, revision, now, now)\n",
        by="test_a_write_is_seen_at_once_by_another_process"
        " test_what_was_acknowledged_outlives_a_kill",
    ),
    Patch(
        "H1",
        "ready without a schema",
        DATABASE,
        'return {"database": True} if migrated else {"database": True, "schema": False}',
        'return {"database": True, "schema": True}',
        by="test_an_empty_database_is_not_ready_until_it_is_migrated",
        database="postgresql",
    ),
    Patch(
        "H1",
        "readiness waits for whoever writes",
        DATABASE,
        "            with self.reading(READINESS_SECONDS) as connection:\n",
        "            with self.writing() as connection:\n",
        by="test_readiness_does_not_need_the_items_to_be_quick",
    ),
    Patch(
        "R1",
        "one, unless quantity is given",
        STORE,
        "] = 0\n",
        "] = 1\n",
        by="test_quantity_is_zero_unless_given",
    ),
    Patch(
        "R1",
        "there is no none",
        STORE,
        "ge=0,",
        "ge=1,",
        by="test_quantity_may_be_zero_to_a_million",
    ),
    Patch(
        "R1",
        "more than a million",
        STORE,
        "le=1_000_000",
        "le=10**30",
        by="test_quantity_is_refused_unless_it_is_an_integer_in_range"
        " test_a_shorter_integer_is_merely_out_of_range",
    ),
    Patch(
        "R1",
        "types are converted",
        STORE,
        "strict=True",
        "strict=False",
        by="test_quantity_is_refused_unless_it_is_an_integer_in_range",
    ),
    Patch(
        "R1",
        "unknown fields are let through",
        STORE,
        '"forbid"',
        '"ignore"',
        by="test_unknown_and_read_only_fields_are_refused",
    ),
    Patch(
        "R1",
        "a name may be empty",
        STORE,
        "if not 1 <= len(name)",
        "if not 0 <= len(name)",
        by="test_a_name_is_a_string_with_something_in_it",
    ),
    Patch(
        "R1",
        "101 characters",
        STORE,
        "len(name) <= 100",
        "len(name) <= 101",
        by="test_a_name_has_at_most_100_code_points",
    ),
    Patch(
        "R1",
        "length counts before trimming",
        STORE,
        f"    {STRIPPED}\n    if not 1 <= len(name) <= 100:\n",
        f"    sent, {STRIPPED.replace('=', '= name,', 1)}\n    if not 1 <= len(sent) <= 100:\n",
        by="test_length_counts_after_trimming",
    ),
    Patch(
        "R1",
        "spaces alone are trimmed",
        STORE,
        STRIPPED,
        'name = name.strip(" ")',
        by="test_ascii_white_space_is_trimmed_and_only_there",
    ),
    Patch(
        "R1",
        "all white space is trimmed",
        STORE,
        "strip(ASCII_WHITE_SPACE)",
        "strip()",
        by="test_other_white_space_is_part_of_a_name test_control_characters_are_not_trimmed_away",
    ),
    Patch(
        "R1",
        "DEL is let through",
        STORE,
        "127 <= ord",
        "128 <= ord",
        by="test_control_characters_are_refused_inside_a_name",
    ),
    Patch(
        "R1",
        "names may come twice",
        MIGRATION,
        'sa.Column("name", sa.String(100), nullable=False, unique=True)',
        'sa.Column("name", sa.String(100), nullable=False)',
        by="test_a_name_is_unique_after_trimming"
        " test_a_name_in_use_is_a_conflict_and_changes_nothing"
        " test_of_50_parallel_creates_of_one_name_one_wins",
    ),
    Patch(
        "R1",
        "names do not tell upper from lower case",
        STORE,
        STRIPPED,
        f"{STRIPPED}.casefold()",
        by="test_names_differ_by_case_and_by_code_points",
    ),
    Patch(
        "R1",
        "a refused name is taken",
        STORE,
        f"    {STRIPPED}\n",
        f"    {STRIPPED}\n"
        '    taken = _trimmed.__dict__.setdefault("taken", set())\n'
        "    if name in taken:\n"
        '        raise ValueError("is taken")\n'
        "    taken.add(name)\n",
        by="test_a_refused_item_is_not_stored",
    ),
    Patch(
        "R2",
        "the last page leads on",
        STORE,
        "len(rows) > limit",
        "rows",
        by="test_only_a_page_with_more_behind_it_has_a_link_and_a_cursor",
    ),
    Patch(
        "R2",
        "an item comes twice",
        STORE,
        "items.c.position > bindparam",
        "items.c.position >= bindparam",
        by="test_a_walk_sees_every_acknowledged_item_once_while_others_are_added",
    ),
    Patch(
        "R2",
        "newest first",
        STORE,
        ".order_by(items.c.position)",
        ".order_by(items.c.position.desc())",
        by="test_the_newest_comes_last test_a_page_has_items_and_a_cursor",
    ),
    Patch(
        "R2",
        "last changed last",
        STORE,
        ".order_by(items.c.position)",
        ".order_by(items.c.updated_at)",
        by="test_a_replaced_item_keeps_its_place",
    ),
    Patch(
        "R2",
        "a cursor needs its item",
        STORE,
        "            rows = connection.execute(_some.limit(limit + 1), ",
        "            here = select(items.c.id).where(items.c.position == after)\n"
        "            if after and connection.execute(here).first() is None:\n"
        "                raise NotFound\n"
        "            rows = connection.execute(_some.limit(limit + 1), ",
        by="test_a_walk_goes_on_after_the_item_at_its_cursor_is_deleted",
    ),
    Patch(
        "R3",
        "the tag stays the same",
        STORE,
        "secrets.token_hex(8)",
        '"0123456789abcdef"',
        by="test_put_replaces_and_renews_the_tag test_put_of_the_same_content_is_a_new_revision"
        " test_an_old_tag_no_longer_matches",
    ),
    Patch(
        "R3",
        "a duplicate is an internal error",
        STORE,
        'raise Duplicate("Another item has this name.") from error',
        "raise",
        by="test_a_name_in_use_is_a_conflict_and_changes_nothing",
    ),
    Patch(
        "R3",
        "a missing quantity keeps the old one",
        STORE,
        "{**content.model_dump(), ",
        "{**content.model_dump(exclude_unset=True), ",
        by="test_put_without_quantity_means_zero",
    ),
    Patch(
        "R3",
        "checked first, written later",
        STORE,
        "        query = update(items).where(*_this(item_id, revisions))\n",
        "        if revisions is not None and self.get(item_id).revision not in revisions:\n"
        '            raise Outdated("It was changed.")\n'
        "        query = update(items).where(*_this(item_id, None))\n",
        by="test_of_50_parallel_puts_with_one_if_match_one_wins",
    ),
    Patch(
        "R3",
        "found first, deleted later",
        STORE,
        "        query = delete(items).where(*_this(item_id, revisions))\n"
        "        with self._database.writing() as connection:\n"
        "            row = connection.execute(query.returning(items)).one_or_none()\n"
        "            return _item(row or _nothing(connection, item_id))\n",
        "        found = self.get(item_id)\n"
        "        with self._database.writing() as connection:\n"
        "            connection.execute(delete(items).where(*_this(item_id, revisions)))\n"
        "        return found\n",
        by="test_of_50_parallel_deletes_one_wins",
    ),
    Patch(
        "R3",
        "the condition comes before the item",
        STORE,
        "        raise NotFound\n    raise Outdated(",
        '        raise Outdated("It is gone.")\n    raise Outdated(',
        by="test_not_found_comes_before_a_precondition",
    ),
    Patch(
        "E2",
        "who names no type means JSON",
        HTTP,
        'if not _JSON_MEDIA_TYPE.fullmatch(content_type or ""):',
        "if content_type and not _JSON_MEDIA_TYPE.fullmatch(content_type):",
        by="test_a_body_without_a_media_type_is_unsupported",
    ),
    Patch(
        "E3",
        "the standard library reads JSON",
        HTTP,
        READ,
        "return model.model_validate(json.loads(body))",
        by="test_a_hundred_thousand_levels_are_a_bad_request"
        " test_json_that_is_not_utf8_is_a_bad_request"
        " test_broken_utf8_is_a_bad_request test_malformed_json_is_a_bad_request"
        " test_no_depth_in_between_is_too_much test_a_lone_surrogate_is_a_bad_request"
        " test_an_integer_of_5000_digits_is_a_bad_request"
        " test_a_number_of_a_million_digits_is_no_crash test_random_bytes_never_make_a_5xx"
        " test_broken_json_around_a_valid_item_never_makes_a_5xx",
    ),
    Patch(
        "E3",
        "of duplicate keys the first counts",
        HTTP,
        READ,
        "pairs = json.loads(body, object_pairs_hook=lambda pairs: dict(reversed(pairs)))\n"
        "        return model.model_validate(pairs)",
        by="test_of_duplicate_keys_the_last_counts",
    ),
    Patch(
        "E3",
        "NUL is let through",
        STORE,
        "ord(character) < 32",
        "0 < ord(character) < 32",
        by="test_a_nul_in_a_name_is_invalid",
    ),
    Patch(
        "E3",
        "sixteen bits are enough for a character",
        STORE,
        "127 <= ord(character) < 160",
        "127 <= ord(character) < 160 or ord(character) > 0xFFFF",
        by="test_a_pair_of_surrogates_is_a_character test_text_comes_back_byte_for_byte",
    ),
    Patch(
        "E3",
        "names are normalised",
        STORE,
        STRIPPED,
        'name = __import__("unicodedata").normalize("NFC", name.strip(ASCII_WHITE_SPACE))',
        by="test_text_comes_back_byte_for_byte test_names_differ_by_case_and_by_code_points",
    ),
    Patch(
        "E4",
        "every error of the database is an outage",
        DATABASE,
        "if deadlines.out_of_reach(error.orig):",
        "if True:",
        by="test_a_table_that_is_gone_is_an_internal_error"
        " test_head_of_an_internal_error_shows_nothing_either",
    ),
]
