"""Request bodies: strict models and the types of their fields."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    HttpUrl,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

ASCII_WHITE_SPACE: Final = " \t\n\r\f\v"
_INNER: Final = r"[^\u0000-\u001f\u007f-\u009f]"
_OUTER: Final = r"[^\u0000-\u0020\u007f-\u009f]"
_SPACE: Final = r"[\u0009-\u000d ]*"
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]([01]\d|2[0-3]):\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_EXACT: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_DOUBLE: Final = 15  # significant digits of a double, which is how most parsers read a JSON number
_EPSILON: Final = Decimal(2) ** -52  # the relative error of rounding to a double
_URL: Final = TypeAdapter(HttpUrl)
_MAX_URL: Final = 2083
_MAX_EMAIL: Final = 254


class Content(BaseModel):
    """Base class of request bodies: no type conversion, and unknown fields are rejected."""

    model_config = ConfigDict(strict=True, extra="forbid")

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found = handler(schema)
        properties = handler.resolve_ref_schema(found).get("properties", {})
        for name, field in cls.model_fields.items():
            if isinstance(field.default, Decimal):  # pydantic writes a small one as 1E-7
                properties[name]["default"] = format(field.default, "f")
        return found


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text: `name: Annotated[str, Line(1, 100)]`.

    ASCII white space around it is removed; the rest must have `minimum` to `maximum` characters
    and no control characters.
    """

    minimum: int = 1
    maximum: int = 100

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._validated, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found = handler(schema)
        space = _SPACE if handler.mode == "validation" else ""
        found["pattern"] = f"^{space}{self._pattern()}{space}$"
        return found

    def _validated(self, text: str) -> str:
        text = text.strip(ASCII_WHITE_SPACE)
        if not self.minimum <= len(text) <= self.maximum:
            raise ValueError(
                f"must have {self.minimum} to {self.maximum} characters, "
                "not counting white space around it"
            )
        if any(map(_is_control, text)):
            raise ValueError("must not contain control characters")
        return text

    def _pattern(self) -> str:
        times = f"{max(self.minimum - 2, 0)},{self.maximum - 2}"
        longer = _INNER + "{" + times + "}" + _OUTER
        if self.maximum < 2:
            pattern = _OUTER
        elif self.minimum < 2:
            pattern = f"{_OUTER}({longer})?"
        else:
            pattern = f"{_OUTER}{longer}"
        return pattern if self.minimum else f"({pattern})?"


@dataclass(frozen=True, slots=True)
class Lines:
    """Text of several lines, stored unchanged: `notes: Annotated[str, Lines(0, 10_000)]`.

    Line ends and tabs are its only control characters.
    """

    minimum: int = 0
    maximum: int = 10_000

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._validated, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        pattern = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"
        lengths = {"minLength": self.minimum, "maxLength": self.maximum}
        return {**handler(schema), "pattern": pattern, **lengths}

    def _validated(self, text: str) -> str:
        if not self.minimum <= len(text) <= self.maximum:
            raise ValueError(f"must have {self.minimum} to {self.maximum} characters")
        if any(_is_control(character) and character not in "\t\n\r" for character in text):
            raise ValueError("must not contain control characters but line ends and tabs")
        return text


