"""The HTTP server: what slow, broken and hostile clients get, and what they cannot do."""

import json
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import eventlet
import httpx
import pytest
import samples

from stock_keeper.app import create_app
from stock_keeper.products.model import PRODUCTS, ProductContent
from stock_keeper.runtime import Unavailable, listener
from stock_keeper.runtime.broker import Line
from stock_keeper.runtime.database import Database
from stock_keeper.runtime.resource import PageRequest
from stock_keeper.runtime.service import Service
from stock_keeper.runtime.store import Store
from stock_keeper.settings import Settings

CONTENT = b'{"surprise": 16}'
HEAD = b"POST /v1/products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture
def running(settings: Settings, database: Database) -> Iterator[Service]:
    """The service as it runs, on a free port; nobody answers at its broker's address."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    url = "amqp://127.0.0.1:1/"
    service = create_app(settings.model_copy(update={"port": port, "amqp_url": url}))
    service.start(listener)
    yield service
    service.stop(5)


Exchange = Callable[..., tuple[int, bytes]]


@pytest.fixture
def exchange(running: Service) -> Exchange:
    """Sends bytes, and perhaps nothing more; answers the status and all that came back."""
    port = running.settings.port

    def call(sent: bytes, *, ends: bool = False) -> tuple[int, bytes]:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(sent)
            if ends:
                client.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: client.recv(65_536), b""))
        return int(answer.split()[1]), answer

    return call


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /livez HTTP/1.1\r\nHost: x\r\n",
        b"GET /livez",
        HEAD + b"Content-Length: 20\r\n\r\n" + CONTENT,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
    ],
)
def test_a_request_that_is_cut_off_is_refused_and_not_executed(
    exchange: Exchange, running: Service, sent: bytes
) -> None:
    status, answer = exchange(sent, ends=True)
    assert status == 400
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 400
    assert Store(PRODUCTS, running.database).page(PageRequest()).rows == []


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 16\r\nContent-Length: 0\r\n",
        b"Content-Length: 16\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Content-Length: +16\r\n",
        b"Transfer-Encoding: chunked\r\nX: " + b"x" * 70_000 + b"\r\n",
    ],
)
def test_a_request_that_two_servers_could_read_differently_is_refused(
    exchange: Exchange, fields: bytes
) -> None:
    status, answer = exchange(HEAD + fields + b"\r\n" + CONTENT)
    assert status in {400, 431}
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("chunks", [b"zz\r\n", b"5;" + b"x" * 70_000])
def test_chunks_that_are_none_are_the_clients_fault(exchange: Exchange, chunks: bytes) -> None:
    status, answer = exchange(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks, ends=True)
    assert (status, b"problem+json" in answer) == (400, True)


def test_what_is_no_http_gets_a_problem(exchange: Exchange) -> None:
    status, answer = exchange(b"\x16\x03\x01\x02\x00\x01\r\n\r\n")
    assert (status, b"problem+json" in answer) == (400, True)


@pytest.mark.parametrize("begun", [b"GET /liv", HEAD + b"Content-Length: 16\r\n\r\n{"])
def test_a_request_that_does_not_arrive_in_time_is_given_up(
    monkeypatch: pytest.MonkeyPatch, exchange: Exchange, begun: bytes
) -> None:
    monkeypatch.setattr(listener, "CLIENT_SECONDS", 0.2)
    assert exchange(begun)[0] == 400


def test_a_body_far_too_large_gets_a_readable_answer(exchange: Exchange) -> None:
    status, answer = exchange(HEAD + b"Content-Length: 3000000\r\n\r\n" + b" " * 3_000_000)
    assert (status, b"Connection: close" in answer) == (413, True)


def test_an_answer_to_head_has_no_body(running: Service) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{running.settings.port}") as client:
        for path, status in (("/nowhere", 404), ("/v1/products", 200)):
            assert client.head(path).status_code == status
            assert client.get("/livez").status_code == 200  # on the same connection


def test_without_its_broker_it_serves_and_says_that_it_is_not_ready(running: Service) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{running.settings.port}") as client:
        assert client.get("/livez").status_code == 200
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["broker"]) == (503, {"status": "fail"})
        assert client.post("/v1/products", json=samples.product_content(client)).status_code == 201


def test_a_locked_file_holds_up_nobody_else(tmp_path: Path, client: httpx.Client) -> None:
    content = json.dumps(samples.product_content(client))
    settings = Settings(database_url=f"sqlite:///{tmp_path}/test.db")
    # Less than may be set, as nobody likes to wait for tests.
    database = Database(settings.model_copy(update={"database_timeout_seconds": 0.6}))
    database.migrate()
    with closing(sqlite3.connect(tmp_path / "test.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writer = eventlet.spawn(
            Store(PRODUCTS, database).create, ProductContent.model_validate_json(content)
        )
        turns = 0
        while not writer.dead:
            eventlet.sleep(0.01)
            turns += 1
    with pytest.raises(Unavailable):
        writer.wait()
    assert turns > 20
    database.close()


def test_a_broker_that_never_answers_costs_its_time_and_no_more() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        line = Line(f"amqp://127.0.0.1:{silent.getsockname()[1]}/", 0.3)
        with eventlet.Timeout(2):
            assert not line.answers()
        with eventlet.Timeout(2), pytest.raises(Unavailable), line.channel():
            pass
