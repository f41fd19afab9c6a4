"""Serves a baseline as the generated services are served: granian, WSGI, one worker."""

from granian import Granian
from granian.constants import HTTPModes, Interfaces

from .environment import HOST, PORT, THREADS


def serve(module: str) -> None:
    """Serve `application` of a module such as `bare.flask` until a signal."""
    Granian(
        f"benchmarks.{module}:application",
        address=HOST,
        port=PORT,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        blocking_threads=THREADS,
        log_enabled=False,
    ).serve()
