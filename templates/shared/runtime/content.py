"""What a client may send: strict models and the types of their fields."""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

ASCII_WHITE_SPACE: Final = " \t\n\r\f\v"
_INNER: Final = r"[^\u0000-\u001f\u007f-\u009f]"
_OUTER: Final = r"[^\u0000-\u0020\u007f-\u009f]"
_SPACE: Final = r"[\u0009-\u000d ]*"


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
        if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text):
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
