"""The thirteen types of fields as one table: arguments, modifiers, bounds, defaults, JSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from scaffold.resources import values
from scaffold.resources.model import Field, Value
from scaffold.resources.problems import listed

INT_32 = (-(2**31), 2**31 - 1)
INT_64 = (-(2**63), 2**63 - 1)
# A unique or sorted column is indexed, and PostgreSQL refuses index rows over 2,704 bytes: 500
# characters of four bytes each fit.
MAX_LINE = 500
# 50,000 characters fit a request body of 1 MiB, even if JSON escapes each into twelve bytes.
MAX_TEXT = 50_000
# SQLite has no exact decimals; up to 18 digits fit a 64-bit integer, which sorts as it should.
MAX_PRECISION = 18
MAX_VALUES = 50
MAX_VALUE_LENGTH = 40
VALUE_PATTERN = "^[A-Za-z][A-Za-z0-9]*([_-][A-Za-z0-9]+)*$"

FLAGS = ("optional", "unique", "filter", "sort")
MODIFIERS = ("optional", "unique", "default", "filter", "sort")  # as they are written

Number = int | float


@dataclass(frozen=True, slots=True)
class Bounds:
    """How a type is bounded: by default, and at most."""

    default: tuple[Number | None, Number | None]
    limits: tuple[Number | None, Number | None]
    read: Callable[[str], Number]
    of: Callable[[Any], Number]  # what is measured of a value
    example: str
    unit: str = ""  # of what is counted


@dataclass(frozen=True, slots=True)
class FieldType:
    """What a field of this type may declare, and what its values are.

    `rule` describes its values in words, with attributes of the field and its `range` filled in.
    `loaded` are the Python types in which YAML or JSON may hold a default; `why_not` has the
    reasons for the modifiers that the type does not have.
    """

    rule: str
    json: Mapping[str, Any]
    modifiers: tuple[str, ...] = MODIFIERS
    why_not: Mapping[str, str] = field(default_factory=dict)
    bounds: Bounds | None = None
    digits: tuple[int, int] | None = None
    argument: str | None = None
    read: Callable[[str], Value] = values.read_line
    check: Callable[[Field, Any], None] = lambda *_: None
    loaded: tuple[type, ...] = (str,)
    example: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the long form, in the order in which they are written."""
        bounds = ("min", "max") if self.bounds else ()
        digits = ("precision", "scale") if self.digits else ()
        argument = (self.argument,) if self.argument else ()
        return ("name", "type", *argument, *bounds, *digits, *self.modifiers)


def _check_digits(declared: Field, value: Decimal) -> None:
    precision, scale = declared.precision or 0, declared.scale or 0
    # Compared as integers: Decimal's own arithmetic would round long values.
    whole, _, fraction = values.write(abs(value)).partition(".")
    if len(fraction.rstrip("0")) > scale:
        raise ValueError(f"it has more than {scale} digits after the point")
    if len(whole.lstrip("0")) > precision - scale:
        raise ValueError(f"it has more than {precision - scale} digits before the point")


def _check_choice(declared: Field, value: str) -> None:
    if value not in declared.values:
        raise ValueError(f"it must be {listed(declared.values)}")


def _length(default: tuple[int, int], limit: int) -> Bounds:
    return Bounds(default, (0, limit), values.read_int, len, "1..100", "characters")


_INTEGERS = Bounds(INT_32, INT_64, values.read_int, int, "1..5")
_FLOATS = Bounds((None, None), (None, None), values.read_float, float, "0..1.5")
_EQUALITY = "two floats that look alike may differ; use decimal or int to compare exactly"
_LONG = "long text cannot be indexed; use str for a short value"
_TWO_VALUES = "there are only two values; use filter instead"
_FEW_VALUES = "there could only be one row for each of its values; remove it"

