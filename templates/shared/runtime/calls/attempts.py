"""Shared code of the clients for other services, with and without an event loop."""

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
import structlog
from pydantic import BaseModel, ValidationError
from tenacity import RetryCallState, retry_if_exception, stop_after_attempt, stop_before_delay
from tenacity import wait_random_exponential as jitter

from ... import NAME
{% if 'tracing' in with %}
from .. import tracing
{% endif %}
from ..deadlines import remaining
from .context import passed_on
from .dependency import CallFailed, Dependency

Model = TypeVar("Model", bound=BaseModel)

MAX_ATTEMPTS: Final = 3
MAX_BYTES: Final = 1_048_576
CONNECT_SECONDS: Final = 1.0  # leaves time for another address if one does not respond
# Shorter than the idle timeout of servers, so a closing connection is rarely used.
_IDLE_SECONDS: Final = 5.0
_MAX_RETRY_AFTER: Final = 3600.0
_REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_TEMPORARY: Final = frozenset({502, 503, 504})
_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": NAME}

_log = structlog.get_logger()
_wait = jitter(multiplier=0.1, max=1)


def options_of(url: str, seconds: float) -> dict[str, Any]:
    """Options of httpx clients: no settings from the environment, no redirects."""
    return {
        "base_url": url,
        "headers": _HEADERS,
        "timeout": httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
        "trust_env": False,
        "follow_redirects": False,
        # A cookie would be sent with other clients' calls too.
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=())),
    }


def limits_of(limit: int) -> httpx.Limits:
    """The limits of the connection pool: one connection for each call in progress."""
    return httpx.Limits(
        max_connections=limit, max_keepalive_connections=limit, keepalive_expiry=_IDLE_SECONDS
    )


def path_of(template: str, values: Iterable[object]) -> str:
    """A path like `/v1/items/{}` with its values quoted, so that none changes the path."""
    if not template.startswith("/"):
        raise ValueError("a path starts with a slash")
    texts = [str(value) for value in values]
    if any(text in ("", ".", "..") for text in texts):
        raise CallFailed("rejected", "a value of the path leads elsewhere")
    return template.format(*(quote(text, safe="") for text in texts))


def time_for(seconds: float) -> float:
    """How long a call may take: `seconds`, or the time left until the caller's deadline."""
    left = remaining()
    return seconds if left is None else min(seconds, left)


def headers_of(given: Mapping[str, str] | None) -> dict[str, str]:
    """The headers of a call: the given ones, and the IDs of the current request."""
    return {**passed_on(), **(given or {})}


@contextmanager
def attempt(
    dependency: Dependency, method: str, url: httpx.URL, headers: dict[str, str]
) -> Iterator[None]:
    """Observe one attempt of a call, and add its trace to the headers."""
{% if 'tracing' in with %}
    with dependency.attempt(), tracing.call(method, url.host, url.port, headers):
        yield
{% else %}
    with dependency.attempt():
        yield
{% endif %}


def retrying(
    dependency: Dependency, method: str, headers: Mapping[str, str], seconds: float
) -> dict[str, Any]:
    """How tenacity retries a call: with jitter, before the deadline, and only if it is safe."""
    keyed = any(name.lower() == "idempotency-key" for name in headers)
    repeatable = method in _REPEATABLE or (method == "POST" and keyed)
    return {
        "retry": retry_if_exception(lambda error: repeatable and _may_repeat(dependency, error)),
        "stop": stop_after_attempt(MAX_ATTEMPTS) | stop_before_delay(seconds),
        "wait": _seconds_to_wait,
        "before_sleep": lambda _: dependency.count_repeat(),
        "reraise": True,
    }


def _may_repeat(dependency: Dependency, error: BaseException) -> bool:
    return isinstance(error, CallFailed) and error.again is not None and dependency.may_repeat()


def _seconds_to_wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.again or 0.0 if isinstance(error, CallFailed) else 0.0
    return asked + _wait(state)


def checked(answer: httpx.Response, accepted: Collection[int]) -> httpx.Response:
    """The response; `CallFailed` if it is neither a success nor accepted."""
    status = answer.status_code
{% if 'tracing' in with %}
    tracing.note_status(status)
{% endif %}
    if answer.is_success or status in accepted:
        return answer
    reason = f"the status is {status}"
    if status == 429:
        raise CallFailed("limited", reason, _retry_after(answer, None))
    if status in _TEMPORARY:
        raise CallFailed("failed", reason, _retry_after(answer, 0.0))
    raise CallFailed("failed" if status >= 500 else "rejected", reason)


def _retry_after(answer: httpx.Response, otherwise: float | None) -> float | None:
    """The seconds in Retry-After, which may also be a date; an hour at most."""
    asked = answer.headers.get("Retry-After", "")
    if asked.isascii() and asked.isdecimal():
        return min(float(asked), _MAX_RETRY_AFTER)
    with suppress(ValueError, OverflowError):
        seconds = parsedate_to_datetime(asked).timestamp() - time.time()
        return min(max(seconds, 0.0), _MAX_RETRY_AFTER)
    return otherwise


class Body:
    """Collects the body of a response, up to `max_bytes`."""

    def __init__(self, answer: httpx.Response, max_bytes: int) -> None:
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise CallFailed("failed", "the body is compressed, which was not asked for")
        self._answer = answer
        self._max_bytes = max_bytes
        self._content = bytearray()

    def add(self, chunk: bytes) -> None:
        """Add a chunk; `CallFailed` if the body is too large."""
        self._content += chunk
        if len(self._content) > self._max_bytes:
            raise CallFailed("failed", f"the body has more than {self._max_bytes} bytes")

    def whole(self) -> httpx.Response:
        """The response with its body; the connection is no longer needed."""
        answer = self._answer
        return httpx.Response(
            answer.status_code,
            headers=answer.headers,
            content=bytes(self._content),
            request=answer.request,
        )


def failure(error: httpx.TransportError, is_over: Callable[[], bool]) -> CallFailed:
    """Why a call got no response; `is_over` says whether its time is over."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.LocalProtocolError):  # nothing was sent, such as a forbidden header
        return CallFailed("rejected", reason)
    if isinstance(error, httpx.TimeoutException):
        return CallFailed("timeout", reason, None if is_over() else 0.0)
    return CallFailed("unreachable", reason, 0.0)


def read(dependency: str, model: type[Model], answer: httpx.Response) -> Model:
    """The body of a response as a model; `CallFailed` if it is not one."""
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        wrong = json.dumps([{"at": one["loc"], "why": one["msg"]} for one in found[:5]])
        _log.error("dependency_response_invalid", dependency=dependency, errors=wrong)
        raise CallFailed("failed", "the body is not what was agreed") from None
