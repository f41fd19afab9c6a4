"""A client for other services, for use without an event loop."""

from collections.abc import Collection
from multiprocessing.util import Finalize
from typing import Any

import httpcore
import httpx
from tenacity import Retrying

from ..database import leave_database
from ..deadlines import deadline, remaining
from . import attempts
from .attempts import Model
from .dependency import Dependency
from .network import DeadlineBackend


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
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.name = name
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._dependency = Dependency(name, limit)
        transport = transport or _network(limit)
        self._client = httpx.Client(transport=transport, **attempts.options_of(url, seconds))
        Finalize(self, self._client.close, exitpriority=1)  # workers end without atexit

    def call(
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

        def attempt() -> httpx.Response:
            with attempts.attempt(self._dependency, method, self._client.base_url, sent):
                request = self._client.build_request(method, target, headers=sent, **options)
                return self._send(request, accept)

        with self._dependency.call(), deadline(seconds):
            repeat = Retrying(**attempts.retrying(self._dependency, method, sent, seconds))
            return repeat(attempt)

    def read(self, model: type[Model], answer: httpx.Response) -> Model:
        """The body of a response as a model; `CallFailed` (502) if it is not one."""
        return attempts.read(self.name, model, answer)

    def close(self) -> None:
        """Close the connections; the process also does this when it exits."""
        self._client.close()

    def _send(self, request: httpx.Request, accept: Collection[int]) -> httpx.Response:
        try:
            answer = self._client.send(request, stream=True)
            try:
                body = attempts.Body(answer, self._max_bytes)
                for chunk in answer.iter_bytes():
                    body.add(chunk)
            finally:
                answer.close()
        except httpx.TransportError as error:
            raise attempts.failure(error, lambda: remaining() == 0) from error
        return attempts.checked(body.whole(), accept)


def _network(limit: int) -> httpx.BaseTransport:
    limits, tls = attempts.limits_of(limit), DeadlineBackend.tls()
    transport = httpx.HTTPTransport(verify=tls, trust_env=False)
    # httpx has no argument for this: its timeouts apply to each operation, this one to the call.
    transport._pool = httpcore.ConnectionPool(
        ssl_context=tls,
        max_connections=limits.max_connections,
        max_keepalive_connections=limits.max_keepalive_connections,
        keepalive_expiry=limits.keepalive_expiry,
        network_backend=DeadlineBackend(),
    )
    return transport
