"""The lifecycle of this process: startup callbacks, and whether it is draining."""

import signal
import threading
from collections.abc import Callable
from typing import Final

# Called by the server once the application is created, in the process that serves it.
on_start: Final[list[Callable[[], object]]] = []

# Set by the server on SIGTERM: readiness fails from then on, and connections are closed.
draining: Final = threading.Event()


# The signal that stops this process if it is one of several workers; the signals that stop the
# service are for their parent.
own_signals: Final[list[signal.Signals]] = []


def stop_signals() -> tuple[signal.Signals, ...]:
    """The signals that stop the service: SIGTERM, SIGINT and, unless `nohup` ignores it, SIGHUP."""
    if own_signals:
        return tuple(own_signals)
    hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGTERM, signal.SIGINT, *hangup)
