"""The WebSocket that pushes the changes of a resource."""

import asyncio
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any, cast

from sanic import Blueprint
from sanic.exceptions import WebsocketClosed
from websockets.exceptions import ConnectionClosed

from . import NotFound
from .resource import Resource
from .service import Request
from .stream import SEND_BUFFER_BYTES, check_handshake, wants_stream
from .web import Protocol, ServiceHttp


def stream_route(blueprint: Blueprint, resource: Resource[Any, Any]) -> None:
    """Add `/stream` to a blueprint: a WebSocket for the changes of a resource."""

    async def stream(request: Request) -> None:
        if not wants_stream(request.headers):
            raise NotFound
        check_handshake(request.headers, request.app.settings.allowed_hosts)
        await _push(request, resource.plural)

    stream.is_websocket = True  # type: ignore[attr-defined]  # Sanic expects no response then
    # For all other methods it is an ID that does not exist.
    methods = ("GET", "PUT", "PATCH", "DELETE")
    blueprint.add_route(stream, "/stream", methods, name=f"stream_{resource.plural}")


async def _push(request: Request, topic: str) -> None:
    """Upgrade the connection to a WebSocket, and push a topic's messages until it ends."""
    socket = request.transport.get_extra_info("socket")
    socket.setsockopt(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES)
    protocol = cast(Protocol, request.transport.get_protocol())
    connection = await protocol.websocket_handshake(request)
    cast(ServiceHttp, request.stream).finish(101)
    stream = request.app.stream
    subscriber = stream.subscribe(topic, connection.send, connection.end_connection)
    try:
        async for _ in connection:
            """Ignore what a subscriber sends."""
    except (asyncio.CancelledError, ConnectionClosed, WebsocketClosed):
        """The connection has ended."""
    finally:
        stream.unsubscribe(subscriber)
        connection.end_connection()
