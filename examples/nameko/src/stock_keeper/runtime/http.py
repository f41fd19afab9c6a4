"""HTTP for all handlers: problems, JSON bodies, query strings and entity tags."""

import json
import logging
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, quote
from uuid import UUID

from pydantic import BaseModel, ValidationError

from . import (
    Duplicate,
    InProgress,
    InvalidContent,
    KeyReused,
    NotFound,
    StaleRevision,
    StillReferenced,
    Unavailable,
    UnknownReference,
)
from .bodies import MAX_VALUES, has_too_many_values

JSON_CONTENT_TYPE = "application/json"
PROBLEM_CONTENT_TYPE = "application/problem+json"
MAX_HEADER_BYTES = 32_768
BODILESS = frozenset({204, 304})
NOSNIFF = ("X-Content-Type-Options", "nosniff")

Model = TypeVar("Model", bound=BaseModel)

_log = logging.getLogger(__name__)
_MAX_ERRORS = 20
_MANY_ERRORS = 1_000
_MAX_PARAMETERS = 50
_MEDIA_TYPE = re.compile(r'([\w.+-]+/[\w.+-]+)[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?', re.I | re.A)
_PORT = re.compile(r":[0-9]+$")
_LIMIT = re.compile(r"[1-9][0-9]{0,8}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


class Problem(Exception):
    """An error response in the format of RFC 9457.

    `errors` are pairs of a JSON pointer (or the name of a query parameter) and a message; `headers`
    are sent with the response. `members` are added to its body, where they may replace `type` and
    `title`.
    """

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        errors: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.title, description = _status(status)
        self.detail = detail or description
        self.errors = [{"pointer": pointer, "detail": why} for pointer, why in errors]
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def body(self, path: str, request_id: str) -> bytes:
        """The problem of the request at `path`, as `application/problem+json`."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": quote(path, safe="/:@!$&'()*+,;=-._~"),
            "request_id": request_id,
        }
        if self.errors:
            document["errors"] = self.errors
        return json.dumps(document | self.members).encode()


def _status(code: int) -> tuple[int, str, str]:
    """The status with its phrase and a description; those of its class if it is not registered."""
    try:
        known = HTTPStatus(code)
    except ValueError:
        known = HTTPStatus(code // 100 * 100)
    return code, known.phrase, known.description or known.phrase


def invalid(where: str, why: str) -> Problem:
    """The problem of one invalid value, at a JSON pointer or the name of a query parameter."""
    return Problem(422, "The request is not valid.", errors=[(where, why)])


# Raised by stores and handlers to reject a request; everything else is a bug.
EXPECTED: Final = (
    Duplicate,
    InProgress,
    InvalidContent,
    KeyReused,
    NotFound,
    Problem,
    StaleRevision,
    StillReferenced,
    Unavailable,
    UnknownReference,
)


def problem_of(error: Exception) -> Problem:
    """Convert an error to a problem; unexpected errors are logged and become a 500."""
    match error:
        case Problem():
            problem = error
        case NotFound():
            problem = Problem(404)
        case Duplicate() | StillReferenced():
            problem = Problem(409, str(error))
        case InProgress():
            problem = Problem(409, str(error), headers={"Retry-After": "1"})
        case StaleRevision():
            problem = Problem(412, str(error))
        case UnknownReference():
            why = "It refers to nothing that exists."
            problem = invalid_body(((name,), why) for name in error.fields)
        case KeyReused():
            problem = invalid("Idempotency-Key", str(error))
        case InvalidContent():
            problem = invalid_body(error.errors)
        case Unavailable():
            problem = Problem(503, "The database does not answer.", headers={"Retry-After": "1"})
        case _:
            _log.error("unhandled_error", exc_info=error)
            problem = Problem(500)
    return problem


def check_host(header: str, allowed: Iterable[str]) -> None:
    """Reject a Host that is not allowed; `allowed` has exact names, or `*.` and a domain."""
    host = _PORT.sub("", header.lower())
    for pattern in allowed:
        if host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:])):
            return
    raise Problem(400, "This service does not serve that host.")


def read_model(
    model: type[Model],
    content_type: str | None,
    content_encoding: str | None,
    body: bytes,
    *other_types: str,
) -> Model:
    """Parse a JSON body as `model`; a `Problem` with 415, 400 or 422 if it is not valid."""
    check_json(content_type, content_encoding, body, *other_types)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = _errors(error)
    # Raised in the block above, or kept in a variable, it would keep the error and the body.
    raise not_json() if found is None else invalid_body(found)


def check_json(
    content_type: str | None, content_encoding: str | None, body: bytes, *other_types: str
) -> None:
    """Reject (415, 400) types other than `application/json` and `other_types`."""
    if content_encoding:
        raise Problem(415, "A body with a Content-Encoding is not accepted.")
    if not body:
        raise Problem(400, "The body is empty; it must be a JSON object.")
    match = _MEDIA_TYPE.fullmatch(content_type or "")
    if match is None or match[1].lower() not in ("application/json", *other_types):
        accepted = " or ".join(("application/json", *other_types))
        raise Problem(415, f"The body must be sent as {accepted}.")
    check_values(body)


def check_values(body: bytes) -> None:
    """Reject (400) JSON of too many values, whose parsed form would take too much memory."""
    if has_too_many_values(body):
        raise Problem(400, f"The body has more than {MAX_VALUES:,} values.")


def _errors(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]] | None:
    """What is wrong, and where; None if it is not JSON."""
    if error.error_count() > _MANY_ERRORS:  # each takes a kilobyte as a dictionary
        return [((), f"It has {error.error_count()} errors.")]
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if any(one["type"] == "json_invalid" for one in found):
        return None
    return [(one["loc"], one["msg"]) for one in islice(found, _MAX_ERRORS)]


def too_many_bodies() -> Problem:
    """The problem of a large body for which there is currently no memory."""
    return Problem(503, "Too many large bodies arrive at once.", headers={"Retry-After": "1"})


def not_json() -> Problem:
    """The problem of a body that cannot be parsed."""
    return Problem(400, "The body is not valid JSON in UTF-8.")


def invalid_body(found: Iterable[tuple[Iterable[int | str], str]]) -> Problem:
    """The problem of invalid content: pairs of a location, as keys and indices, and a message."""
    errors = [(_pointer(location), why) for location, why in islice(found, _MAX_ERRORS)]
    return Problem(422, "The body is not valid.", errors=errors)


def _pointer(location: Iterable[int | str]) -> str:
    steps = (str(step)[:100].replace("~", "~0").replace("/", "~1") for step in location)
    return "".join(f"/{step}" for step in steps)


def read_id(text: str) -> UUID:
    """Parse the ID in a path; a malformed one is `NotFound`."""
    if not _UUID.fullmatch(text):
        raise NotFound
    return UUID(text)


def read_limit(text: str, most: int = 100) -> int:
    """Parse the maximum number of rows in a page; a `Problem` with 422 if it is invalid."""
    if not _LIMIT.fullmatch(text) or int(text) > most:
        raise invalid("limit", f"It must be a whole number from 1 to {most}.")
    return int(text)


def read_query(query: str) -> dict[str, str]:
    """Parse a query string; a `Problem` with 422 if a parameter is repeated or not UTF-8."""
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS
        )
    except ValueError:
        raise invalid("", "The query is not valid.") from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            raise invalid(name[:100], "It must not be repeated.")
        values[name] = value
    return values


def idempotency_key(header: str | None) -> str | None:
    """The Idempotency-Key of a request, if it has one; a `Problem` with 400 if it is invalid."""
    if header is not None and not _KEY.fullmatch(header):
        raise Problem(400, "An Idempotency-Key must be 1 to 255 visible ASCII characters.")
    return header


def entity_tag(revision: str) -> str:
    """The strong entity tag of a revision."""
    return f'"{revision}"'


def if_match(header: str | None) -> frozenset[str] | None:
    """The revisions that an If-Match permits; None if any will do."""
    if header is None or header.strip() == "*":
        return None
    return frozenset(tag[1:-1] for tag in _ENTITY_TAG.findall(header) if not tag.startswith("W/"))


def none_match(header: str | None, revision: str) -> bool:
    """Whether an If-None-Match names this revision (compared weakly): the response is then 304."""
    if header is None:
        return False
    tags = (tag.removeprefix("W/")[1:-1] for tag in _ENTITY_TAG.findall(header))
    return header.strip() == "*" or revision in tags
