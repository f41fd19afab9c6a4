"""The address on which the service listens: a host name or an IP address."""

import errno
import socket
from typing import Final

from .settings import SettingsError

BACKLOG: Final = 1_024  # connections that wait to be accepted


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; `::` accepts IPv4 too. `SettingsError` names HOST or PORT if it fails.

    If a name has several addresses, as localhost does, an IPv4 address is preferred.
    """
    listener = None
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. Without it a body sent separately from its headers waits 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        if listener is not None:
            listener.close()
        raise _settings_error(error) from None
    return listener


def _settings_error(error: Exception) -> SettingsError:
    number = getattr(error, "errno", None)
    variable = "PORT" if number in (errno.EADDRINUSE, errno.EACCES) else "HOST"
    return SettingsError(f"{variable}: {getattr(error, 'strerror', None) or 'not an address'}")
