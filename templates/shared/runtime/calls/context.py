"""Headers that a request passes on to other services."""

import re
from collections.abc import Mapping
from contextvars import ContextVar

_TRACESTATE = re.compile(r"[\x20-\x7e]{1,512}")
_headers: ContextVar[Mapping[str, str] | None] = ContextVar("headers", default=None)


def pass_on(
    request_id: str, trace_id: str, traceparent: str | None = None, tracestate: str | None = None
) -> None:
    """Have calls made for this request carry its ID, and its trace if it has one."""
    headers = {"X-Request-ID": request_id}
    if traceparent and trace_id in traceparent:  # otherwise it is not valid
        # A later version may have anything after the known fields.
        headers["traceparent"] = f"00{traceparent[2:55]}"
        if _TRACESTATE.fullmatch(tracestate or ""):
            headers["tracestate"] = str(tracestate)
    _headers.set(headers)


def passed_on() -> Mapping[str, str]:
    """The headers that a call inherits from the current request."""
    return _headers.get() or {}
