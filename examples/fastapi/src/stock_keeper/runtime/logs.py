"""Logs: one JSON object a line on stdout, for the service, its libraries and its server."""

import atexit
import io
import json
import logging
import logging.config
import os
import select
import stat
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.util import Finalize
from types import TracebackType
from typing import Any, Final, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

SERVER_LOGGERS = ("_granian", "granian.access")


_MAX_WAITING: Final = 1_048_576
_LAST_SECONDS: Final = 1.0  # for what still waits when the process ends


class Output:
    """stdout, written without waiting and without raising.

    What a slow reader has not taken yet waits in memory, up to 1 MiB. Lines beyond that, and lines
    that cannot be written, are dropped and counted.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._file: io.FileIO | None = None
        self._lock = threading.RLock()
        self._waiting = bytearray()
        self._within_line = False
        self._closes_with: int | None = None

    def write(self, text: str) -> None:
        """Write lines, or keep them until the reader has taken those before."""
        lines = text.encode(errors="replace")
        with self._lock:
            if len(self._waiting) + len(lines) > _MAX_WAITING:
                self.dropped += lines.count(b"\n")
            else:
                self._waiting += lines
            self._send()

    def flush(self) -> None:
        """Nothing: `write` has written what can be."""

    def close(self) -> None:
        """Wait a moment for the reader to take what waits."""
        end = time.monotonic() + _LAST_SECONDS
        while self._waiting and time.monotonic() < end:
            time.sleep(0.01)
            with self._lock:
                self._send()

    def _send(self) -> None:
        try:
            self._file = self._file or _without_waiting(sys.__stdout__)
            while self._waiting:
                # Whole lines, of which another process that shares the pipe can part none; and not
                # by os.write(), which eventlet has wait until the reader goes on.
                end = self._waiting.rfind(b"\n", 0, select.PIPE_BUF) + 1
                written = self._file.write(self._waiting[: end or None])
                if not written:
                    self._close_later()
                    return
                self._within_line = self._waiting[written - 1] != ord("\n")
                del self._waiting[:written]
        except (OSError, ValueError):
            self.dropped += self._waiting.count(b"\n")
            self._waiting[:] = b"\n" if self._within_line else b""

    def _close_later(self) -> None:
        """Have `close` called at the end of this process, a server's worker included."""
        if self._closes_with != os.getpid():
            self._closes_with = os.getpid()
            atexit.register(self.close)
            Finalize(None, self.close, exitpriority=0)  # workers end without atexit


def _without_waiting(stream: TextIO | None) -> io.FileIO:
    """The file of a stream, for writing that fails where it would wait."""
    if stream is None:
        raise OSError("stdout is closed")
    number = stream.fileno()
    kind = os.fstat(number).st_mode
    if stat.S_ISFIFO(kind) or stat.S_ISCHR(kind):
        # Opened again, because who shares the pipe or the terminal may want to wait.
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
            return io.FileIO(os.open(f"/dev/fd/{number}", flags), "wb")
    if not stat.S_ISREG(kind):
        os.set_blocking(number, False)
    return io.FileIO(number, "wb", closefd=False)


output: Final = Output()


def _severity(_: WrappedLogger, name: str, event: EventDict) -> EventDict:
    event["level"] = "warning" if name == "warn" else name
    return event


_common: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    _severity,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.format_exc_info,
]
# Everything outside ASCII is escaped, so that no character can end a line.
_encoder = json.JSONEncoder(ensure_ascii=True, default=repr)


def _render(_: WrappedLogger, __: str, event: EventDict) -> str:
    return _encoder.encode(event)  # json.dumps() would create an encoder for each line


def json_formatter() -> logging.Formatter:
    """The formatter for records of the standard library; it writes the same JSON."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _render,
        ],
    )


def logging_config(level: str) -> dict[str, Any]:
    """The configuration for `logging.config.dictConfig`, of this process and of its workers.

    Libraries log from warnings on; the service and its server from `level` on.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": f"{__name__}.json_formatter"}},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "stream": f"ext://{__name__}.output",
            }
        },
        "root": {"handlers": ["stdout"], "level": max(logging.WARNING, _number(level))},
        "loggers": {
            name: {"handlers": [], "level": _number(level), "propagate": True}
            for name in (__package__.partition(".")[0], *SERVER_LOGGERS)
        },
    }


def configure_logs(level: str) -> None:
    """Log everything to stdout as JSON, including uncaught exceptions and warnings."""
    logging.config.dictConfig(logging_config(level))
    logging.captureWarnings(True)
    structlog.configure(
        processors=[*_common, _render],
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", output)),
        cache_logger_on_first_use=True,
    )
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda args: _log_uncaught(
        args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
    )
    sys.unraisablehook = lambda args: _log_uncaught(
        args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
    )


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logging.getLogger("process").critical("uncaught_exception", exc_info=(kind, error, trace))
