"""Slow clients, from the point of view of the connection guard."""

import socket
import sys
import time
from collections.abc import Iterator

import pytest

from stock_keeper.runtime.connections import ConnectionGuard

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it of a socket")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client's end of a connection, and the server's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as server,
    ):
        yield client, server


@pytest.mark.parametrize(("answering", "ended"), [(False, True), (True, False)])
def test_a_request_that_does_not_arrive_is_ended(
    pair: tuple[socket.socket, socket.socket], answering: bool, ended: bool
) -> None:
    client, server = pair
    client.sendall(b"GET /livez")
    assert server.recv(100)
    port = server.getsockname()[1]
    guard = ConnectionGuard(port, lambda *_: answering, exact=True)
    now = time.perf_counter()
    guard._look(now, 30)
    server.settimeout(0.2)
    with pytest.raises(TimeoutError):
        server.recv(100)
    guard._look(now + 40, 30)
    if ended:
        assert server.recv(100) == b""
    else:
        with pytest.raises(TimeoutError):
            server.recv(100)


def test_an_idle_connection_is_left_alone(pair: tuple[socket.socket, socket.socket]) -> None:
    client, server = pair
    client.sendall(b"GET /livez HTTP/1.1\r\n\r\n")
    assert server.recv(100)
    time.sleep(0.02)
    server.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert client.recv(100)
    guard = ConnectionGuard(server.getsockname()[1], lambda *_: False, exact=True)
    now = time.perf_counter()
    guard._look(now, 30)
    guard._look(now + 40, 30)
    server.settimeout(0.2)
    with pytest.raises(TimeoutError):
        server.recv(100)
