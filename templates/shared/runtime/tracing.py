"""Tracing: a span for each request and SQL statement, exported by OTLP over HTTP."""

import atexit
import os
import re
import threading
{% block standard %}
{% if 'calls' in with %}
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
{% endif %}
{% endblock %}
from functools import cache, lru_cache
from importlib import metadata
from multiprocessing.util import Finalize
{% block imports %}
from typing import Any, Final

import structlog
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
{% endblock %}

from .. import NAME

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
# Clients choose the length of a path, and 2,048 spans may be buffered if a collector hangs.
_MAX_TEXT: Final = 1024
_MAX_STATEMENT: Final = 4096
_LAST_SECONDS: Final = 3.0  # for spans that are still unsent when the process exits
_VALUE = re.compile(
    r"\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'"
    r"|\$(\w*)\$.*?\$\1\$|(?<![\w$:])[0-9][\w.]*",
    re.DOTALL,
)
_lock = threading.Lock()
_propagator = TraceContextTextMapPropagator()


@cache
def is_enabled() -> bool:
    """Whether the environment configures a collector."""
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not disabled and any(os.environ.get(name) for name in _ENDPOINTS)


def unusable_variable() -> str | None:
    """A variable whose value OpenTelemetry rejects, which would make every request fail."""
    for name in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
        pairs = os.environ.get(name, "").split(",")
        if not all("=" in pair for pair in pairs if pair.strip()):
            return name  # the SDK would log the value, which may be a secret
    if not is_enabled() or _is_usable():
        return None
    for name in sorted(name for name in os.environ if name.startswith("OTEL_")):
        value = os.environ.pop(name)
        try:
            if _is_usable():
                return name
        finally:
            os.environ[name] = value
    return "OTEL_*"


def _is_usable() -> bool:
    try:
        _provider().shutdown()
    except Exception:
        return False
    return True


def start(method: str, path: str, traceparent: str | None) -> Span | None:
    """Start the span of a request, a child of a valid `traceparent`; None without a collector.

    It is the current span until `leave`, or until this thread or task starts another one.
    """
    if not is_enabled():
        return None
    parent = context.Context()
    if traceparent:
        parent = _propagator.extract({"traceparent": traceparent}, parent)
    known = {"http.request.method": method, "url.path": path[:_MAX_TEXT], "url.scheme": "http"}
    span = _tracer().start_span(method, parent, SpanKind.SERVER, known)
    enter(span)
    return span


def enter(span: Span | None) -> None:
    """Make the span of a request the current one."""
    if span is not None:
        ids = span.get_span_context()
        structlog.contextvars.bind_contextvars(span_id=trace.format_span_id(ids.span_id))
        context.attach(trace.set_span_in_context(span, context.Context()))


def leave() -> None:
    """Have no current span, because the following work belongs to none."""
    if is_enabled():
        context.attach(context.Context())


def end(span: Span, method: str, route: str, status: int) -> None:
    """End the span of a request, named by its method and the path template that matched."""
    name = "HTTP" if method == "_OTHER" else method
    span.update_name(f"{name} {route}".rstrip())
    span.set_attribute("http.request.method", method)
    span.set_attribute("http.response.status_code", status)
    if route:
        span.set_attribute("http.route", route)
    if status >= 500:
        span.set_attribute("error.type", str(status))
        span.set_status(StatusCode.ERROR)
    span.end()
    leave()


def start_statement(system: str, statement: str) -> Span | None:
    """Start the span of a statement, without the values in it; None outside a traced request."""
    if not trace.get_current_span().is_recording():
        return None
    operation, text = _described(statement)
    known = {"db.system.name": system, "db.operation.name": operation, "db.query.text": text}
    return _tracer().start_span(f"{operation} {system}", None, SpanKind.CLIENT, known)


def end_statement(span: Span, error: BaseException | None = None) -> None:
    """End the span of a statement; for an error only the type, as its message contains values."""
    if error is not None:
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(StatusCode.ERROR)
    span.end()


{% if 'calls' in with %}
@contextmanager
def call(
    method: str, host: str, port: int | None, headers: MutableMapping[str, str]
) -> Iterator[None]:
    """Make a span for a call to another service, passed on in `headers`; only in a traced request.

    If the request is not sampled, `headers` pass that on. The path is not recorded, because it may
    contain personal data.
    """
    if not trace.get_current_span().is_recording():
        _propagator.inject(headers)  # a request not sampled here is not sampled there either
        yield
        return
    known: dict[str, str | int] = {"http.request.method": method, "server.address": host}
    if port is not None:
        known["server.port"] = port
    span = _tracer().start_span(method, None, SpanKind.CLIENT, known)
    # Only the kind of error is recorded, because the message may contain personal data.
    quiet = {"record_exception": False, "set_status_on_exception": False}
    with trace.use_span(span, end_on_exit=True, **quiet):
        _propagator.inject(headers)
        try:
            yield
        except BaseException as error:
            span.set_status(StatusCode.ERROR)
            span.set_attribute("error.type", getattr(error, "kind", type(error).__qualname__))
            raise


def note_status(status: int) -> None:
    """Record the status of another service's response."""
    trace.get_current_span().set_attribute("http.response.status_code", status)


{% endif %}
{% block statements %}
def trace_statements(engine: Engine) -> None:
    """Make a span for each statement of an engine."""
    if not is_enabled():
        return

    @event.listens_for(engine, "before_cursor_execute")
    def begin(connection: Any, _: object, statement: str, *__: object) -> None:
        connection.info["span"] = start_statement(engine.dialect.name, statement)

    @event.listens_for(engine, "after_cursor_execute")
    def finish(connection: Any, *_: object) -> None:
        if (span := connection.info.pop("span", None)) is not None:
            end_statement(span)

    @event.listens_for(engine, "handle_error")
    def fail(failure: ExceptionContext) -> None:
        connection = failure.connection
        if connection is not None and (span := connection.info.pop("span", None)) is not None:
            end_statement(span, failure.original_exception)


{% endblock %}
@lru_cache(256)
def _described(statement: str) -> tuple[str, str]:
    """The operation of a statement, and its text with each value replaced by a question mark."""
    operation = statement.split(maxsplit=1)[0].upper() if statement.strip() else ""
    return operation, _VALUE.sub("?", statement)[:_MAX_STATEMENT]


def _tracer() -> Tracer:
    with _lock:
        return made_tracer()


@cache
def made_tracer() -> Tracer:
    """The tracer of this process, created while serving because its thread does not survive a fork.

    The queue is bounded; spans that do not fit are dropped.
    """
    provider = _provider()
    trace.set_tracer_provider(provider)  # for spans of the owner's own
    atexit.register(_flush, provider)
    Finalize(None, _flush, (provider,), exitpriority=1)  # workers end without atexit
    return provider.get_tracer(NAME)


def _provider() -> TracerProvider:
    own = {"service.name": NAME, "service.version": metadata.version(NAME)}
    resource = Resource.create(own).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _flush(provider: TracerProvider) -> None:
    """Send the remaining spans, without waiting long for a collector that does not accept them."""
    last = threading.Thread(target=provider.shutdown, daemon=True)
    last.start()
    last.join(_LAST_SECONDS)
