"""Patches of what services have whose resources SQLAlchemy stores and pydantic reads."""

from __future__ import annotations

from tests.mutations.patches.patch import (
    CONSTRAINTS,
    CONTENT,
    DATABASE,
    DEADLINES,
    HTTP,
    IDEMPOTENCY,
    MIGRATION,
    MIGRATIONS,
    MODEL,
    OWNERS,
    PROBE,
    RESOURCE,
    SEEDING,
    STATEMENTS,
    STORE,
    TABLES,
    Patch,
)

ROOMS = "rooms-and-bookings"
OBJECTS = "objects-and-pages"
READ = "return model.model_validate_json(body)"
AFTER = "            after = self._valid(before | patched).model_dump()\n"
PATCHED = "            return self._update(connection, row_id, after, None)\n"
DELETED = (
    "            statement = self._visible(_delete(self._table))\n"
    '            found = connection.execute(statement, {"row_id": row_id}).one_or_none()\n'
)

PATCHES = [
    Patch(
        "P11",
        "seed creates its rows again",
        SEEDING,
        "        if not self.ids(resource, 1):",
        "        if True:",
        by="test_seeding_names_the_database_and_twice_changes_nothing",
    ),
    Patch(
        "P11",
        "seed keeps rows before one that is not valid",
        SEEDING,
        "        with database.writing(seconds=_SECONDS):",
        "        if True:",
        by="test_rows_are_stored_together_or_not_at_all",
    ),
    Patch(
        "R8",
        "a request without a key is remembered by its content",
        STORE,
        "        first = idempotency_key and FirstRequest("
        "self.resource, idempotency_key, content)\n",
        "        key = idempotency_key or content.model_dump_json()\n"
        "        first = FirstRequest(self.resource, key, content)\n",
        by="test_without_a_key_each_request_is_its_own"
        " test_nothing_is_kept_of_a_request_without_a_key",
    ),
    Patch(
        "R8",
        "a request that was rejected is in progress for ever",
        IDEMPOTENCY,
        "        alone = self._lock(connection)\n",
        '        seen = _digest.__dict__.setdefault("seen", set())\n'
        "        alone = self._digest not in seen\n"
        "        seen.add(self._digest)\n",
        by="test_a_request_that_was_refused_may_be_repaired",
    ),
    Patch(
        "R8",
        "a repeat gets the row as it is now",
        IDEMPOTENCY,
        "            return _decoded(self._table, found.row)\n",
        "            table = self._table.__table__\n"
        "            row = _decoded(self._table, found.row)\n"
        "            return connection.execute(select(table).where(table.c.id == row.id)).one()\n",
        by="test_the_first_response_is_what_it_was_whatever_became_of_the_item",
    ),
    Patch(
        "R8",
        "a key has letters and digits",
        HTTP,
        r'_KEY = re.compile(r"[\x21-\x7e]{1,255}")',
        r'_KEY = re.compile(r"[\w-]{1,255}")',
        by="test_a_key_may_have_any_visible_character",
    ),
    Patch(
        "R8",
        "nothing is locked",
        IDEMPOTENCY,
        '        return bool(connection.scalar(_LOCK, {"number": number}))\n',
        "        return number is not None\n",
        by="test_fifty_repeats_at_once_create_one_item",
        database="postgresql",
    ),
    Patch(
        "R8",
        "the key is stored, but not with the row",
        STORE,
        "                first.keep(connection, row)\n",
        "                from threading import Timer\n\n"
        "                def later() -> None:\n"
        "                    with self.database.writing() as connection:\n"
        "                        first.keep(connection, row)\n\n"
        "                Timer(0.3, later).start()\n",
        by="test_a_repeat_gets_the_first_response",
    ),
    Patch(
        "R8",
        "the key is stored by itself",
        STORE,
        "                    first.keep(connection, row)\n",
        "                    def after() -> None:\n"
        "                        with self.database.writing() as later:\n"
        "                            first.keep(later, row)\n\n"
        "                    from .database import _transactions\n\n"
        "                    _transactions.get()[-1].on_commit.append(after)\n",
        by="test_after_a_503_that_was_stored_all_the_same_a_repeat_is_the_first_response"
        " test_killed_between_commit_and_response_a_repeat_is_the_first_response",
        database="postgresql",
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
        "a key means the same for ever",
        IDEMPOTENCY,
        "        if found is not None and found.created_at > datetime.now(UTC) - LIFETIME:\n",
        "        if found is not None:\n",
        by="test_old_keys_mean_nothing_and_go_away",
    ),
    Patch(
        "R8",
        "old keys stay",
        IDEMPOTENCY,
        '        connection.execute(_DELETE_OLD, {"before": now - LIFETIME})\n',
        "",
        by="test_old_keys_mean_nothing_and_go_away",
    ),
    Patch(
        "R8",
        "a repeat never has the same content",
        IDEMPOTENCY,
        "_digest(content.model_dump_json(exclude_unset=True))",
        "_digest(content.model_dump_json(exclude_unset=True) + str(datetime.now(UTC)))",
        by="test_the_same_content_in_other_bytes_is_the_same_body",
    ),
    Patch(
        "R8",
        "any header is a key",
        HTTP,
        "    if header is not None and not _KEY.fullmatch(header):\n",
        "    if False:\n",
        by="test_a_key_is_1_to_255_visible_ascii_characters",
    ),
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
        "a release that was rolled back migrates a newer schema",
        "{package}/runtime/migrations.py",
        "if handed_over and (newer",
        "if not handed_over and (newer",
        by="test_a_release_that_was_rolled_back_leaves_the_newer_schema_alone",
    ),
    Patch(
        "P3",
        "each migration begins at the first one",
        DATABASE,
        '        patiently(lambda: command.upgrade(config, "head"))\n',
        '        command.stamp(config, "base")\n'
        '        patiently(lambda: command.upgrade(config, "head"))\n',
        by="test_migrating_twice_changes_nothing",
    ),
    Patch(
        "P3",
        "each migration makes everything anew",
        DATABASE,
        '        patiently(lambda: command.upgrade(config, "head"))\n',
        '        command.downgrade(config, "base")\n'
        '        patiently(lambda: command.upgrade(config, "head"))\n',
        by="test_migrating_keeps_what_is_stored",
    ),
    Patch(
        "P8",
        "acknowledged before it is stored",
        STORE,
        "        with self._explaining(values):\n"
        "            if not first and type(self).changed is Store.changed:\n"
        "                return self._row(self.database.insert(_insert(self._table), values))\n",
        "        from collections import namedtuple\n"
        "        from threading import Timer\n\n"
        "        def later() -> None:\n"
        "            with self.database.writing() as connection:\n"
        "                connection.execute(_insert(self._table), values)\n\n"
        "        Timer(0.2, later).start()\n"
        '        row = namedtuple("Row", self._table.columns.keys())\n'
        "        return self._row(row(*(values.get(name, 0) for name in row._fields)))\n"
        "        with self._explaining(values):\n",
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
        '        revisions = "SELECT',
        "        try:\n            with self.writing():\n                pass\n"
        '        except Unavailable:\n            return {"database": False}\n'
        '        revisions = "SELECT',
        by="test_readiness_does_not_need_the_items_to_be_quick",
    ),
    Patch(
        "R1",
        "one, unless quantity is given",
        MODEL,
        "] = 0\n",
        "] = 1\n",
        by="test_quantity_is_zero_unless_given",
    ),
    Patch(
        "R1",
        "there is no none",
        MODEL,
        "ge=0,",
        "ge=1,",
        by="test_quantity_may_be_zero_to_a_million",
    ),
    Patch(
        "R1",
        "more than a million",
        MODEL,
        "le=1_000_000",
        "le=10**30",
        by="test_quantity_is_refused_unless_it_is_an_integer_in_range"
        " test_a_shorter_integer_is_merely_out_of_range",
    ),
    Patch(
        "R1",
        "types are converted",
        CONTENT,
        "strict=True, extra",
        "strict=False, extra",
        by="test_quantity_is_refused_unless_it_is_an_integer_in_range",
    ),
    Patch(
        "R1",
        "unknown fields are let through",
        CONTENT,
        '"forbid"',
        '"ignore"',
        by="test_unknown_and_read_only_fields_are_refused",
    ),
    Patch(
        "R1",
        "a name need not be given",
        MODEL,
        "    name: Annotated[str, Line(1, 100)]\n",
        '    name: Annotated[str, Line(1, 100)] = "nameless"\n',
        by="test_a_name_must_be_given",
    ),
    Patch(
        "R1",
        "names may come twice",
        MIGRATION,
        '        sa.UniqueConstraint("name", name=op.f("uq_items_name")),\n',
        "",
        by="test_a_name_is_unique_after_trimming"
        " test_a_name_in_use_is_a_conflict_and_changes_nothing"
        " test_of_50_parallel_creates_of_one_name_one_wins",
    ),
    Patch(
        "R2",
        "twenty items unless it is told",
        RESOURCE,
        'values.pop("limit", str(self.page_size))',
        'values.pop("limit", "20")',
        by="test_a_page_has_50_items_unless_it_is_told",
    ),
    Patch(
        "R2",
        "no resource has pages of its own size",
        RESOURCE,
        'values.pop("limit", str(self.page_size)), self.max_page_size',
        'values.pop("limit", "50")',
        by=OWNERS,
        case=OBJECTS,
    ),
    Patch(
        "R6",
        "an object in a merge patch replaces the one that was there",
        CONTENT,
        "            found[name] = merged(found.get(name), change)\n",
        "            found[name] = change\n",
        by=OWNERS,
        case=OBJECTS,
    ),
    Patch(
        "R6",
        "null is a member like any other",
        CONTENT,
        "        if change is None:\n            found.pop(name, None)",
        "        if change is None:\n            found[name] = None",
        by=OWNERS,
        case=OBJECTS,
    ),
    Patch(
        "O10",
        "a row that the ORM changes keeps its revision",
        TABLES,
        "default=new_revision, onupdate=new_revision",
        "default=new_revision",
        by="test_a_table_that_joins_two_has_a_store_and_changes_the_revision_of_a_row",
    ),
    Patch(
        "O10",
        "a row whose columns are changed keeps its revision",
        STORE,
        "return self._update(connection, row_id, columns, revisions)",
        "return self._locked(connection, row_id, revisions)",
        by="test_a_table_that_joins_two_has_a_store_and_changes_the_revision_of_a_row",
    ),
    Patch(
        "E3",
        "a number is stored that no JSON can show",
        DATABASE,
        "json.dumps(value, allow_nan=False)",
        "json.dumps(value)",
        by=OWNERS,
        case=OBJECTS,
    ),
    Patch(
        "R2",
        "any digits are a cursor",
        RESOURCE,
        "if not re.fullmatch(CURSOR, cursor):",
        'if not re.fullmatch(r"[0-9a-f.]+", cursor):',
        by="test_a_bad_cursor_is_refused_by_its_name",
    ),
    Patch(
        "R2",
        "the last page leads on",
        RESOURCE,
        "if len(rows) <= request.limit:",
        "if not rows:",
        by="test_only_a_page_with_more_behind_it_has_a_link_and_a_cursor",
    ),
    Patch(
        "R2",
        "an item comes twice",
        STORE,
        "query.where(position > after)",
        "query.where(position >= after)",
        by="test_a_walk_sees_every_acknowledged_item_once_while_others_are_added",
    ),
    Patch(
        "R2",
        "newest first",
        STORE,
        ".order_by(position)",
        ".order_by(position.desc())",
        by="test_the_newest_comes_last test_a_page_has_items_and_a_cursor",
    ),
    Patch(
        "R2",
        "last changed last",
        STORE,
        ".order_by(position)",
        ".order_by(table.c.updated_at)",
        by="test_a_replaced_item_keeps_its_place",
    ),
    Patch(
        "R2",
        "a cursor needs its item",
        STORE,
        "            found = [*rows(*self._selected(request))]\n",
        "            here = self._table.c.position == (request.after or (0,))[0]\n"
        "            if request.after and not rows(select(self._table).where(here), {}):\n"
        "                raise NotFound\n"
        "            found = [*rows(*self._selected(request))]\n",
        by="test_a_walk_goes_on_after_the_item_at_its_cursor_is_deleted",
    ),
    Patch(
        "R3",
        "values are as the driver reads them",
        STATEMENTS,
        "values[index] = process(values[index])",
        "values[index] = values[index]",
        by="test_rows_of_the_driver_are_equal_to_those_of_sqlalchemy",
    ),
    Patch(
        "R1",
        "values that Python computes for columns are left out",
        DATABASE,
        "if compiled.is_whole:",
        "if True:",
        by="test_rows_of_the_driver_are_equal_to_those_of_sqlalchemy",
    ),
    Patch(
        "R3",
        "the driver is not told what a column holds",
        STATEMENTS,
        "type_.result_processor(self._dialect, column[1])",
        "type_.result_processor(self._dialect, None)",
        by="test_rows_of_the_driver_are_equal_to_those_of_sqlalchemy",
        database="postgresql",
    ),
    Patch(
        "R3",
        "who listens to statements does not hear of reads",
        DATABASE,
        "heard.before_cursor_execute",
        "False",
        by="test_rows_of_the_driver_are_equal_to_those_of_sqlalchemy",
    ),
    Patch(
        "R3",
        "the tag stays the same",
        TABLES,
        "secrets.token_hex(8)",
        '"0123456789abcdef"',
        by="test_put_replaces_and_renews_the_tag test_put_of_the_same_content_is_a_new_revision"
        " test_an_old_tag_no_longer_matches",
    ),
    Patch(
        "R3",
        "a duplicate is an internal error",
        STORE,
        "raise explained(error, write, self.database) from error",
        "raise",
        by="test_a_name_in_use_is_a_conflict_and_changes_nothing",
    ),
    Patch(
        "R3",
        "a missing quantity keeps the old one",
        STORE,
        "        values = content.model_dump()\n        with",
        "        values = content.model_dump(exclude_unset=True)\n        with",
        by="test_put_without_quantity_means_zero",
    ),
    Patch(
        "R3",
        "checked first, written later",
        STORE,
        "        with self._explaining(values, row_id), self.database.writing() as connection:\n"
        "            return self._update(connection, row_id, values, revisions)\n",
        "        if revisions is not None and self.get(row_id).revision not in revisions:\n"
        '            raise StaleRevision("It has changed.")\n'
        "        with self._explaining(values, row_id), self.database.writing() as connection:\n"
        "            return self._update(connection, row_id, values, None)\n",
        by="test_of_50_parallel_puts_with_one_if_match_one_wins",
    ),
    Patch(
        "R3",
        "a row is checked without a lock",
        STORE,
        ".with_for_update()",
        "",
        by="test_of_50_parallel_puts_with_one_if_match_one_wins"
        " test_one_of_many_patches_with_one_tag_is_applied"
        " test_patches_of_different_fields_are_all_kept",
        database="postgresql",
    ),
    Patch(
        "R3",
        "found first, deleted later",
        STORE,
        "        with self._explaining({}, row_id), self.database.writing() as connection:\n",
        "        found = self.get(row_id)\n"
        "        with self._explaining({}, row_id), self.database.writing() as connection:\n"
        '            connection.execute(_delete(self._table), {"row_id": row_id})\n'
        "            return found\n",
        by="test_of_50_parallel_deletes_one_wins",
    ),
    Patch(
        "R3",
        "the condition comes before the item",
        STORE,
        "        found = self._row(row or self._missing())\n",
        "        if row is None and revisions is not None:\n"
        '            raise StaleRevision("It is gone.")\n'
        "        found = self._row(row or self._missing())\n",
        by="test_not_found_comes_before_a_precondition",
    ),
    Patch(
        "R5",
        "the document does not know of other media types",
        RESOURCE,
        "problems=(409, 413, 415, 422),",
        "problems=(409, 413, 422),",
        by="test_the_document_has_every_operation_with_every_status",
    ),
    Patch(
        "R5",
        "the document does not declare where a new item is",
        RESOURCE,
        'headers=("ETag", "Location")',
        'headers=("ETag",)',
        by="test_the_declared_headers_are_there",
    ),
    Patch(
        "R5",
        "a page far behind is an internal error",
        RESOURCE,
        "        if request.order is None:\n            return int(position, 16), None\n",
        '        if position >= "4":\n            raise RuntimeError\n'
        "        if request.order is None:\n            return int(position, 16), None\n",
        by="test_schemathesis_finds_nothing_when_it_looks_longer",
    ),
    Patch(
        "R6",
        "a patch has to be complete",
        STORE,
        AFTER,
        AFTER.replace("before | patched", "patched"),
        by="test_what_is_left_out_stays",
    ),
    Patch(
        "R6",
        "a patch resets what it leaves out",
        STORE,
        AFTER,
        AFTER.replace("before |", '{"name": row.name} |'),
        by="test_a_patch_that_changes_nothing_is_fine",
    ),
    Patch(
        "R6",
        "a patch keeps the tag",
        STORE,
        PATCHED,
        "            self._update(connection, row_id, after, None)\n"
        "            changed = update(self._table).where(self._table.c.id == row_id)\n"
        "            changed = changed.values(revision=row.revision).returning(self._table)\n"
        "            return self._row(connection.execute(changed).one())\n",
        by="test_a_patch_renews_the_tag test_a_patch_with_a_stale_tag_is_not_applied",
    ),
    Patch(
        "R6",
        "patches are not strict",
        RESOURCE,
        'Patch", __base__=Content, ',
        'Patch", __base__=BaseModel, ',
        by="test_a_patch_that_is_not_valid_changes_nothing",
    ),
    Patch(
        "R6",
        "a patch to a name in use is an internal error",
        STORE,
        "        with self._explaining(changes, row_id), self.database.writing() as connection:\n",
        "        with self.database.writing() as connection:\n",
        by="test_a_name_that_is_taken_is_a_conflict",
    ),
    Patch(
        "R6",
        "If-Match is ignored with a patch",
        STORE,
        "            row = self._locked(connection, row_id, revisions)\n",
        "            row = self._locked(connection, row_id, None)\n",
        by="test_a_patch_with_a_stale_tag_is_not_applied"
        " test_one_of_many_patches_with_one_tag_is_applied",
    ),
    Patch(
        "R6",
        "what a patch leaves out is read before the transaction",
        STORE,
        "        with self._explaining(changes, row_id), self.database.writing() as connection:\n"
        "            row = self._locked(connection, row_id, revisions)\n",
        "        row = self.get(row_id)\n"
        "        with self._explaining(changes, row_id), self.database.writing() as connection:\n"
        "            self._locked(connection, row_id, revisions)\n",
        by="test_patches_of_different_fields_are_all_kept",
    ),
    Patch(
        "R7",
        "a list is not filtered",
        STORE,
        "    for name in sorted(filters):\n",
        "    for name in list[str]():\n",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "the link to the next page has lost the filter",
        RESOURCE,
        '{"limit": self.request.limit, **self.request.query, "cursor": self.cursor}',
        '{"limit": self.request.limit, "cursor": self.cursor}',
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "the cursor of another filter is accepted",
        RESOURCE,
        "if rest[:1] != wanted or (len(rest) == 2)",
        "if len(rest[:1]) != len(wanted) or (len(rest) == 2)",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "the value of a filter is converted",
        RESOURCE,
        "validate_json(text if plain else json.dumps(text), strict=True)",
        "validate_json(text if plain else json.dumps(text), strict=False)",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "a page ends between two rows with the same value",
        STORE,
        "        here = tuple_(column, position)\n"
        '        there = tuple_(bindparam("after_value", type_=column.type), after)\n',
        '        here, there = column, bindparam("after_value", type_=column.type)\n',
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "of two rows with the same value the newer one comes first",
        STORE,
        "    return query.order_by(column, position)\n",
        "    return query.order_by(column, position.desc())\n",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "rows with the same value have no order",
        STORE,
        "    return query.order_by(column, position)\n",
        "    return query.order_by(column, table.c.id)\n",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "a descending list ascends",
        STORE,
        "query.order_by(column.desc(), position.desc())",
        "query.order_by(column, position)",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R7",
        "a list can be sorted by any of its columns",
        RESOURCE,
        "if text not in self.sort_values:",
        'if text.removeprefix("-") not in self.table.__table__.columns:',
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R9",
        "a reference to nothing is an internal error",
        CONSTRAINTS,
        "        return UnknownReference(name for columns in found.missing for name in columns)\n",
        "        return error\n",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R9",
        "references are not enforced",
        DATABASE,
        '("synchronous = FULL", "foreign_keys = ON")',
        '("synchronous = FULL",)',
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R9",
        "a row that is deleted takes with it those that refer to it",
        STORE,
        DELETED,
        "            for other in self._table.metadata.tables.values():\n"
        "                for key in other.foreign_keys:\n"
        "                    if key.column.table is self._table:\n"
        "                        connection.execute(delete(other).where(key.parent == row_id))\n"
        + DELETED,
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "R9",
        "the document does not know that deleting can conflict",
        RESOURCE,
        '            conflicts="references",\n',
        "",
        by=OWNERS,
        case=ROOMS,
    ),
    Patch(
        "E2",
        "who names no type means JSON",
        HTTP,
        '_MEDIA_TYPE.fullmatch(content_type or "")',
        '_MEDIA_TYPE.fullmatch(content_type or "application/json")',
        by="test_a_body_without_a_media_type_is_unsupported",
    ),
    Patch(
        "E3",
        "the standard library reads JSON",
        HTTP,
        READ,
        "return model.model_validate(json.loads(body))",
        by="test_no_depth_in_between_is_too_much test_a_lone_surrogate_is_a_bad_request"
        " test_json_that_is_not_utf8_is_a_bad_request"
        " test_broken_utf8_is_a_bad_request test_malformed_json_is_a_bad_request"
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
        "an unknown parameter is ignored",
        RESOURCE,
        "        for name in values:\n"
        "            if name not in self.parameters:\n"
        '                raise invalid(name[:100], "There is no such parameter.")\n',
        "        values = {name: values[name] for name in values if name in self.parameters}\n",
        by="test_an_unknown_parameter_is_rejected_by_name",
    ),
    Patch(
        "E4",
        "every error of the database is an outage",
        DATABASE,
        "if deadlines.is_unavailable(error.orig):",
        "if True:",
        by="test_a_table_that_is_gone_is_an_internal_error"
        " test_head_of_an_internal_error_shows_nothing_either",
    ),
    Patch(
        "E7",
        "a refusal counts as trouble with the database",
        DEADLINES,
        "            answered = not isinstance(error, Unavailable)\n",
        "            self._has_failed = True\n",
        by="test_refusals_are_no_sign_of_trouble_with_the_database",
        database="postgresql",
    ),
    Patch(
        "O5",
        "constraints have no names",
        TABLES,
        "MetaData(naming_convention=_NAMES)",
        "MetaData()",
        by="test_alembic_writes_a_migration_that_goes_down_and_up_again",
    ),
    Patch(
        "O5",
        "a written migration alters tables, which SQLite cannot",
        MIGRATIONS,
        "render_as_batch=True",
        "render_as_batch=False",
        by="test_alembic_writes_a_migration_that_goes_down_and_up_again",
    ),
    Patch(
        "O5",
        "a written migration needs the service's own types",
        MIGRATIONS,
        'if kind == "type" and isinstance(item, TypeDecorator)',
        'if kind == "other" and isinstance(item, TypeDecorator)',
        by="test_alembic_writes_a_migration_that_goes_down_and_up_again",
    ),
    Patch(
        "O5",
        "a written migration has no check constraints",
        MIGRATIONS,
        "    if existing is None or wanted is None:\n        return\n",
        "    return\n",
        by="test_alembic_compares_the_values_of_an_enum_and_other_checks",
    ),
    Patch(
        "O5",
        "a rebuilt table of SQLite loses its indexes of expressions",
        MIGRATIONS,
        "for sql in self._unread.pop(str(new_table_name), ()):",
        "for sql in ():",
        by="test_alembic_compares_the_values_of_an_enum_and_other_checks",
    ),
    Patch(
        "R5",
        "a conflict of several columns is not in the document",
        RESOURCE,
        "        unique = unique_constraints(table)\n"
        "        return any("
        "not self.content.model_fields.keys().isdisjoint(names) for names, _ in unique)",
        "        return bool(self.unique_columns)",
        by=OWNERS,
        case="constraints-and-a-view",
    ),
    Patch(
        "O1",
        "computed fields are described and not sent",
        RESOURCE,
        "return shown | self._compute(values) if self._computed else shown",
        "return shown",
        by=OWNERS,
        case="constraints-and-a-view",
    ),
    Patch(
        "O3",
        "a violated check is an error of the service",
        CONSTRAINTS,
        "        if isinstance(one, CheckConstraint):\n",
        "        if isinstance(one, CheckConstraint) and not one.name:\n",
        by=OWNERS,
        case="rules-a-search-and-hidden-rows",
    ),
    Patch(
        "O3",
        "a violated check is told in the words of the database",
        CONSTRAINTS,
        'one.info.get("detail")',
        'one.info.get("")',
        by=OWNERS,
        case="rules-a-search-and-hidden-rows",
    ),
    Patch(
        "O3",
        "the owner's parameters are not validated",
        RESOURCE,
        "return self.search.model_validate_strings(own)",
        "return self.search.model_construct(**own)",
        by=OWNERS,
        case="rules-a-search-and-hidden-rows",
    ),
    *(
        Patch(
            "O3",
            f"a hidden row can be {what}",
            STORE,
            f"self._visible({statement}(self._table))",
            f"{statement}(self._table)",
            by=OWNERS,
            case="rules-a-search-and-hidden-rows",
        )
        for what, statement in (("read", "_by_id"), ("replaced", "_update"), ("patched", "_lock"))
    ),
    Patch(
        "O3",
        "a hidden row is listed",
        STORE,
        "return self._visible(query), values",
        "return query, values",
        by=OWNERS,
        case="rules-a-search-and-hidden-rows",
    ),
    Patch(
        "O3",
        "a conflict of an expression names its index",
        CONSTRAINTS,
        "(?:index '(?P<index>.+)'|(?P<columns>.+))",
        "(?P<columns>.+)(?P<index>x)?",
        by=OWNERS,
        case="constraints-and-a-view",
    ),
    Patch(
        "O5",
        "Alembic does not see the tables",
        MIGRATIONS,
        "    import_tables()\n    #",
        "    #",
        by="test_nothing_is_to_migrate_in_an_untouched_service",
    ),
    Patch(
        "O5",
        "the first migration and the model differ",
        MIGRATION,
        'sa.Column("quantity", sa.Integer(), nullable=False)',
        'sa.Column("quantity", sa.Integer(), nullable=True)',
        by="test_nothing_is_to_migrate_in_an_untouched_service",
    ),
    Patch(
        "O10",
        "reading inside of a transaction has a connection of its own",
        DATABASE,
        "        if outer is not None:\n            yield outer.connection\n            return\n"
        "        with self._guard(self._readers",
        "        with self._guard(self._readers",
        by=OWNERS,
        case="a-transaction",
    ),
    Patch(
        "O10",
        "half of a transaction is committed",
        DATABASE,
        'connection.exec_driver_sql("ROLLBACK")',
        'connection.exec_driver_sql("COMMIT")',
        by=OWNERS,
        case="a-transaction",
    ),
]
