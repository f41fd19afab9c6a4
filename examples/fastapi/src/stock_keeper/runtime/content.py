"""What a client may send: strict models and the types of their fields."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import CoreSchema, core_schema

ASCII_WHITE_SPACE: Final = " \t\n\r\f\v"
_INNER: Final = r"[^\u0000-\u001f\u007f-\u009f]"
_OUTER: Final = r"[^\u0000-\u0020\u007f-\u009f]"
_SPACE: Final = r"[\u0009-\u000d ]*"
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]([01]\d|2[0-3]):\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


class Content(BaseModel):
    """Base class of what a client may send: nothing is converted, unknown fields are rejected."""

    model_config = ConfigDict(strict=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text: `name: Annotated[str, Line(1, 100)]`.

    ASCII white space around it is removed; what is left has `minimum` to `maximum` characters,
    none of them a control character.
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
class Text:
    """Text of several lines, kept as it is sent: `notes: Annotated[str, Text(0, 10_000)]`.

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


def _is_control(character: str) -> bool:
    return ord(character) < 32 or 127 <= ord(character) < 160


def _written_out(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and _RFC_3339.fullmatch(value):
            return datetime.fromisoformat(value.upper())
    except ValueError:
        """It has the form, but there is no such day or second."""
    raise ValueError("must be a date and time with an offset, such as 2027-01-31T12:00:00Z")


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("must have an offset")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be in the years 1 to 9999 in UTC") from None


# A point in time, sent in the format of RFC 3339 with any offset: `starts_at: Timestamp`.
Timestamp = Annotated[datetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
