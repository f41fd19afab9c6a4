"""End connections whose requests take too long to arrive.

granian has one time limit for both the idle time and the headers of a request, and under WSGI none
for the body. The kernel records when a connection last sent and received data, which distinguishes
an idle connection from one in the middle of a request.
"""

import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from .bodies import REQUEST_SECONDS

Peer = tuple[str, int]

_ROUND_SECONDS = 5
_MIN_PARTS = 3
_TICK_SECONDS = 0.02  # the resolution of the kernel's clock
# Fields of tcp_info in linux/tcp.h: milliseconds since data was sent and since data was received,
# and the numbers of data segments received and sent.
_TCP_INFO = struct.Struct("=44xI4xI96xII")


@dataclass(slots=True)
class _Connection:
    """The last known state of a connection; `began` is when a request without response began."""

    received: int = 0
    sent: int = 0
    began: float | None = None
    parts: int = 0

    def update(self, info: bytes, now: float) -> None:
        sent_ago, received_ago, received, sent = _TCP_INFO.unpack(info)
        if sent != self.sent or (self.began is None and received != self.received):
            is_request = received and (not sent or received_ago < sent_ago)
            self.began = now - received_ago / 1000 if is_request else None
            self.parts = 0
        elif received != self.received:
            self.parts += 1
        self.received, self.sent = received, sent


class ConnectionGuard:
    """Checks the connections of a port every five seconds, in a separate thread.

    `is_answering` takes a client and two times, and returns whether a request that arrived between
    them has no response yet. If that is only a guess (`exact` is false), a client that keeps
    sending is cut off anyway. `patience` returns how many seconds a request currently has;
    `on_end` is called before a request is cut off.
    """

    def __init__(
        self,
        port: int,
        is_answering: Callable[[Peer, float, float], bool],
        *,
        exact: bool,
        patience: Callable[[float], float] = lambda _: REQUEST_SECONDS,
        on_end: Callable[[], object] = int,
    ) -> None:
        self._port = port
        self._is_answering = is_answering
        self._exact = exact
        self._patience = patience
        self._on_end = on_end
        self._connections: dict[int, _Connection] = {}

    def start(self) -> None:
        """Start the thread, which runs until the process exits."""
        threading.Thread(target=self._run, name="connections", daemon=True).start()

    def _run(self) -> None:
        last = time.perf_counter()
        while True:
            time.sleep(1)
            now = time.perf_counter()
            limit = self._patience(now)
            if limit < REQUEST_SECONDS or now - last >= _ROUND_SECONDS:
                last = now
                with suppress(OSError):
                    self._look(now, limit)

    def _look(self, now: float, limit: float) -> None:
        known, self._connections = self._connections, {}
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            with suppress(OSError):
                status = os.fstat(descriptor)
                if not stat.S_ISSOCK(status.st_mode):
                    continue
                with _borrowed(descriptor) as one:
                    if not self._is_client(one):
                        continue
                    connection = known.get(status.st_ino) or _Connection()
                    self._connections[status.st_ino] = connection
                    info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
                    connection.update(info, now)
                    is_late = self._is_late(connection, one, now, limit)
                if is_late:
                    self._on_end()
                    _stop_reading(descriptor, status.st_ino)

    def _is_client(self, one: socket.socket) -> bool:
        is_tcp = one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM
        return is_tcp and one.getsockname()[1] == self._port

    def _is_late(
        self, connection: _Connection, one: socket.socket, now: float, limit: float
    ) -> bool:
        if connection.began is None or connection.began > now - limit:
            return False
        if not self._exact and connection.parts >= _MIN_PARTS:
            return True
        host, port = one.getpeername()[:2]
        peer = host.removeprefix("::ffff:"), port
        # A request may have waited for a thread before it was handled.
        earliest, latest = connection.began - _TICK_SECONDS, now - limit / 2
        return not self._is_answering(peer, earliest, latest)


@contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """The socket of a descriptor that belongs to the server."""
    one = socket.socket(fileno=descriptor)
    try:
        yield one
    finally:
        one.detach()


def _stop_reading(descriptor: int, inode: int) -> None:
    """End the request: the server sees the end of the client's data."""
    # The server may have closed the descriptor, and another connection may have its number now.
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        if os.fstat(copy.fileno()).st_ino == inode:
            copy.shutdown(socket.SHUT_RD)
