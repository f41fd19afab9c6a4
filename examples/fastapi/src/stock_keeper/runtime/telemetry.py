"""What is known of each request: its ids, its metrics and its line in the log."""

import re
import time
from dataclasses import dataclass
from functools import cache
from random import randbytes

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Gauge, Histogram, generate_latest

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
    "How long requests took, by method, route and status.",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)
_active = Gauge(
    "http_server_active_requests",
    "How many requests are in progress, by method.",
    ["http_request_method"],
)
# A series is looked up once: labels() costs more than observing.
_duration_of = cache(_durations.labels)
_active_of = cache(_active.labels)


@dataclass(slots=True)
class Exchange:
    """One request and its answer. `route` is the template that matched, empty while none has."""

    method: str
    path: str
    request_id: str
    trace_id: str
    started: float
    route: str = ""


def begin(method: str, path: str, request_id: str | None, traceparent: str | None) -> Exchange:
    """Start to observe a request: keep the caller's ids where they are valid, else make new ones.

    Until `finish`, every line that this context logs carries both ids.
    """
    # To ask the system for random bytes would let go of the interpreter; an id is no secret.
    exchange = Exchange(
        method=method if method in METHODS else "_OTHER",
        path=path,
        request_id=_valid_request_id(request_id) or randbytes(16).hex(),  # noqa: S311
        trace_id=_trace_id(traceparent) or randbytes(16).hex(),  # noqa: S311
        started=time.perf_counter(),
    )
    structlog.contextvars.bind_contextvars(
        request_id=exchange.request_id, trace_id=exchange.trace_id
    )
    _active_of(exchange.method).inc()
    return exchange


def finish(exchange: Exchange, status: int) -> None:
    """Count the answer and log its line; probes and metrics speak at debug level only."""
    seconds = time.perf_counter() - exchange.started
    _active_of(exchange.method).dec()
    _duration_of(exchange.method, exchange.route, str(status)).observe(seconds)
    log = _log.debug if exchange.path in QUIET_PATHS else _log.info
    log(
        "request",
        method=exchange.method,
        route=exchange.route,
        path=exchange.path,
        status=status,
        duration_ms=round(seconds * 1000, 3),
    )
    structlog.contextvars.clear_contextvars()


def metrics() -> bytes:
    """Everything that was counted, as Prometheus' text."""
    return generate_latest(REGISTRY)


def _valid_request_id(value: str | None) -> str | None:
    return value if value and _REQUEST_ID.fullmatch(value) else None


def _trace_id(traceparent: str | None) -> str | None:
    match = _TRACEPARENT.fullmatch(traceparent or "")
    if match is None or (match["version"] == "00" and match["later"]):
        return None
    return match["trace"]
