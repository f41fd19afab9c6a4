"""A client for other services, for use on an event loop."""

import asyncio
import ssl
from collections.abc import Collection
from functools import cache
from typing import Any
from weakref import WeakSet

import httpx
from tenacity import AsyncRetrying

from ..database import leave_database
from . import attempts
from .attempts import Model
from .dependency import CallFailed, Dependency

_clients: "WeakSet[Client]" = WeakSet()


class Client:
    """Client for one other service: subclass it and add a method for each call.

    `name` is its label in metrics and logs. `seconds` limits a whole call, including retries; a
    call ends earlier if its caller's deadline does. At most `limit` calls wait at a time; further
    calls fail at once. A response may have at most `max_bytes`. `transport` replaces the network
    in tests.
    """

    def __init__(  # noqa: PLR0913
        self,
        name: str,
        url: str,
        *,
        seconds: float = 5,
        limit: int = 20,
        max_bytes: int = attempts.MAX_BYTES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._dependency = Dependency(name, limit)
        transport = transport or _network(limit)
        self._client = httpx.AsyncClient(transport=transport, **attempts.options_of(url, seconds))
        _clients.add(self)

    async def call(
        self,
        method: str,
        path: str,
        *values: object,
        accept: Collection[int] = (),
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Send a request and return the response, if its status is a success or in `accept`.

        `values` fill the braces of a path like `/v1/items/{}`. `options` are those of httpx:
        `params`, `json`, `content`. Failed calls are retried if that is safe: every method except
        POST and PATCH, and POST if it has an Idempotency-Key.
        """
        leave_database()
        sent, target = attempts.headers_of(headers), attempts.path_of(path, values)
        seconds = attempts.time_for(self._seconds)

        async def attempt() -> httpx.Response:
            with attempts.attempt(self._dependency, method, self._client.base_url, sent):
                request = self._client.build_request(method, target, headers=sent, **options)
                return await self._send(request, accept)

        with self._dependency.call():
            limit = asyncio.timeout(seconds)
            try:
                async with limit:
                    repeat = attempts.retrying(self._dependency, method, sent, seconds)
                    return await AsyncRetrying(**repeat)(attempt)
            except TimeoutError as error:
                if not limit.expired():
                    raise
                raise CallFailed("timeout", "no response in time") from error

    def read(self, model: type[Model], answer: httpx.Response) -> Model:
        """The body of a response as a model; `CallFailed` (502) if it is not one."""
        return attempts.read(self.name, model, answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _send(self, request: httpx.Request, accept: Collection[int]) -> httpx.Response:
        try:
            answer = await self._client.send(request, stream=True)
            try:
                body = attempts.Body(answer, self._max_bytes)
                async for chunk in answer.aiter_bytes():
                    body.add(chunk)
            finally:
                await answer.aclose()
        except httpx.TransportError as error:
            raise attempts.failure(error, lambda: False) from error
        return attempts.checked(body.whole(), accept)


async def close_all() -> None:
    """Close the connections of all clients when the service stops."""
    for client in tuple(_clients):
        await client.close()


def _network(limit: int) -> httpx.AsyncBaseTransport:
    limits = attempts.limits_of(limit)
    return httpx.AsyncHTTPTransport(verify=_tls(), limits=limits, trust_env=False)


@cache
def _tls() -> ssl.SSLContext:
    """Trust the system's certificate authorities and those in SSL_CERT_FILE."""
    return ssl.create_default_context()
