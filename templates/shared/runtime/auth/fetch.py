"""Fetch JSON from the issuer, with limits on time and size, and only from the URL asked for."""

import json
import socket
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, build_opener

MAX_BYTES: Final = 524_288


class Unreadable(Exception):
    """The issuer's response cannot be used; the message says why."""


def read_json(url: str, seconds: float) -> Any:
    """The JSON at an http or https URL; `Unreadable` if it does not arrive in `seconds`."""
    if not url.startswith(("https://", "http://")):
        raise Unreadable("its URL is neither https nor http")
    watch = _Watch(seconds)
    opener = build_opener(_NoRedirects, _PlainHandler(watch), _TlsHandler(watch))
    try:
        with watch, opener.open(url, timeout=seconds) as response:
            body = response.read(MAX_BYTES + 1)
    except (OSError, HTTPException, ValueError) as error:
        raise Unreadable(f"no answer in {seconds:g} s" if watch.over else str(error)) from None
    if len(body) > MAX_BYTES:
        raise Unreadable(f"it sent more than {MAX_BYTES} bytes")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("it did not send JSON") from None


class _NoRedirects(HTTPRedirectHandler):
    """Treats a redirect as an error."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _Watch:
    """Closes its connections when the time is over, because each read has its own timeout."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._connections: list[HTTPConnection] = []

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def plain(self, host: str, **options: Any) -> HTTPConnection:
        """A connection that is closed when the time is over."""
        self._connections.append(HTTPConnection(host, **options))
        return self._connections[-1]

    def tls(self, host: str, **options: Any) -> HTTPConnection:
        """A TLS connection that is closed when the time is over."""
        self._connections.append(HTTPSConnection(host, **options))
        return self._connections[-1]

    def _end(self) -> None:
        self.over = True
        for connection in self._connections:
            if (opened := connection.sock) is not None:
                with suppress(OSError):
                    opened.shutdown(socket.SHUT_RDWR)


class _PlainHandler(HTTPHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, req: Any) -> Any:
        return self.do_open(self._watch.plain, req)


class _TlsHandler(HTTPSHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def https_open(self, req: Any) -> Any:
        return self.do_open(self._watch.tls, req)
