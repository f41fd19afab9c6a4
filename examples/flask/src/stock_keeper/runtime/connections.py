"""End connections whose requests take too long to arrive.

granian has one time limit for a request's head together with the idle time before it, and under
WSGI none for the body. The kernel knows when a connection has sent and received data, and so an
idle connection is distinguished from one that waits for the rest of a request.
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
_TICK_SECONDS = 0.02  # the kernel's clock is as coarse as its timer
# Of tcp_info in linux/tcp.h: milliseconds since data was sent and since data was received, and
# the numbers of segments with data that were received and sent.
_TCP_INFO = struct.Struct("=44xI4xI96xII")


@dataclass(slots=True)
class _Connection:
    """A connection as it was seen last; `began` is when the client sent what has no response."""

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

    `is_answering` gets a client and two times: whether its request has arrived between them and
    has no response yet. If that is only a guess (`exact` is false), a client that keeps sending is
    ended all the same. `patience` says how many seconds a request has now; `on_end` is called
    before one is ended.
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
        """Start the thread, which lasts as long as the process."""
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
        # A request may have waited for a thread before it began to be answered.
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
    """End the request: to the server it looks as if the client had sent all that it will."""
    # The server may have closed the descriptor meanwhile, and another connection got its number.
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        if os.fstat(copy.fileno()).st_ino == inode:
            copy.shutdown(socket.SHUT_RD)
