"""The shared infrastructure: settings, deadlines and the process itself."""

import asyncio
import gc
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from stock_keeper.runtime import NotFound, Unavailable, locks, outages, telemetry
from stock_keeper.runtime.address import listen
from stock_keeper.runtime.bodies import (
    COLLECT_EVERY,
    MAX_VALUES,
    PLACES,
    AsyncPlaces,
    Places,
    has_too_many_values,
)
from stock_keeper.runtime.content import Content
from stock_keeper.runtime.database import Database
from stock_keeper.runtime.deadlines import (
    MAX_WAITING,
    Bulkhead,
    connect,
    deadline,
    enable_wal,
    is_unavailable,
    remaining,
)
from stock_keeper.runtime.http import Problem, read_model
from stock_keeper.runtime.outages import Outages
from stock_keeper.runtime.probe import Probe
from stock_keeper.runtime.settings import SettingsError, load_settings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "0"),
        ("LOG_LEVEL", "loud"),
        ("DATABASE_URL", "mysql://secret@host/name"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "postgresql://me:secret@host:port/name"),
        ("DATABASE_DIRECT_URL", "sqlite:///secret.db"),
        ("DATABASE_TIMEOUT_SECONDS", "1"),
        ("MAX_BODY_BYTES", "-1"),
        ("DRAIN_SECONDS", "nan"),
    ],
)
def test_a_bad_setting_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert variable in str(caught.value)
    assert "secret" not in str(caught.value)


def test_settings_never_show_the_database_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@host/name")
    assert "secret" not in repr(load_settings())


def test_a_rejected_body_is_freed_with_its_error() -> None:
    body = b'{"unknown": "%b"}' % (b"x" * 1000)
    before = sys.getrefcount(body)
    with suppress(Problem):
        read_model(Content, "application/json", None, body)
    assert sys.getrefcount(body) == before


def test_requests_in_reference_cycles_do_not_pile_up_with_their_large_bodies() -> None:
    class Request:
        def __init__(self) -> None:
            self.view = self

    freed, places = weakref.ref(Request()), Places()
    gc.disable()
    try:
        for _ in range(COLLECT_EVERY):
            assert places.acquire()
            places.release()
        assert freed() is None
    finally:
        gc.enable()


def test_only_some_bodies_are_read_at_once() -> None:
    places = Places()
    for _ in range(PLACES):
        assert not places.is_full()
        assert places.acquire()
    assert places.is_full()
    places.release()
    assert places.acquire()


def test_only_some_tasks_read_bodies_at_once() -> None:
    async def read() -> None:
        places = AsyncPlaces()
        for _ in range(PLACES):
            assert not places.is_full()
            assert await places.acquire()
        assert places.is_full()
        places.release()
        assert await places.acquire()

    asyncio.run(read())


@pytest.mark.parametrize(
    ("body", "too_many"),
    [
        (b"[1]", False),
        (b"[" + b"1," * MAX_VALUES + b"1]", True),
        (b'["' + b"," * MAX_VALUES + b'"]', False),
        (b"[" + b'"",' * 2 * MAX_VALUES + b'""]', True),
    ],
)
def test_the_values_of_a_body_are_counted(body: bytes, too_many: bool) -> None:
    assert has_too_many_values(body) == too_many


def test_an_address_that_cannot_be_used_is_named_by_its_setting() -> None:
    with closing(listen("localhost", 0)) as listener:
        host, port = listener.getsockname()
        with pytest.raises(SettingsError, match="PORT"):
            listen(host, port)
    with pytest.raises(SettingsError, match="HOST"):
        listen("no such host", 0)


def test_waiting_ends_at_the_deadline() -> None:
    bulkhead = Bulkhead(1, lambda: True)
    with bulkhead.slot(), ThreadPoolExecutor(1) as pool:

        def wait() -> None:
            with deadline(0.3), bulkhead.slot():
                pass

        with pytest.raises(Unavailable):
            pool.submit(wait).result(timeout=2)


def test_nobody_waits_for_a_database_that_hangs() -> None:
    bulkhead = Bulkhead(1, lambda: False)
    with bulkhead.slot(), ThreadPoolExecutor(20) as pool:

        def wait() -> float:
            started = time.monotonic()
            with pytest.raises(Unavailable), deadline(30), bulkhead.slot():
                pass
            return time.monotonic() - started

        waits = [pool.submit(wait) for _ in range(20)]
        assert max(one.result(timeout=5) for one in waits) < 3
    with bulkhead.slot():
        assert remaining() is None


