"""R8: a POST that is sent again with its Idempotency-Key is carried out once."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from tests.contract.conftest import Case, Launch, SideBySide
from tests.contract.databases import Database, PostgresDatabase, SqliteDatabase
from tests.contract.items import (
    ITEMS,
    assert_invalid,
    assert_problem,
    create,
    fresh_name,
    post_raw,
    walk,
)
from tests.servers import Postgres, as_admin, postgres, wait_until
from tests.services import Service

pytestmark = pytest.mark.contract("R8")

LONGER_AGO = {
    "sqlite": "update idempotency_keys set created_at = datetime(created_at, '-25 hours')",
    "postgresql": "update idempotency_keys set created_at = created_at - interval '25 hours'",
}


def new_key() -> str:
    return uuid.uuid4().hex


def post(client: httpx.Client, key: str, **content: object) -> httpx.Response:
    return client.post(ITEMS, json=content, headers={"Idempotency-Key": key})


def first_time(client: httpx.Client, key: str, **content: object) -> httpx.Response:
    answer = post(client, key, **content)
    assert answer.status_code == 201, answer.text
    return answer


def assert_same(again: httpx.Response, first: httpx.Response) -> None:
    """Status, headers and body are those of the first time."""
    assert again.status_code == first.status_code == 201, again.text
    for name in ("location", "etag", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert again.content == first.content


def named(client: httpx.Client, name: str) -> int:
    """How many items have the name."""
    return sum(item["name"] == name for item in walk(client))


def run(database: Database, statement: str) -> int:
    """Run a statement behind the service's back: the first value that it returns, if any."""
    if isinstance(database, SqliteDatabase):
        with contextlib.closing(sqlite3.connect(database.path, timeout=30)) as connection:
            found = connection.execute(statement).fetchone()
            connection.commit()
            return found[0] if found else 0
    assert isinstance(database, PostgresDatabase)
    with psycopg.connect(as_admin(database.admin_url, database.name)) as session:
        cursor = session.execute(statement.encode())
        return cursor.fetchone()[0] if cursor.description else 0  # type: ignore[index]


def test_a_repeat_gets_the_first_response(service: Service) -> None:
    key, name = new_key(), fresh_name()
    first = first_time(service.http, key, name=name, quantity=3)
    assert_same(post(service.http, key, name=name, quantity=3), first)
    assert named(service.http, name) == 1


def test_the_first_response_is_what_it_was_whatever_became_of_the_item(service: Service) -> None:
    key, name = new_key(), fresh_name()
    first = first_time(service.http, key, name=name)
    path = first.headers["location"]
    assert service.http.put(path, json={"name": fresh_name()}).status_code == 200
    assert_same(post(service.http, key, name=name), first)
    assert service.http.delete(path).status_code == 204
    assert_same(post(service.http, key, name=name), first)
    assert service.http.get(path).status_code == 404


def test_the_same_content_in_other_bytes_is_the_same_body(service: Service) -> None:
    key, name = new_key(), fresh_name()
    first = first_time(service.http, key, name=name, quantity=1)
    body = f'{{ "quantity":1,\n"name": "{name}" }}'.encode()
    assert_same(post_raw(service.http, body, Idempotency_Key=key), first)


def test_another_body_is_refused(service: Service) -> None:
    key, name, other = new_key(), fresh_name(), fresh_name()
    first = first_time(service.http, key, name=name)
    assert_invalid(post(service.http, key, name=other), "Idempotency-Key")
    assert named(service.http, other) == 0
    assert_same(post(service.http, key, name=name), first)


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "caf\u00e9", "tab\there"])
def test_a_key_is_1_to_255_visible_ascii_characters(service: Service, key: str) -> None:
    name = fresh_name()
    headers = {"Idempotency-Key": key.encode("latin-1")}
    answer = service.http.post(ITEMS, json={"name": name}, headers=headers)
    assert_problem(answer, 400)
    assert named(service.http, name) == 0


