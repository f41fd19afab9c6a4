"""HTTP by hand: what a client library would normalise, refuse, or send too politely."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

import httpx

Address = tuple[str, int]


def request(
    method: str,
    target: str | bytes,
    headers: Iterable[tuple[str | bytes, str | bytes]] = (),
    body: bytes | None = None,
) -> bytes:
    """The bytes of a request, nothing escaped; ``Host``, and ``Content-Length`` for a body."""
    lines = [b" ".join((_bytes(method), _bytes(target), b"HTTP/1.1"))]
    given = [(_bytes(name), _bytes(value)) for name, value in headers]
    names = {name.lower() for name, _value in given}
    if b"host" not in names:
        given.insert(0, (b"Host", b"localhost"))
    if body is not None and not names & {b"content-length", b"transfer-encoding"}:
        given.append((b"Content-Length", str(len(body)).encode()))
    lines += [name + b": " + value for name, value in given]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def chunked(parts: Iterable[bytes], *, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    """A chunked body, each part a chunk."""
    chunks = [b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts]
    return b"".join(chunks) + b"0\r\n" + trailer + b"\r\n"


class Connection:
    """One TCP connection to a service; ``answer`` reads one response."""

    def __init__(self, address: Address, timeout: float = 20) -> None:
        self.socket = socket.create_connection(address, timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, method: str = "GET") -> httpx.Response:
        """The next response; OSError or HTTPException where there is none to read."""
        parsed = http.client.HTTPResponse(self.socket, method=method)
        parsed.begin()
        stream = httpx.ByteStream(parsed.read())
        response = httpx.Response(parsed.status, headers=parsed.getheaders(), stream=stream)
        response.read()
        parsed.close()
        return response

    def exchange(self, method: str, target: str | bytes, **more: object) -> httpx.Response:
        self.send(request(method, target, **more))  # type: ignore[arg-type]
        return self.answer(method)


def exchange(
    address: Address,
    method: str,
    target: str | bytes,
    headers: Iterable[tuple[str | bytes, str | bytes]] = (),
    body: bytes | None = None,
    timeout: float = 20,
) -> httpx.Response:
    """One request and its answer on a connection of their own."""
    with Connection(address, timeout) as connection:
        connection.send(request(method, target, headers, body))
        return connection.answer(method)


def exchange_or_close(
    address: Address, data: bytes, method: str = "GET", patience: float = 2
) -> httpx.Response | None:
    """Send bytes that may be anything; None where the server closes without an answer.

    A server that still waits for more after ``patience`` seconds is told that there is no more.
    """
    with Connection(address) as connection:
        with contextlib.suppress(OSError):  # it may answer and close while we are still sending
            connection.send(data)
            if not select.select([connection.socket], [], [], patience)[0]:
                connection.socket.shutdown(socket.SHUT_WR)
        try:
            return connection.answer(method)
        except (ConnectionError, http.client.HTTPException):
            return None


def refused(address: Address) -> bool:
    """Nobody listens: a new connection is refused, not merely left unanswered."""
    try:
        socket.create_connection(address, timeout=2).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


@contextlib.contextmanager
def connections(address: Address, count: int) -> Iterator[list[Connection]]:
    """That many open connections, closed with the block."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Connection(address)) for _ in range(count)]


def at_once(
    clients: Sequence[httpx.Client], calls: Sequence[Callable[[httpx.Client], httpx.Response]]
) -> list[httpx.Response]:
    """Run all calls at the same moment, each with a client of its own; answers in their order."""
    gate = threading.Barrier(len(calls))
    answers: dict[int, httpx.Response] = {}
    errors: list[BaseException] = []

    def run(
        number: int, client: httpx.Client, call: Callable[[httpx.Client], httpx.Response]
    ) -> None:
        try:
            gate.wait(30)
            answers[number] = call(client)
        except BaseException as error:
            errors.append(error)

    pairs = zip(clients, calls, strict=True)
    threads = [threading.Thread(target=run, args=(n, *pair)) for n, pair in enumerate(pairs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if errors:
        raise errors[0]
    return [answers[number] for number in range(len(calls))]


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
