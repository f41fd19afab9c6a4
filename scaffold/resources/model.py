"""A declaration as the rest of the tool sees it."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

Value = bool | int | float | str | Decimal | date | datetime | UUID


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a resource; `field_types.TYPES[type]` says which attributes its type uses.

    `min` and `max` are inclusive: characters for text, values for numbers; None is unbounded.
    `precision` counts all digits of a decimal, `scale` those after the point. `default` is a value
    of the type, and None if there is no default.
    """

    name: str
    type: str
    min: int | float | None = None
    max: int | float | None = None
    precision: int | None = None
    scale: int | None = None
    values: tuple[str, ...] = ()
    target: str | None = None
    default: Value | None = None
    optional: bool = False
    unique: bool = False
    filter: bool = False
    sort: bool = False

    @property
    def column(self) -> str:
        """The name in the table and in JSON."""
        return f"{self.name}_id" if self.target else self.name

    @property
    def required(self) -> bool:
        """Whether a client has to send it."""
        return not self.optional and self.default is None


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource and its fields, in the order in which they appear everywhere."""

    name: str
    plural: str
    fields: tuple[Field, ...]

    @property
    def class_name(self) -> str:
        return class_name(self.name)


def class_name(name: str) -> str:
    """`order_line` as a class: `OrderLine`."""
    return "".join(word.capitalize() for word in name.split("_"))
