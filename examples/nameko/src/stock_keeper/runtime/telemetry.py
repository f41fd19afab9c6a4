"""Request IDs, metrics and the log line of each request."""

import re
import time
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from random import randbytes

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, Histogram

from .. import NAME
from . import metrics
from .logs import output

METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)
QUIET_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
METRICS_CONTENT_TYPE = CONTENT_TYPE_LATEST

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_TRACEPARENT = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})"
    r"-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<later>-.*)?"
)
_log = structlog.get_logger()

_durations = Histogram(
    "http_server_request_duration_seconds",
    "Duration of requests by method, route and status.",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)
_active = Gauge(
    "http_server_active_requests",
    "Requests in progress by method.",
    ["http_request_method"],
    multiprocess_mode="livesum",
)
_build = Gauge(
    "build_info",
    "The service, by name and version.",
    ["service", "version"],
    multiprocess_mode="livemax",
)
_build.labels(NAME, metadata.version(NAME)).set(1)
# Cached because labels() costs more than observing.
_duration_of = cache(_durations.labels)
_active_of = cache(_active.labels)


metrics.watch_counter(
    "log_lines_dropped", "Lines of the log that could not be written.", lambda: output.dropped
)


@dataclass(slots=True)
class RequestContext:
    """A request in progress. `route` is the path template that matched, empty if none has."""

    method: str
    path: str
    request_id: str
    trace_id: str
    started: float
    route: str = ""


def begin(
    method: str, path: str, request_id: str | None, traceparent: str | None
) -> RequestContext:
    """Start observing a request: the client's IDs are kept if valid, otherwise replaced.

    Until `finish`, every line logged in this context has both IDs.
    """
    # os.urandom() releases the GIL, which costs throughput; these IDs need not be unguessable.
    context = RequestContext(
        method=method if method in METHODS else "_OTHER",
        path=path,
        request_id=_valid_request_id(request_id) or randbytes(16).hex(),  # noqa: S311
        trace_id=_trace_id(traceparent) or randbytes(16).hex(),  # noqa: S311
        started=time.perf_counter(),
    )
    structlog.contextvars.bind_contextvars(request_id=context.request_id, trace_id=context.trace_id)
    _active_of(context.method).inc()
    return context


def finish(context: RequestContext, status: int) -> None:
    """Count the response and log its line; probes and metrics are logged only at debug level."""
    seconds = time.perf_counter() - context.started
    _active_of(context.method).dec()
    _duration_of(context.method, context.route, str(status)).observe(seconds)
    log = _log.debug if context.path in QUIET_PATHS else _log.info
    log(
        "request",
        method=context.method,
        route=context.route,
        path=context.path,
        status=status,
        duration_ms=round(seconds * 1000, 3),
    )
    structlog.contextvars.clear_contextvars()


def subject() -> str:
    """The subject of the client's token, or empty."""
    return str(structlog.contextvars.get_contextvars().get("subject", ""))


def _valid_request_id(value: str | None) -> str | None:
    return value if value and _REQUEST_ID.fullmatch(value) else None


def _trace_id(traceparent: str | None) -> str | None:
    match = _TRACEPARENT.fullmatch(traceparent or "")
    if match is None or (match["version"] == "00" and match["later"]):
        return None
    return match["trace"]