def test_everybody_waits_for_a_database_that_is_busy() -> None:
    questions: list[float] = []

    def answers() -> bool:
        questions.append(time.monotonic())
        return True

    bulkhead = Bulkhead(1, answers)
    with ThreadPoolExecutor(20) as pool:

        def wait() -> None:
            with deadline(10), bulkhead.slot():
                pass

        with bulkhead.slot():
            waits = [pool.submit(wait) for _ in range(20)]
            time.sleep(1.8)  # three times as long as it waits before it asks
        for one in waits:
            one.result(timeout=5)
    assert 1 <= len(questions) <= 4, "one caller asks for all"


def test_a_database_that_hung_is_waited_for_again_once_it_answers() -> None:
    answering = threading.Event()
    bulkhead = Bulkhead(1, answering.is_set)

    def try_once() -> bool:
        try:
            with deadline(1), bulkhead.slot():
                return True
        except Unavailable:
            return False

    with ThreadPoolExecutor(1) as pool:
        with bulkhead.slot():
            assert not pool.submit(try_once).result(timeout=5)
            started = time.monotonic()
            assert not pool.submit(try_once).result(timeout=5)
            assert time.monotonic() - started < 0.5, "it is known to hang"
            answering.set()
            while bulkhead._is_hopeless():
                time.sleep(0.01)
            waiting = pool.submit(try_once)
        assert waiting.result(timeout=5)


def test_no_more_callers_wait_than_there_are_threads_for() -> None:
    bulkhead = Bulkhead(1, lambda: True)
    bulkhead._queue.extend(threading.Event() for _ in range(MAX_WAITING))
    with bulkhead.slot(), pytest.raises(Unavailable, match="too many"):
        bulkhead.acquire()


def test_an_error_that_the_database_answers_with_is_no_sign_of_trouble() -> None:
    bulkhead = Bulkhead(1, lambda: True)
    with ThreadPoolExecutor(3) as pool:

        def refuse() -> None:
            with deadline(5), bulkhead.slot():
                time.sleep(0.6)  # together longer than a database that hangs is waited for
                raise NotFound

        for refused in [pool.submit(refuse) for _ in range(3)]:
            with pytest.raises(NotFound):
                refused.result(timeout=5)


def test_a_probe_connects_anew_if_its_connection_was_cut() -> None:
    class Connection:
        closed = False

        def execute(self, statement: str) -> "Connection":
            if self.closed:
                raise ConnectionError
            return self

        def fetchall(self) -> list[tuple[int]]:
            return [(1,)]

        def close(self) -> None:
            self.closed = True

    made: list[Connection] = []

    def connect() -> Connection:
        made.append(Connection())
        return made[-1]

    probe = Probe(connect, Outages("sqlite:///none.db"))
    assert probe.answers()
    made[0].closed = True
    assert probe.ask("SELECT 1", 1) == [(1,)]
    assert len(made) == 2
    probe.close()


def test_a_probe_that_cannot_connect_gets_no_answer() -> None:
    def refuse() -> None:
        raise ConnectionError

    assert not Probe(refuse, Outages("sqlite:///none.db")).answers()


def test_connecting_ends_at_the_deadline() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:  # it accepts, and says nothing
        url = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/none"
        started = time.monotonic()
        with deadline(0.5), pytest.raises(psycopg.OperationalError, match="in time"):
            connect(url)
        assert time.monotonic() - started < 1, "libpq itself would wait for two seconds"


