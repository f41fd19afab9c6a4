"""Connections to other services; each operation ends by the caller's deadline."""

import ssl
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from functools import cache
from socket import SOCK_STREAM, getaddrinfo
from typing import Any, Final

import httpcore
from httpcore import SOCKET_OPTION

from ..deadlines import remaining

_PART_BYTES: Final = 16_384
# A name lookup cannot be interrupted, so attempts may outlive their callers.
_lookups = threading.BoundedSemaphore(24)


class DeadlineStream(httpcore.NetworkStream):
    """A connection whose reads and writes end by the deadline, however slowly bytes arrive."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PART_BYTES):
            left = _left(timeout, httpcore.WriteTimeout)
            self._stream.write(buffer[start : start + _PART_BYTES], left)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class DeadlineBackend(httpcore.NetworkBackend):
    """Opens connections before the deadline, including the name lookup."""

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        error: Exception = httpcore.ConnectError("the name has no address")
        for address in _addresses(host, port, _left(timeout, httpcore.ConnectTimeout)):
            left = _left(timeout, httpcore.ConnectTimeout)
            try:
                stream = self._backend.connect_tcp(
                    address, port, left, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as found:
                error = found
            else:
                return DeadlineStream(stream)
        raise error

    @staticmethod
    @cache
    def tls() -> ssl.SSLContext:
        """Trust the system's certificate authorities and those in SSL_CERT_FILE."""
        return ssl.create_default_context()


def _left(timeout: float | None, error: type[Exception]) -> float:
    """The seconds that an operation may take; `error` if none are left."""
    given = [seconds for seconds in (timeout, remaining()) if seconds is not None]
    left = min(given, default=0.0)
    if left <= 0:
        raise error("no time is left")
    return left


def _addresses(host: str, port: int, seconds: float) -> Iterator[str]:
    """The addresses of a host, looked up within `seconds`."""
    if not _lookups.acquire(timeout=seconds):
        raise httpcore.ConnectTimeout("too many names are being looked up")
    outcome: Future[list[Any]] = Future()
    threading.Thread(target=_look_up, args=(outcome, host, port), daemon=True).start()
    try:
        found = outcome.result(seconds)
    except TimeoutError:
        raise httpcore.ConnectTimeout("the name was not looked up in time") from None
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error
    return iter(dict.fromkeys(str(entry[4][0]) for entry in found))


def _look_up(outcome: "Future[list[Any]]", host: str, port: int) -> None:
    try:
        outcome.set_result(getaddrinfo(host, port, type=SOCK_STREAM))
    except Exception as error:
        outcome.set_exception(error)
    finally:
        _lookups.release()
