"""Logs on stdout, for the service, its libraries and its server.

One JSON object a line, or readable lines on a terminal.
"""

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
import traceback
from contextlib import suppress
from multiprocessing.util import Finalize
from types import TracebackType
from typing import Any, Final, TextIO, cast

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

SERVER_LOGGERS = ("_granian", "granian.access")


_MAX_WAITING: Final = 1_048_576
_LAST_SECONDS: Final = 1.0  # for lines still buffered when the process exits


class Output:
    """Writes to stdout without blocking or raising.

    Up to 1 MiB is buffered for a slow reader. Lines beyond that, and lines that cannot be written,
    are dropped and counted.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._file: io.FileIO | None = None
        self._lock = threading.RLock()
        self._waiting = bytearray()
        self._within_line = False
        self._closes_with: int | None = None

    def write(self, text: str) -> None:
        """Write lines, or buffer them until the reader has taken the earlier ones."""
        lines = text.encode(errors="replace")
        with self._lock:
            if len(self._waiting) + len(lines) > _MAX_WAITING:
                self.dropped += lines.count(b"\n")
            else:
                self._waiting += lines
            self._send()

    def flush(self) -> None:
        """Do nothing: `write` has written as much as possible."""

    def close(self) -> None:
        """Wait briefly for the reader to take the buffered lines."""
        end = time.monotonic() + _LAST_SECONDS
        while self._waiting and time.monotonic() < end:
            time.sleep(0.01)
            with self._lock:
                self._send()

    def _send(self) -> None:
        try:
            self._file = self._file or _without_waiting(sys.__stdout__)
            while self._waiting:
                # Whole lines, which other processes on the same pipe cannot split; and not by
                # os.write(), which eventlet makes wait for the reader.
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
        """Have `close` called when this process exits, including a server's worker."""
        if self._closes_with != os.getpid():
            self._closes_with = os.getpid()
            atexit.register(self.close)
            Finalize(None, self.close, exitpriority=0)  # workers end without atexit


def _without_waiting(stream: TextIO | None) -> io.FileIO:
    """The file of a stream, opened so that writing fails instead of blocking."""
    if stream is None:
        raise OSError("stdout is closed")
    number = stream.fileno()
    kind = os.fstat(number).st_mode
    if stat.S_ISFIFO(kind) or stat.S_ISCHR(kind):
        # Reopened, because other processes on the same pipe or terminal may need blocking writes.
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


_utc: Final = structlog.processors.TimeStamper(fmt="iso", utc=True, key="time")
_local: Final = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False, key="time")
# Everything outside ASCII is escaped, so that no character can end a line.
_encoder = json.JSONEncoder(ensure_ascii=True, default=repr)


def _render(_: WrappedLogger, __: str, event: EventDict) -> str:
    return _encoder.encode(event)  # json.dumps() would create an encoder for each line


def _escape(text: str, keep: str = "") -> str:
    """Escape unprintable characters: they could forge a line, or control the terminal."""
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)


def _printable(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """All values as text, except for an exception, which `_write_traceback` formats."""
    return {
        _escape(name): value if name == "exc_info" else _escape(str(value))
        for name, value in event.items()
        if name != "trace_id"  # it is long, and the request has a shorter ID
    }


def _write_traceback(file: TextIO, error: ExcInfo) -> None:
    file.write("\n" + _escape("".join(traceback.format_exception(*error)).rstrip(), keep="\n"))


def _is_text(log_format: str) -> bool:
    """Whether LOG_FORMAT selects readable lines; `auto` selects them on a terminal."""
    with suppress(OSError):
        return log_format == "text" or (log_format != "json" and os.isatty(1))
    return False


def _has_colours() -> bool:
    return os.isatty(1) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _processors(log_format: str) -> list[Processor]:
    """The processors that format an event: JSON with UTC time, or text with local time."""
    if not _is_text(log_format):
        return [_utc, structlog.processors.format_exc_info, _render]
    renderer = structlog.dev.ConsoleRenderer(
        colors=_has_colours(),
        exception_formatter=_write_traceback,
        pad_event_to=20,
        sort_keys=False,
        timestamp_key="time",
    )
    return [_local, _printable, renderer]


def formatter(log_format: str) -> logging.Formatter:
    """The formatter for the standard library's records; it produces the same lines."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_processors(log_format),
        ],
    )


def logging_config(level: str, log_format: str) -> dict[str, Any]:
    """The configuration for `logging.config.dictConfig`, of this process and of its workers.

    Libraries log warnings and above; the service and its server log `level` and above.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": f"{__name__}.formatter", "log_format": log_format}},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "formatter": "lines",
                "stream": f"ext://{__name__}.output",
            }
        },
        "root": {"handlers": ["stdout"], "level": max(logging.WARNING, _number(level))},
        "loggers": {
            name: {"handlers": [], "level": _number(level), "propagate": True}
            for name in (__package__.partition(".")[0], *SERVER_LOGGERS)
        },
    }


def configure_logs(level: str, log_format: str) -> None:
    """Log everything to stdout, including uncaught exceptions and warnings.

    `log_format` is "json", "text" or "auto": text on a terminal, JSON elsewhere.
    """
    logging.config.dictConfig(logging_config(level, log_format))
    logging.captureWarnings(True)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _severity, *_processors(log_format)],
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
