"""Thousands of readers of a stream in one thread: WebSockets by hand, on epoll.

A library would cost more for each message than the service that is measured, and what is measured
is when a message arrives.
"""

from __future__ import annotations

import base64
import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from benchmarks.serving.load import Refused

BATCH: Final = 200
HANDSHAKE_SECONDS: Final = 60.0
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
WHOLE: Final = 0x80


@dataclass(frozen=True)
class Frame:
    """One frame of a WebSocket (RFC 6455, 5.2)."""

    opcode: int
    payload: bytes


def frames(buffer: bytearray) -> Iterator[Frame]:
    """Take the whole frames of a server out of what has come so far."""
    while len(buffer) >= 2:
        length, begin = buffer[1] & 0x7F, 2
        if length == 126:
            begin = 4
        elif length == 127:
            begin = 10
        if len(buffer) < begin:
            return
        if begin > 2:
            length = int.from_bytes(buffer[2:begin], "big")
        if len(buffer) < begin + length:
            return
        frame = Frame(buffer[0] & 0x0F, bytes(buffer[begin : begin + length]))
        del buffer[: begin + length]
        yield frame


def pong(payload: bytes) -> bytes:
    """The answer to a ping, masked as a client's frames have to be (with zeros: no change)."""
    return struct.pack("!BB4x", WHOLE | PONG, 0x80 | len(payload)) + payload


class Reader:
    """One open connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=HANDSHAKE_SECONDS)
        self.buffer = bytearray()
        self.is_open = False

    def ask(self, path: str, host: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        self.socket.setblocking(False)

    def take(self) -> list[Frame]:
        """What has come; `Refused` if the service has closed, or did not want to open."""
        with contextlib.suppress(BlockingIOError):
            received = self.socket.recv(65_536)
            if not received:
                raise Refused("the service has closed a reader of its stream")
            self.buffer += received
        if not self.is_open:
            head, end, _ = self.buffer.partition(b"\r\n\r\n")
            if not end:
                return []
            if not head.startswith(b"HTTP/1.1 101"):
                raise Refused(f"no stream: {head.decode(errors='replace')[:200]}")
            del self.buffer[: len(head) + len(end)]
            self.is_open = True
        return list(frames(self.buffer))


class Readers:
    """Readers of one stream, and when each of them has read what."""

    def __init__(self, address: tuple[str, int], path: str) -> None:
        self._address = address
        self._path = path
        self._host = f"{address[0]}:{address[1]}"
        self._readers: dict[int, Reader] = {}
        self._poll = select.epoll()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._poll.close()
        for reader in self._readers.values():
            reader.socket.close()

    def __len__(self) -> int:
        return len(self._readers)

    def grow_to(self, count: int) -> float:
        """Open more until there are so many; the seconds that it took."""
        began = time.monotonic()
        while len(self._readers) < count:
            batch = [self._open() for _ in range(min(BATCH, count - len(self._readers)))]
            deadline = time.monotonic() + HANDSHAKE_SECONDS
            while not all(reader.is_open for reader in batch):
                if time.monotonic() > deadline:
                    raise Refused(f"{len(self._readers)} readers did not all come in")
                self.read(0.1)
        return time.monotonic() - began

    def _open(self) -> Reader:
        reader = Reader(self._address)
        reader.ask(self._path, self._host)
        self._readers[reader.socket.fileno()] = reader
        self._poll.register(reader.socket, select.EPOLLIN)
        return reader

    def read(self, seconds: float) -> list[tuple[float, bytes]]:
        """The messages that come first within so long, each with its time; pings are answered."""
        messages = []
        for number, _ in self._poll.poll(seconds, 1024):
            reader = self._readers[number]
            for frame in reader.take():
                if frame.opcode == TEXT:
                    messages.append((time.perf_counter(), frame.payload))
                elif frame.opcode == PING:
                    reader.socket.send(pong(frame.payload))
                elif frame.opcode == CLOSE:
                    raise Refused("the service has closed a reader of its stream")
        return messages

    def idle(self, seconds: float) -> None:
        """Answer pings for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)
