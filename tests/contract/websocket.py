"""A reader of WebSockets (RFC 6455) on one event loop: small enough to have a thousand of."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import socket
import struct
from dataclasses import dataclass
from typing import Any, Self

from tests.contract.wire import Address, request

TEXT, CLOSE, PING = 0x1, 0x8, 0x9
_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def handshake(key: str, **headers: str) -> list[tuple[str, str]]:
    """The headers of an opening handshake, and others or other values; '' leaves one out."""
    given = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    return [(name, value) for name, value in given.items() if value]


def new_key() -> str:
    return base64.b64encode(os.urandom(16)).decode()


@dataclass
class WebSocket:
    """One open connection; what it does not read stays where TCP keeps it."""

    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter

    @classmethod
    async def open(
        cls, address: Address, path: str, *, receive_buffer: int | None = None, **headers: str
    ) -> Self:
        """Connect; the answer has to be a right 101."""
        connection = socket.socket()
        connection.setblocking(False)
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(connection, address)
        limit = receive_buffer or 65_536
        reader, writer = await asyncio.open_connection(sock=connection, limit=limit)
        key = new_key()
        writer.write(request("GET", path, handshake(key, **headers)))
        status, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        assert status.split()[1] == "101", status
        pairs = (field.partition(":") for field in fields)
        answer = {name.lower(): value.strip() for name, _, value in pairs}
        digest = hashlib.sha1(key.encode() + _ACCEPT).digest()
        assert answer["sec-websocket-accept"] == base64.b64encode(digest).decode()
        return cls(reader, writer)

    async def message(self) -> Any:
        """The next text message, read as JSON; a close instead of it fails."""
        opcode, payload = await self._frame()
        assert opcode == TEXT, f"closed: {payload!r}"
        return json.loads(payload)

    async def close_code(self) -> int:
        """Read to the end, and answer the close as a client has to."""
        opcode, payload = await self._frame()
        while opcode != CLOSE:
            opcode, payload = await self._frame()
        self._send(CLOSE, payload[:2])
        code: int = struct.unpack("!H", payload[:2])[0]
        return code

    def close(self) -> None:
        """Go, without a word."""
        self._writer.close()

    async def _frame(self) -> tuple[int, bytes]:
        while True:
            first, second = await self._reader.readexactly(2)
            assert first & 0x80, "one frame for one message"
            assert not second & 0x80, "a server does not mask"
            size = second
            if second == 126:
                (size,) = struct.unpack("!H", await self._reader.readexactly(2))
            payload = await self._reader.readexactly(size)
            if first & 0x0F != PING:
                return first & 0x0F, payload
            self._send(0xA, payload)

    def _send(self, opcode: int, payload: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self._writer.write(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked)