@pytest.mark.any_server
@pytest.mark.any_database
def test_a_key_is_refused_after_the_form_of_a_body_and_before_its_content(
    service: Service,
) -> None:
    """By the order of R3: 413, 415, 400, 422, 409."""
    used, taken = new_key(), fresh_name()
    first_time(service.http, used, name=taken)
    bad, as_json = "two words", {"Content-Type": "application/json"}
    for body, headers, status in (
        (b" " * 1_100_000, {"Idempotency-Key": bad, **as_json}, 413),
        (b"{}", {"Idempotency-Key": bad, "Content-Type": "text/plain"}, 415),
        (b"{}", {"Idempotency-Key": bad, **as_json, "Content-Encoding": "gzip"}, 415),
        (b'{"quantity": -1}', {"Idempotency-Key": bad, **as_json}, 400),
        (b'{"quantity": -1}', {"Idempotency-Key": used, **as_json}, 422),
    ):
        answer = service.http.post(ITEMS, content=body, headers=headers)
        assert (status, answer.status_code) == (status, status), headers
        assert_problem(answer, status)
    other = fresh_name()
    create(service.http, name=other)  # which would be 409, if it were carried out
    assert_invalid(post(service.http, used, name=other), "Idempotency-Key")
    path = create(service.http).headers["location"]
    headers = {"Idempotency-Key": bad}  # it is of POST alone
    changed = service.http.put(path, json={"name": fresh_name()}, headers=headers)
    assert changed.status_code == 200
    assert service.http.delete(path, headers=headers).status_code == 204


@pytest.mark.parametrize("key", ["~", '"quoted"', "!" * 255])
def test_a_key_may_have_any_visible_character(service: Service, key: str) -> None:
    key = key if len(key) > 200 else f"{key}{uuid.uuid4().hex}"
    name = fresh_name()
    assert_same(post(service.http, key, name=name), first_time(service.http, key, name=name))


def test_a_request_that_was_refused_may_be_repaired(service: Service) -> None:
    key, taken = new_key(), fresh_name()
    create(service.http, name=taken)
    assert_problem(post(service.http, key, name=taken), 409)
    first_time(service.http, key, name=fresh_name())


def test_without_a_key_each_request_is_its_own(service: Service) -> None:
    name = fresh_name()
    create(service.http, name=name)
    assert_problem(service.http.post(ITEMS, json={"name": name}), 409)


def test_fifty_repeats_at_once_create_one_item(service: Service) -> None:
    key, name = new_key(), fresh_name()

    def ask(_: int) -> httpx.Response:
        with service.new_client() as client:
            return post(client, key, name=name)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))
    created = [answer for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 409}
    for answer in created:
        assert_same(answer, created[0])
    for answer in answers:
        if answer.status_code == 409:
            assert_problem(answer, 409)
            assert answer.headers["retry-after"] == "1"
    assert_same(post(service.http, key, name=name), created[0])
    assert named(service.http, name) == 1


def test_old_keys_mean_nothing_and_go_away(service: Service, database: Database) -> None:
    keys = [new_key() for _ in range(3)]
    names = [fresh_name() for _ in keys]
    first = [first_time(service.http, k, name=n) for k, n in zip(keys, names, strict=True)]
    run(database, LONGER_AGO[database.kind])
    assert_problem(post(service.http, keys[0], name=names[0]), 409)  # it is a new request
    again = first_time(service.http, keys[0], name=fresh_name())
    assert again.headers["location"] != first[0].headers["location"]
    for _ in range(40):  # a key that is new removes some that are old
        if run(database, "select count(*) from idempotency_keys") == 1:
            break
        run(database, LONGER_AGO[database.kind])
        first_time(service.http, new_key(), name=fresh_name())
    assert run(database, "select count(*) from idempotency_keys") == 1


def test_nothing_is_kept_of_a_request_without_a_key(service: Service, database: Database) -> None:
    before = run(database, "select count(*) from idempotency_keys")
    create(service.http)
    assert run(database, "select count(*) from idempotency_keys") == before


@pytest.mark.any_framework("flask", "django", "fastapi", "nameko")
def test_a_request_in_progress_is_told_as_such(launch: Launch, new_migrated: object) -> None:
    """SQLite has one writer at a time: there the second request waits for the first."""
    database: Database = new_migrated()  # type: ignore[operator]
    service = launch(database, DATABASE_TIMEOUT_SECONDS="4")
    key, name = new_key(), fresh_name()
    answers: list[httpx.Response] = []
    with database.hold_writes():
        first = threading.Thread(target=lambda: answers.append(post(service.http, key, name=name)))
        first.start()
        time.sleep(0.5)
        if database.kind == "postgresql":
            with service.new_client() as client:
                assert_problem(post(client, key, name=name), 409)
    first.join(30)
    assert_same(post(service.http, key, name=name), answers[0])
    assert named(service.http, name) == 1


