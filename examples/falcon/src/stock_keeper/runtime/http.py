"""What HTTP asks of every route: problems, JSON bodies, queries, entity tags, health reports."""

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote
from uuid import UUID

from pydantic import BaseModel, ValidationError

from . import Duplicate, NotFound, Outdated, Unavailable

PROBLEM_CONTENT_TYPE = "application/problem+json"
HEALTH_CONTENT_TYPE = "application/health+json"
MAX_HEADER_BYTES = 32_768
BODILESS = frozenset({204, 304})
NOSNIFF = ("X-Content-Type-Options", "nosniff")

Model = TypeVar("Model", bound=BaseModel)

_log = logging.getLogger(__name__)
_MOST_ERRORS = 20
_JSON_MEDIA_TYPE = re.compile(r'application/json[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?', re.I)
_PORT = re.compile(r":[0-9]+$")
_CURSOR = re.compile(r"[0-7][0-9a-f]{15}")
_LIMIT = re.compile(r"100|[1-9][0-9]?")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


class Problem(Exception):
    """An answer that is an error, as RFC 9457 has it.

    `errors` are pairs of a JSON pointer (or a query parameter's name) and what is wrong there;
    `headers` go with the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        errors: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = HTTPStatus(status)
        self.detail = detail or self.status.description or self.status.phrase
        self.errors = [{"pointer": pointer, "detail": why} for pointer, why in errors]
        self.headers = dict(headers or {})

    def body(self, path: str, request_id: str) -> bytes:
        """The problem of this request, as `application/problem+json`."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            "instance": quote(path, safe="/:@!$&'()*+,;=-._~"),
            "request_id": request_id,
        }
        if self.errors:
            document["errors"] = self.errors
        return json.dumps(document).encode()


def invalid(where: str, why: str) -> Problem:
    """The problem of one invalid value, at a JSON pointer or a query parameter's name."""
    return Problem(422, "The request is not valid.", errors=[(where, why)])


def problem_of(error: Exception) -> Problem:
    """The problem that an error means to a caller; what is not foreseen is logged, and a 500."""
    match error:
        case Problem():
            return error
        case NotFound():
            return Problem(404)
        case Duplicate():
            return Problem(409, str(error))
        case Outdated():
            return Problem(412, str(error))
        case Unavailable():
            return Problem(503, "The database does not answer.", headers={"Retry-After": "1"})
    _log.error("unhandled_error", exc_info=error)
    return Problem(500)


def check_host(header: str, allowed: Iterable[str]) -> None:
    """Refuse a Host that is not among those allowed: exact names, or `*.` and a domain."""
    host = _PORT.sub("", header.lower())
    for pattern in allowed:
        if host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:])):
            return
    raise Problem(400, "The Host is not one that this service answers for.")


def read_json(
    model: type[Model], content_type: str | None, content_encoding: str | None, body: bytes
) -> Model:
    """The body as `model`; a `Problem` with 415, 400 or 422 where it is something else."""
    check_json(content_type, content_encoding, body)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _refusal(error) from None


def check_json(content_type: str | None, content_encoding: str | None, body: bytes) -> None:
    """Refuse (415, 400) what is not sent as a JSON document."""
    if content_encoding:
        raise Problem(415, "A body with a Content-Encoding is not accepted.")
    if not body:
        raise Problem(400, "The body is empty; it must be a JSON object.")
    if not _JSON_MEDIA_TYPE.fullmatch(content_type or ""):
        raise Problem(415, "The body must be sent as application/json.")


def _refusal(error: ValidationError) -> Problem:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if any(one["type"] == "json_invalid" for one in found):
        return not_json()
    return invalid_body((one["loc"], one["msg"]) for one in found)


def not_json() -> Problem:
    """The problem of a body that cannot be read at all."""
    return Problem(400, "The body is not valid JSON in UTF-8.")


def invalid_body(found: Iterable[tuple[Iterable[int | str], str]]) -> Problem:
    """The problem of a body of the wrong content: pairs of where, as keys and indices, and why."""
    errors = [(_pointer(location), why) for location, why in islice(found, _MOST_ERRORS)]
    return Problem(422, "The body is not valid.", errors=errors)


def _pointer(location: Iterable[int | str]) -> str:
    steps = (str(step)[:100].replace("~", "~0").replace("/", "~1") for step in location)
    return "".join(f"/{step}" for step in steps)


def read_id(text: str) -> UUID:
    """The id in a path; one that is malformed belongs to nothing: `NotFound`."""
    if not _UUID.fullmatch(text):
        raise NotFound
    return UUID(text)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: at most `limit` rows after the position `after`."""

    limit: int = 50
    after: int = 0


def read_page(query: str) -> Page:
    """The page that a query string asks for; a `Problem` with 422 for what it cannot be."""
    values = read_query(query)
    limit = _read("limit", read_limit, values.get("limit", "50"))
    return Page(limit, _read("cursor", read_cursor, values.get("cursor", "0" * 16)))


def read_limit(text: str) -> int:
    """How many rows a page may have, or a ValueError that says what is right."""
    if not _LIMIT.fullmatch(text):
        raise ValueError("It must be a whole number from 1 to 100.")
    return int(text)


def read_cursor(text: str) -> int:
    """The position behind a cursor, or a ValueError that says what is right."""
    if not _CURSOR.fullmatch(text):
        raise ValueError("It must be the next_cursor of an earlier page.")
    return int(text, 16)


def _read(name: str, reader: Callable[[str], int], text: str) -> int:
    try:
        return reader(text)
    except ValueError as error:
        raise invalid(name, str(error)) from None


def read_query(query: str) -> dict[str, str]:
    """The parameters of a query string; a `Problem` with 422 if one is repeated or not UTF-8."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError:
        raise invalid("", "The query is not valid.") from None
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1)
        raise invalid(twice[:100], "It must not be repeated.")
    return values


def cursor_after(position: int) -> str:
    """The opaque cursor of what comes after `position`."""
    return f"{position:016x}"


def entity_tag(revision: str) -> str:
    """The strong entity tag of a revision."""
    return f'"{revision}"'


def if_match(header: str | None) -> frozenset[str] | None:
    """The revisions that an If-Match permits; None where any will do."""
    if header is None or header.strip() == "*":
        return None
    return frozenset(tag[1:-1] for tag in _ENTITY_TAG.findall(header) if not tag.startswith("W/"))


def none_match(header: str | None, revision: str) -> bool:
    """Whether an If-None-Match names this revision (compared weakly), so that 304 is the answer."""
    if header is None:
        return False
    tags = (tag.removeprefix("W/")[1:-1] for tag in _ENTITY_TAG.findall(header))
    return header.strip() == "*" or revision in tags


def health_report(checks: Mapping[str, bool], draining: bool) -> tuple[int, bytes]:
    """Status and body of a readiness answer: 200 where every check passes, else 503."""
    word = {True: "pass", False: "fail"}
    if draining:
        checks = {**checks, "draining": False}
    healthy = all(checks.values())
    report = {
        "status": word[healthy],
        "checks": {name: {"status": word[passed]} for name, passed in checks.items()},
    }
    return (200 if healthy else 503), json.dumps(report).encode()
