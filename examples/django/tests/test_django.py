"""What is Django's own below the API: settings, migrations, connections, serializers."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
import samples
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from rest_framework import exceptions, serializers

from stock_keeper.runtime import errors, telemetry
from stock_keeper.runtime.database import Database, bounded
from stock_keeper.runtime.serializers import (
    RecordsField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictLineField,
    merged_objects,
    sent_objects,
)
from stock_keeper.runtime.settings import SettingsError, load_settings
from stock_keeper.runtime.wsgi import CONTEXT
from stock_keeper.settings import Settings

ClientOf = Callable[[Settings], AbstractContextManager[httpx.Client]]


def test_the_settings_are_fit_for_production(database: Database) -> None:
    call_command("check", deploy=True, fail_level="WARNING")


def test_every_change_of_a_model_has_its_migration(database: Database) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.parametrize("key", ["", "short"])
def test_postgresql_asks_for_a_secret_key(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/name")
    monkeypatch.setenv("SECRET_KEY", key)
    with pytest.raises(SettingsError, match=r"^SECRET_KEY: [^;]+$"):
        load_settings()


def test_sqlite_has_a_new_secret_key_at_each_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///test.db")
    one, other = load_settings(), load_settings()
    assert len(one.secret_key) >= 50
    assert one.secret_key != other.secret_key
    assert one.secret_key not in repr(one)


def run(settings: Settings, *command: str) -> "subprocess.Popen[bytes]":
    environ = os.environ | {"DATABASE_URL": settings.database_url}
    return subprocess.Popen([sys.executable, *command], env=environ)


def test_two_migrations_at_once_are_one(settings: Settings, client_of: ClientOf) -> None:
    running = [run(settings, "-m", "stock_keeper", "migrate") for _ in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    with client_of(settings) as client:
        assert client.get("/readyz").status_code == 200


def test_a_migration_that_is_taken_back_makes_it_unready(
    settings: Settings, database: Database, client_of: ClientOf
) -> None:
    call_command("migrate", "products", "zero", verbosity=0)
    with client_of(settings) as client:
        assert client.get("/readyz").json()["checks"]["schema"] == {"status": "fail"}


def test_a_schema_newer_than_the_code_is_fine(client: httpx.Client) -> None:
    MigrationRecorder(connection).record_applied("products", "9999_of_the_next_release")
    assert client.get("/readyz").status_code == 200


def test_a_thread_keeps_no_connection_after_its_request(client: httpx.Client) -> None:
    client.get("/v1/products")
    assert connection.connection is None
    first = connection.cursor().connection
    connection.close()
    assert connection.cursor().connection is first


def test_a_connection_that_failed_is_not_used_again(client: httpx.Client) -> None:
    failed = connection.cursor().connection
    with pytest.raises(Exception, match="no_such_table"):
        connection.cursor().execute("SELECT * FROM no_such_table")
    connection.close()
    assert connection.cursor().connection is not failed


def test_a_write_waits_for_sqlites_lock_until_its_deadline(
    tmp_path: Path, migrated_file: Path, client_of: ClientOf
) -> None:
    path = tmp_path / "locked.db"
    path.write_bytes(migrated_file.read_bytes())
    settings = Settings(database_url=f"sqlite:///{path}")
    # Less than may be set, as nobody likes to wait for tests.
    settings = settings.model_copy(update={"database_timeout_seconds": 0.6})
    with client_of(settings) as client, closing(sqlite3.connect(path)) as other:
        content = samples.product_content(client)
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        assert client.post("/v1/products", json=content).status_code == 503
        assert 0.5 < time.monotonic() - started < 2
        assert client.get("/v1/products").status_code == 200


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (StrictCharField(), ["x", "\xa0x", " "], [5, True, None, ["x"], "", "a\x00"]),
        (StrictLineField(), ["x", "\xa0x"], [5, True, None, ["x"], " ", "a\x00"]),
        (StrictIntegerField(), [0, -5], ["7", 1.0, True, None]),
        (StrictBooleanField(), [True, False], ["true", 1, 0, None]),
    ],
)
def test_a_strict_field_converts_nothing(field: Any, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        taken = field.run_validation(value)
        assert (type(taken), taken) == (type(value), value)
    for value in bad:
        with pytest.raises(exceptions.ValidationError):
            field.run_validation(value)


def refusal(error: Exception) -> HttpResponse:
    """What a caller gets for an error in a view."""
    request = HttpRequest()
    request.META[CONTEXT] = telemetry.RequestContext("GET", "/path", "mine", "trace", 0.0)
    answer = errors.handle_exception(error, {"request": request})
    assert answer is not None
    assert answer["Content-Type"] == "application/problem+json"
    return answer


def test_what_is_changed_in_one_serializer_is_not_in_the_next(database: Database) -> None:
    serializer = import_string("stock_keeper.products.serializers.ProductSerializer")
    first = serializer().fields["sku"]
    required, number = first.required, len(first.validators)
    first.required = not required
    first.validators.append(print)
    second = serializer().fields["sku"]
    assert (second.required, len(second.validators)) == (required, number)


def test_many_references_are_sent_and_shown_as_ids(client: httpx.Client) -> None:
    serializer = import_string("stock_keeper.products.serializers.ProductSerializer")
    content = samples.product_content(client)
    known = client.post("/v1/products", json=content).json()["id"]
    field: Any = RecordsField(queryset=serializer.Meta.model.objects.all(), many=True)
    with bounded(5):
        rows = field.run_validation([known, known])
        assert field.to_representation(rows) == [known]
        with pytest.raises(exceptions.ValidationError) as caught:
            field.run_validation([known, 7, str(uuid4())])
        assert sorted(caught.value.detail) == [1, 2]
        with pytest.raises(exceptions.ValidationError):
            field.run_validation(known)


class Noted(serializers.Serializer[Any]):
    notes = serializers.JSONField()


def test_a_merge_patch_keeps_the_members_of_an_object_that_it_leaves_out() -> None:
    sent = {"notes": {"a": None, "b": {"c": 1}}}
    row: Any = SimpleNamespace(notes={"a": 1, "b": {"d": 2}})
    fields = sent_objects(Noted(data=sent))
    assert merged_objects(fields, sent, row) == {"notes": {"b": {"c": 1, "d": 2}}}


def test_what_the_framework_refuses_is_a_problem() -> None:
    assert refusal(Http404()).status_code == 404
    assert refusal(PermissionDenied()).status_code == 403
    unknown = exceptions.AuthenticationFailed("Who are you?")
    unknown.auth_header = "Bearer"  # type: ignore[attr-defined]
    answer = refusal(unknown)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert json.loads(answer.content)["detail"] == "Who are you?"
    answer = refusal(exceptions.Throttled(wait=7))
    assert (answer.status_code, answer["Retry-After"]) == (429, "7")


def test_what_is_invalid_is_found_however_deep() -> None:
    detail = {"a": {"b": ["wrong"]}, "c": [{}, {"d": ["bad"]}], "non_field_errors": ["odd"]}
    errors = json.loads(refusal(exceptions.ValidationError(detail)).content)["errors"]
    assert errors == [
        {"pointer": "/a/b", "detail": "wrong"},
        {"pointer": "/c/1/d", "detail": "bad"},
        {"pointer": "", "detail": "odd"},
    ]
    of_a_model = refusal(ValidationError({"a": ["wrong"]}))
    assert of_a_model.status_code == 422
    assert json.loads(of_a_model.content)["errors"] == [{"pointer": "/a", "detail": "wrong"}]


def test_any_other_error_is_not_the_frameworks_to_answer() -> None:
    assert errors.handle_exception(ZeroDivisionError(), {"request": HttpRequest()}) is None