@contextlib.contextmanager
def commits_unanswered(server: Postgres) -> Iterator[None]:
    """Within the block whoever commits waits: what is stored is not acknowledged."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("alter system set synchronous_standby_names = 'nobody'")
        admin.execute("select pg_reload_conf()")
        wait_until(
            lambda: admin.execute("show synchronous_standby_names").fetchone() == ("nobody",),
            5,
            "the server has read its configuration",
        )
        try:
            yield
        finally:
            admin.execute("alter system reset synchronous_standby_names")
            admin.execute("select pg_reload_conf()")


def committing(server: Postgres) -> bool:
    with psycopg.connect(server.url()) as admin:
        query = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
        return admin.execute(query).fetchone() != (0,)


def unacknowledged(case: Case) -> None:
    """The database has stored it, the answer was 503: sent again, it is the 201 and one item."""
    server = case.enter(postgres())
    database = PostgresDatabase.create(server, "items")
    service = case.start(database, DATABASE_TIMEOUT_SECONDS="2")
    key, name = new_key(), fresh_name()
    case.ready()
    with commits_unanswered(server):
        assert_problem(post(service.http, key, name=name), 503)
        wait_until(lambda: committing(server), 5, "the commit waits")
        assert_problem(post(service.http, key, name=name), 409)
    wait_until(lambda: not committing(server), 10, "the commit is over")
    first = wait_for_created(service, key, name)
    assert_same(post(service.http, key, name=name), first)
    assert named(service.http, name) == 1


def wait_for_created(service: Service, key: str, name: str) -> httpx.Response:
    answers: list[httpx.Response] = []

    def created() -> bool:
        answers.append(post(service.http, key, name=name))
        return answers[-1].status_code == 201

    wait_until(created, 10, "the first response")
    return answers[-1]


@pytest.mark.fault
def test_after_a_503_that_was_stored_all_the_same_a_repeat_is_the_first_response(
    side_by_side: SideBySide,
) -> None:
    side_by_side(unacknowledged_or_held)


def unacknowledged_or_held(case: Case) -> None:
    if case.target.database == "postgresql":
        unacknowledged(case)
        return
    database = SqliteDatabase(case.folder() / "items.db")
    service = case.start(database, DATABASE_TIMEOUT_SECONDS="2")
    key, name = new_key(), fresh_name()
    case.ready()
    with database.hold_writes():
        assert_problem(post(service.http, key, name=name), 503)
    first = wait_for_created(service, key, name)
    assert_same(post(service.http, key, name=name), first)
    assert named(service.http, name) == 1


def killed(case: Case) -> None:
    """SIGKILL between commit and response (SQLite: in the midst of writes), then all again."""
    if case.target.database == "postgresql":
        server = case.enter(postgres())
        database: Database = PostgresDatabase.create(server, "items")
    else:
        database = SqliteDatabase(case.folder() / "items.db")
    service = case.start(database)
    asked = {new_key(): fresh_name() for _ in range(8)}
    case.ready()
    with contextlib.ExitStack() as stack:
        if case.target.database == "postgresql":
            stack.enter_context(commits_unanswered(server))
        clients = [
            threading.Thread(target=ask_in_vain, args=(service, *one)) for one in asked.items()
        ]
        for client in clients:
            client.start()
        if case.target.database == "postgresql":
            wait_until(lambda: committing(server), 5, "a commit waits")
        else:
            wait_until(lambda: len(walk(service.http)) > 0, 5, "one is stored")
        service.kill()
        for client in clients:
            client.join(30)
    service.start()
    for key, name in asked.items():
        assert_same(wait_for_created(service, key, name), post(service.http, key, name=name))
        assert named(service.http, name) == 1


def ask_in_vain(service: Service, key: str, name: str) -> None:
    with contextlib.suppress(httpx.HTTPError), service.new_client() as client:
        post(client, key, name=name)


@pytest.mark.fault
@pytest.mark.contract("P8")
def test_killed_between_commit_and_response_a_repeat_is_the_first_response(
    side_by_side: SideBySide,
) -> None:
    side_by_side(killed)
