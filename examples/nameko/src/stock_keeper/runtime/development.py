"""`dev`: serve, and restart whenever the code changes."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values
from watchfiles import watch

from .cli import migrate, start
from .lifecycle import stop_signals
from .settings import Settings, SettingsError, load_settings

_PACKAGE: Final = Path(__file__).parents[1]
_VARIABLES: Final = Path(".env")
_BAD_SETTING: Final = 2
_END_SECONDS: Final = 1.5  # a connected browser or stream does not delay a reload for longer
_FIRST: Final = "--first"
_log: Final = logging.getLogger(f"{__package__}.development")


def develop() -> int:
    """Serve from a child process that is replaced when a file changes, until a signal.

    The exit code is 2 if a setting is invalid at the start; after any other failure of the child,
    wait for the next change.
    """
    stopping = threading.Event()
    for number in stop_signals():
        signal.signal(number, lambda *_: stopping.set())
    variables, told = _modified(), False
    process, is_first = _start(_FIRST), True
    for found in watch(_PACKAGE, stop_event=stopping, rust_timeout=250, yield_on_timeout=True):
        ended = process.poll()
        if ended is not None and not told:
            if is_first and ended == _BAD_SETTING:
                return ended
            told = True
            _log.error("the service has ended; it starts again when a file changes")
        if found or variables != _modified():
            names = sorted({Path(path).relative_to(_PACKAGE).as_posix() for _, path in found})
            _log.info("reloading after a change of %s", ", ".join(names) or _VARIABLES)
            is_first, variables, told = is_first and ended is not None, _modified(), False
            _end(process)
            process = _start(*([_FIRST] if is_first else []))
    _end(process)
    return 0


def _modified() -> int:
    return _VARIABLES.stat().st_mtime_ns if _VARIABLES.exists() else 0


def _start(*arguments: str) -> subprocess.Popen[bytes]:
    """Start the process that serves. Variables that are set take precedence over those of .env."""
    try:
        found = dotenv_values(_VARIABLES, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f".env: cannot be read: {error}") from None
    environment = {name: value for name, value in found.items() if value is not None} | os.environ
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", __name__, *arguments],
        env=environment | {"DRAIN_SECONDS": "0", "WORKERS": "1"},
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _serve(settings: Settings) -> None:
    """Serve in development; the first start migrates the database."""
    # Imported here because it takes a second; a bad setting is reported before that.
    from .database import Database  # noqa: PLC0415
    from .server import serve  # noqa: PLC0415

    is_first = _FIRST in sys.argv
    if is_first:
        _log.warning(
            "serving for development, not for production: http://%s:%d/docs, with %s",
            settings.host,
            settings.port,
            settings.database_label,
        )
    database = Database(settings)
    checks = database.checks()
    if checks.get("schema") is False and is_first:
        migrate(database)
    elif not all(checks.values()):
        why = "its schema is not migrated" if checks["database"] else "it does not answer"
        _log.warning("the database cannot be used: %s", why)
    database.close()
    serve(settings, development=True)


def application() -> Any:
    """Create the application in a server's worker process."""
    app = import_module(".server", __package__).application()
    # A signal may not be handled before this timer next fires.
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    show_errors(app)
    settings = load_settings()
    if settings.log_level == "info":
        logging.getLogger("_granian").setLevel(logging.WARNING)
    _log.info("listening on %s:%d", settings.host, settings.port)
    return app


def show_errors(app: Any) -> None:
    """Show errors to browsers, unless other machines are served: the page shows source code."""
    host = load_settings().host
    if host in ("localhost", "::1") or host.startswith("127."):
        import_module(".error_page", __package__).show_errors(app)


if __name__ == "__main__":
    if sys.platform == "linux":
        # This process ends together with the one that watches the files.
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    start(_serve, listens=True)
