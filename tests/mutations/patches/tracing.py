"""Patches of services that trace their requests."""

from __future__ import annotations

from dataclasses import replace

from tests.mutations.patches.patch import TELEMETRY, Patch

TRACING = "{package}/runtime/tracing.py"


def traced(*patches: Patch) -> list[Patch]:
    """Patches of a service that has `tracing`."""
    return [replace(patch, having=("tracing",)) for patch in patches]


PATCHES = traced(
    Patch(
        "T1",
        "the caller's trace is not continued",
        TRACING,
        "    if traceparent:\n",
        "    if not traceparent:\n",
        by="test_a_request_is_a_span_by_the_conventions",
    ),
    Patch(
        "T1",
        "the log has an id that is not exported",
        TRACING,
        "span_id=trace.format_span_id(ids.span_id)",
        "span_id=trace.format_span_id(ids.span_id + 1)",
        by="test_the_log_has_the_ids_that_are_exported",
    ),
    Patch(
        "T1",
        "probes are traced",
        TELEMETRY,
        "    if context.path in QUIET_PATHS:\n        tracing.leave()",
        "    if not context.path:\n        tracing.leave()",
        by="test_probes_and_what_is_not_sampled_are_not_traced",
    ),
    Patch(
        "T1",
        "a span is named by its status",
        TRACING,
        'span.update_name(f"{name} {route}".rstrip())',
        'span.update_name(f"{name} {status}")',
        by="test_a_request_is_a_span_by_the_conventions",
    ),
    Patch(
        "T1",
        "the error of a statement is told with its values",
        TRACING,
        'span.set_attribute("error.type", type(error).__qualname__)',
        'span.set_attribute("error.type", str(error))',
        by="test_a_statement_that_fails_tells_its_kind_alone",
    ),
    Patch(
        "T1",
        "statements belong to no request",
        TRACING,
        '_tracer().start_span(f"{operation} {system}", None,',
        '_tracer().start_span(f"{operation} {system}", context.Context(),',
        by="test_statements_are_spans_without_their_values",
    ),
    Patch(
        "T1",
        "the span of a request is not the current one",
        TRACING,
        "context.attach(trace.set_span_in_context(span, context.Context()))",
        "leave()",
        by="test_requests_at_once_do_not_share_their_spans",
    ),
    Patch(
        "T1",
        "a span has a path of any length",
        TRACING,
        "path[:_MAX_TEXT]",
        "path",
        by="test_what_a_client_sends_makes_no_long_span",
    ),
    Patch(
        "T1",
        "a variable that the SDK cannot use is found by the first request",
        TRACING,
        "    if not is_enabled() or _is_usable():",
        "    if _ENDPOINTS:",
        by="test_a_variable_that_the_sdk_cannot_use_ends_it_with_one_line",
    ),
    Patch(
        "T2",
        "a request waits for the collector",
        TRACING,
        "BatchSpanProcessor(OTLPSpanExporter())",
        "__import__('opentelemetry.sdk.trace.export', fromlist=['x']).SimpleSpanProcessor(\n"
        "        OTLPSpanExporter())",
        by="test_a_collector_in_trouble_slows_nobody",
    ),
    Patch(
        "T2",
        "what is held is lost at the end",
        TRACING,
        "    last.start()\n    last.join(_LAST_SECONDS)\n",
        "    assert last\n",
        by="test_what_is_held_is_sent_at_the_end",
    ),
    Patch(
        "T2",
        "without a collector it looks for one on this machine",
        TRACING,
        "return not disabled and any(os.environ.get(name) for name in _ENDPOINTS)",
        "return not disabled",
        by="test_without_a_collector_nothing_is_sent_and_the_log_is_as_ever",
    ),
)