def test_why_the_database_cannot_be_used_is_logged_once_without_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[tuple[str, str]] = []

    class Log:
        def error(self, event: str, kind: str, reason: str) -> None:
            lines.append((kind, reason))

        def info(self, event: str) -> None:
            lines.append((event, ""))

    monkeypatch.setattr(outages, "_log", Log())
    monkeypatch.setattr(outages, "OVER_SECONDS", -1)
    noticed = Outages("postgresql://me:s%2Fcret@host/name")
    unreachable = Unavailable("the database is unreachable")
    unreachable.__cause__ = psycopg.OperationalError("no entry for s/cret")
    for error in [unreachable] * 3 + [Unavailable("no connection became free in time")]:
        noticed.failed(error)
    assert lines == [("connection", "no entry for ***")]
    for _ in range(2):
        noticed.worked()
    assert lines[1:] == [("database_available", "")]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.errors.ReadOnlySqlTransaction(), "read_only"),
        (psycopg.errors.LockNotAvailable(), "lock"),
        (psycopg.errors.DeadlockDetected(), "lock"),
        (psycopg.errors.SerializationFailure(), "lock"),
        (psycopg.errors.TooManyConnections(), "resources"),
        (psycopg.errors.AdminShutdown(), "shutdown"),
        (psycopg.OperationalError(), "connection"),
    ],
)
def test_what_may_go_better_next_time_is_no_defect(error: psycopg.Error, kind: str) -> None:
    assert is_unavailable(error)
    assert outages.kind_of(error) == kind


def test_a_migration_that_gets_no_lock_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PAUSE_SECONDS", 0)
    tries = iter([psycopg.errors.LockNotAvailable("locked"), None])

    def migrate() -> None:
        if error := next(tries):
            raise error

    locks.patiently(migrate)
    assert next(tries, "both") == "both"

    def never() -> None:
        raise psycopg.errors.LockNotAvailable("locked")

    with pytest.raises(locks.Locked):
        locks.patiently(never)

    def defect() -> None:
        raise KeyError("quantity")

    with pytest.raises(KeyError):
        locks.patiently(defect)


def test_a_new_file_that_another_process_changes_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with (
        closing(sqlite3.connect(path, check_same_thread=False)) as other,
        closing(sqlite3.connect(path)) as mine,
    ):
        other.execute("BEGIN IMMEDIATE")
        with deadline(0), pytest.raises(sqlite3.OperationalError, match="locked"):
            enable_wal(mine, 5)
        release = threading.Timer(0.2, other.rollback)
        release.start()
        enable_wal(mine, 5)
        release.join()
        assert mine.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_places_are_given_in_the_order_of_asking() -> None:
    bulkhead, order = Bulkhead(1, lambda: True), list[int]()

    def ask(number: int) -> None:
        with bulkhead.slot():
            order.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(5)]
    with bulkhead.slot():
        for count, thread in enumerate(threads, 1):
            thread.start()
            while len(bulkhead._queue) < count:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_a_valid_trace_goes_on_and_an_invalid_one_starts_anew() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"

    def kept(traceparent: str) -> bool:
        context = telemetry.begin("GET", "/", None, traceparent)
        telemetry.finish(context, 200)
        return context.trace_id == trace

    assert kept(f"00-{trace}-b7ad6b7169203331-01")
    for bad in ("", f"00-{trace}", f"ff-{trace}-b7ad6b7169203331-01", f"00-{trace}-{'0' * 16}-01"):
        assert not kept(bad)


@pytest.fixture
def process(database_url: str, database: Database) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The service as a process of its own: where it listens, and the process."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    environ = os.environ | {"DATABASE_URL": database_url, "PORT": str(port), "DRAIN_SECONDS": "2"}
    command = [sys.executable, "-m", "stock_keeper"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as service:
        yield f"http://127.0.0.1:{port}", service
        service.kill()


def wait_for(url: str, status: int, word: str = "") -> httpx.Response:
    for _ in range(200):
        try:
            answer = httpx.get(url)
            if answer.status_code == status and word in answer.text:
                return answer
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail(f"{url} never answered {status}")


def test_sigterm_drains_and_ends_well(process: tuple[str, subprocess.Popen[str]]) -> None:
    url, service = process
    wait_for(f"{url}/readyz", 200)
    service.send_signal(signal.SIGTERM)
    answer = wait_for(f"{url}/readyz", 503, "draining")
    assert answer.headers["Connection"] == "close", "who stays connected would be cut off"
    output, _ = service.communicate(timeout=10)
    assert service.returncode == 0
    for line in output.splitlines():
        assert {"time", "level", "event"} <= json.loads(line).keys()


def test_a_bad_setting_ends_the_process_with_one_line() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "stock_keeper"],
        env=os.environ | {"PORT": "eighty"},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert ended.returncode == 2
    (line,) = (ended.stdout + ended.stderr).splitlines()
    assert "PORT" in json.loads(line)["event"]
