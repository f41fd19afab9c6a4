"""Logs: one JSON object a line on stdout, for the service, its libraries and its server."""

import json
import logging
import logging.config
import sys
import threading
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

SERVER_LOGGERS = ("_granian", "granian.access")


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
                "stream": "ext://sys.stdout",
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
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
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