@dataclass(frozen=True, slots=True)
class Digits:
    """An exact number: `price: Annotated[Decimal, Digits(10, 2)]`.

    It has at most `precision` digits, `scale` of them after the point. Clients may send a string or
    a number; responses have a string, since most clients read a JSON number as a double.
    """

    precision: int
    scale: int

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._validated, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        whole, exactly = self.precision - self.scale, handler.mode == "serialization"
        digits = str(self.scale) if exactly else f"1,{self.scale}"
        fraction = r"\.[0-9]" + "{" + digits + "}" if self.scale else ""
        if fraction and not exactly:
            fraction = f"({fraction})?"
        pattern = "^-?[0-9]{1," + f"{max(whole, 1)}" + "}" + fraction + "$"
        text = {"type": "string", "pattern": pattern}
        if exactly:
            return text
        most = 10.0**whole - 10.0**-self.scale
        number = {"type": "number", "minimum": -most, "maximum": most}
        if self.precision <= _DOUBLE:
            number["multipleOf"] = 10.0**-self.scale
        return {"anyOf": [text, number]}

    def _validated(self, value: Any) -> Decimal:
        if isinstance(value, Decimal):
            return value
        if type(value) is int or (isinstance(value, str) and _EXACT.fullmatch(value)):
            found = Decimal(value)
        elif type(value) is float:
            found = self._rounded(value)
        else:
            raise ValueError('must be a number, or a string such as "10.10"')
        digits = format(abs(found), "f")
        whole, _, fraction = digits.partition(".")
        if len(whole.lstrip("0")) > self.precision - self.scale:
            raise ValueError(f"must be below {10 ** (self.precision - self.scale)}")
        if len(fraction.rstrip("0")) > self.scale:
            raise ValueError(f"must have at most {self.scale} digits after the point")
        return found if found else found.copy_abs()  # there is no negative zero

    def _rounded(self, value: float) -> Decimal:
        """The decimal that a double represents: 0.1 + 0.2 is 0.3."""
        exact = Decimal(repr(value))
        if not exact.is_finite() or exact.adjusted() >= _DOUBLE:
            return exact if exact.is_finite() else Decimal("1e400")
        rounded = round(exact, self.scale)
        # Allows for one rounding error, or several if they are far below the last digit.
        sums = min(abs(exact) * Decimal("1e-15"), Decimal(1).scaleb(-self.scale - 3))
        return rounded if abs(rounded - exact) <= max(abs(exact) * _EPSILON, sums) else exact


def merged(value: Any, patch: Any) -> Any:
    """A JSON value after a merge patch (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    found = dict(value) if isinstance(value, Mapping) else {}
    for name, change in patch.items():
        if change is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), change)
    return found


def _is_control(character: str) -> bool:
    return ord(character) < 32 or 127 <= ord(character) < 160


def _written_out(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and _RFC_3339.fullmatch(value):
            return datetime.fromisoformat(value.upper())
    except ValueError:
        """The format is valid, but there is no such day or second."""
    raise ValueError("must be a date and time with an offset, such as 2027-01-31T12:00:00Z")


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("must have an offset")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be in the years 1 to 9999 in UTC") from None


# A timestamp in the format of RFC 3339 with any offset: `starts_at: Timestamp`.
Timestamp = Annotated[datetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]


def _day(value: Any) -> Any:
    if type(value) is date:
        return value
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        """The format is valid, but there is no such day."""
    raise ValueError("must be a date such as 2027-01-31")


def _uuid(value: Any) -> Any:
    if isinstance(value, UUID):
        return value
    if isinstance(value, str) and _UUID.fullmatch(value):
        return UUID(value)
    raise ValueError("must be a UUID such as 6f1c2d9e-52f1-4a3b-8a57-0c9d1e2f3a4b")


def _email(text: str) -> str:
    if len(text) > _MAX_EMAIL:  # the library would examine every character
        raise ValueError(f"must be an email address of at most {_MAX_EMAIL} characters")
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise ValueError(f"must be an email address. {error}") from None


def _url(text: str) -> str:
    if len(text) > _MAX_URL or any(_is_control(one) or one.isspace() for one in text):
        raise ValueError(f"must be a URL of at most {_MAX_URL} characters without white space")
    _URL.validate_python(text)
    return text


# A calendar date: `due: Day`.
Day = Annotated[date, BeforeValidator(_day)]

# A UUID in its usual form: `token: Uuid`, and a reference: `room_id: Uuid`.
Uuid = Annotated[UUID, BeforeValidator(_uuid)]

# An email address, without checking that it receives mail: `contact: Email`.
Email = Annotated[
    str,
    AfterValidator(_email),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": _MAX_EMAIL}),
]

# An http or https URL, stored unchanged: `site: Url`.
Url = Annotated[
    str,
    AfterValidator(_url),
    WithJsonSchema({"type": "string", "format": "uri", "maxLength": _MAX_URL}),
]