TYPES: Mapping[str, FieldType] = {
    "str": FieldType(
        "text on one line, {range} characters",
        {"type": "string"},
        bounds=_length((1, 100), MAX_LINE),
        example="blue",
    ),
    "text": FieldType(
        "text with line breaks, {range} characters",
        {"type": "string"},
        modifiers=("optional", "default"),
        why_not=dict.fromkeys(("unique", "filter", "sort"), _LONG),
        bounds=_length((0, 10_000), MAX_TEXT),
        read=values.read_text,
        example="none yet",
    ),
    "int": FieldType(
        "whole number, {range}",
        {"type": "integer"},
        bounds=_INTEGERS,
        read=values.read_int,
        loaded=(int,),
        example="1",
    ),
    "float": FieldType(
        "number, {range}",
        {"type": "number"},
        modifiers=("optional", "default", "sort"),
        why_not=dict.fromkeys(("unique", "filter"), _EQUALITY),
        bounds=_FLOATS,
        read=values.read_float,
        loaded=(int, float),
        example="0.5",
    ),
    "decimal": FieldType(
        "exact number of {precision} digits, {scale} after the point",
        {"type": ["string", "number"]},
        digits=(12, 2),
        read=values.read_decimal,
        check=_check_digits,
        loaded=(str, int, float),
        example="0",
    ),
    "bool": FieldType(
        "true or false",
        {"type": "boolean"},
        modifiers=("optional", "default", "filter"),
        why_not={"unique": _FEW_VALUES, "sort": _TWO_VALUES},
        read=values.read_bool,
        loaded=(bool,),
        example="false",
    ),
    "date": FieldType(
        "date such as 2027-01-31",
        {"type": "string", "format": "date"},
        read=values.read_date,
        loaded=(str, date),
        example="2027-01-31",
    ),
    "datetime": FieldType(
        "date and time with an offset, such as 2027-01-31T09:30:00Z",
        {"type": "string", "format": "date-time"},
        read=values.read_datetime,
        loaded=(str, datetime),
        example="2027-01-31T09:30:00Z",
    ),
    "uuid": FieldType(
        "UUID",
        {"type": "string", "format": "uuid"},
        modifiers=("optional", "unique", "default", "filter"),
        why_not={"sort": "sorting by UUID has no meaning; remove it"},
        read=values.read_uuid,
        example="6f1c2d9e-52f1-4a3b-8a57-0c9d1e2f3a4b",
    ),
    "email": FieldType(
        "email address",
        {"type": "string", "format": "email"},
        read=values.read_email,
        example="desk@example.com",
    ),
    "url": FieldType(
        "http or https URL",
        {"type": "string", "format": "uri"},
        read=values.read_url,
        example="https://example.com/",
    ),
    "enum": FieldType(
        "one of {values}",
        {"type": "string"},
        modifiers=("optional", "default", "filter", "sort"),
        why_not={"unique": _FEW_VALUES},
        argument="values",
        check=_check_choice,
    ),
    "ref": FieldType(
        "ID of the {target}",
        {"type": "string", "format": "uuid"},
        modifiers=("optional", "unique", "filter"),
        why_not={
            "default": "no row exists when the service starts; make it optional instead",
            "sort": "sorting by ID has no meaning; remove it",
        },
        argument="target",
    ),
}

# What people know these types as elsewhere.
ALIASES = {
    **dict.fromkeys(("string", "varchar", "char", "charfield", "character"), "str"),
    **dict.fromkeys(("longtext", "textfield", "markdown"), "text"),
    **dict.fromkeys(("integer", "bigint", "smallint", "long", "number"), "int"),
    **dict.fromkeys(("double", "real"), "float"),
    **dict.fromkeys(("numeric", "money", "currency"), "decimal"),
    **dict.fromkeys(("boolean", "flag"), "bool"),
    **dict.fromkeys(("timestamp", "timestamptz", "time", "instant"), "datetime"),
    **dict.fromkeys(("guid", "uuid4"), "uuid"),
    **dict.fromkeys(("uri", "link"), "url"),
    **dict.fromkeys(("choice", "choices", "select"), "enum"),
    **dict.fromkeys(("foreign_key", "foreignkey", "fk", "references", "belongs_to"), "ref"),
}


def range_in_words(declared: Field) -> str:
    """`1 to 500`, `at least 1`, `at most 500` or `any`."""
    least, most = (None if n is None else values.write(n) for n in (declared.min, declared.max))
    if least is not None and most is not None:
        return f"{least} to {most}"
    if least is not None:
        return f"at least {least}"
    return "any" if most is None else f"at most {most}"


def in_words(declared: Field) -> str:
    """The rule for the values of a field, as a phrase."""
    return TYPES[declared.type].rule.format(
        range=range_in_words(declared),
        precision=declared.precision,
        scale=declared.scale,
        values=listed(declared.values) if declared.values else "",
        target=declared.target,
    )
