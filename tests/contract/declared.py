"""What a declaration promises of each field: what is taken, how it is shown, what is refused.

This is read from RESOURCES alone, and shares nothing with the templates: it judges them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from scaffold.resources.model import Field, Resource

MANY = 10**9
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
OWN_FIELDS = ("id", "created_at", "updated_at")


class Raw(str):
    """A value as JSON spells it, where Python would spell it in another way or not at all."""

    __slots__ = ()


@dataclass(frozen=True)
class Sent:
    """A value that is taken, and what is then shown of it."""

    sent: Any
    shown: Any


def body(content: Mapping[str, Any]) -> bytes:
    """A JSON object; values that are `Raw` stand in it as they are."""
    pairs = (
        f"{json.dumps(name)}: {value if isinstance(value, Raw) else json.dumps(value)}"
        for name, value in content.items()
    )
    return f"{{{', '.join(pairs)}}}".encode()


def same(value: Any, expected: Any) -> bool:
    """Equal as JSON: 1 is not true, and 1.0 is another spelling of 1 for a float alone."""
    if isinstance(expected, float):
        return type(value) in (int, float) and value == expected
    return type(value) is type(expected) and bool(value == expected)


# Names and lengths.


def columns(resource: Resource) -> list[str]:
    return [field.column for field in resource.fields]


def field_of(resource: Resource, column: str) -> Field:
    return next(field for field in resource.fields if field.column == column)


def path_of(resource: Resource) -> str:
    return f"/v1/{resource.plural}"


def referring(resources: tuple[Resource, ...], to: Resource) -> list[tuple[Resource, Field]]:
    """The references to a resource."""
    return [(one, f) for one in resources for f in one.fields if f.target == to.name]


def fits(field: Field, text: str) -> bool:
    return int(field.min or 0) <= len(text) <= int(field.max or 0)


def integer_bounds(field: Field) -> tuple[int, int]:
    assert field.min is not None
    assert field.max is not None
    return int(field.min), int(field.max)


# Samples: valid, in their shown form, and different for each number as far as there are enough.


def sample(field: Field, number: int) -> Any:
    """The value of that number; of those in one list a larger number sorts later."""
    return SAMPLES[field.type](field, number % variety(field))


def variety(field: Field) -> int:
    """How many samples of a field differ."""
    match field.type:
        case "str":
            return int(min(36 ** sample_length(field), MANY))
        case "int":
            least, most = integer_bounds(field)
            return min(most - least + 1, MANY)
        case "decimal":
            return int(min(10 ** (field.precision or 0), MANY))
        case "date":
            return 2_000_000
        case "enum":
            return len(field.values)
        case "bool":
            return 2
    return MANY


def capacity(resource: Resource, resources: tuple[Resource, ...]) -> int:
    """How many rows of a resource there can be at once, as far as the samples go."""
    found = MANY
    for field in resource.fields:
        if field.unique and field.target and field.required:
            target = next(one for one in resources if one.name == field.target)
            found = min(found, capacity(target, resources))
        elif field.unique and not field.target:
            found = min(found, variety(field))
    return found


def sample_length(field: Field) -> int:
    return max(int(field.min or 0), min(int(field.max or 0), 8))


def _line(field: Field, number: int) -> str:
    length, text = sample_length(field), ""
    while number:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text.rjust(length, "0")


def _text(field: Field, number: int) -> str:
    text = f"{number}\n\ta note".ljust(int(field.min or 0), "x")
    return text if fits(field, text) else "x" * int(field.max or 0)


def _float(field: Field, number: int) -> float:
    least = -math.inf if field.min is None else float(field.min)
    most = math.inf if field.max is None else float(field.max)
    start = least if math.isfinite(least) else min(0.0, most - 1000)
    return min(max(start + number % 1000 / 2, least), most)


def _decimal(field: Field, number: int) -> str:
    return spelled(Decimal(number).scaleb(-(field.scale or 0)), field)


def spelled(value: Decimal, field: Field) -> str:
    """A decimal with as many digits after the point as were declared."""
    return f"{value:.{field.scale or 0}f}"


def _days(number: int) -> date:
    return date(2027, 1, 1) + timedelta(days=number)


SAMPLES: dict[str, Callable[[Field, int], Any]] = {
    "str": _line,
    "text": _text,
    "int": lambda field, number: integer_bounds(field)[0] + number,
    "float": _float,
    "decimal": _decimal,
    "bool": lambda _, number: number == 1,
    "date": lambda _, number: _days(number).isoformat(),
    "datetime": lambda _, number: instant(datetime(2027, 1, 1) + timedelta(seconds=number)),
    "uuid": lambda _, number: f"00000000-0000-4000-8000-{number:012x}",
    "email": lambda _, number: f"guest{number:09}@example.com",
    "url": lambda _, number: f"https://example.com/{number:09}",
    "enum": lambda field, number: sorted(field.values)[number],
}


def instant(moment: datetime) -> str:
    """A point in time as it is shown: in UTC, with six digits of a second."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


# Left out.


def without(field: Field) -> Any:
    """What is shown of a field that was left out and is not required."""
    value = field.default
    match value:
        case Decimal():
            return spelled(value, field)
        case datetime():
            return instant(value.astimezone(UTC))
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
    return float(value) if field.type == "float" and isinstance(value, int) else value


# Taken.


def taken(field: Field) -> Iterator[Sent]:
    """Values that are taken: both bounds, other spellings, and what may get lost on the way."""
    if field.optional:
        yield Sent(None, None)
    yield from TAKEN.get(field.type, lambda _: iter(()))(field)


HOSTILE = (
    *("'; drop table rooms; --", "{{7*7}} ${x} %s {0}", "C:\\x \\n", "null", "0x10", "<b>&amp;"),
    *("🦉👩\u200d👩\u200d👧", "مرحبا", "\u202eright\u202c", "e\u0301\u0323", "\u2028\u2029"),
    *("\ufffe\uffff", "\ufdfa", "\u0130\u0131", "\u00a0\u3000", "\ufeff", "Tea", "TEA", "\u00df"),
)


def _taken_lines(field: Field) -> Iterator[Sent]:
    least, most = int(field.min or 0), int(field.max or 0)
    for character in ("x", "é", "🦉"):
        for length in {max(least, 1), most}:
            yield Sent(character * length, character * length)
    space = " \t\n\v\f\r"
    yield Sent(f"{space * 30}{'y' * most}{space * 30}", "y" * most)
    if least == 0:
        yield Sent("", "")
        yield Sent(space, "")
    if most >= 3:
        inner = "a b".ljust(least, "c")
        yield Sent(f" {inner}", inner)
    for text in HOSTILE:
        padded = text.ljust(least, "z")
        if fits(field, padded):
            yield Sent(padded, padded)


def _taken_texts(field: Field) -> Iterator[Sent]:
    least, most = int(field.min or 0), int(field.max or 0)
    for character in ("x", "🦉", "\n", " "):
        for length in {least, most}:
            yield Sent(character * length, character * length)
    for text in (*HOSTILE, " kept ", "\r\n\ta\r", "a\nb\n"):
        padded = text.ljust(least, "z")
        if fits(field, padded):
            yield Sent(padded, padded)


def _taken_integers(field: Field) -> Iterator[Sent]:
    least, most = integer_bounds(field)
    for number in {least, most, *(n for n in (0, 2**31, 2**53 + 1) if least <= n <= most)}:
        yield Sent(number, number)
    if least <= 0 <= most:
        yield Sent(Raw("-0"), 0)


def _taken_floats(field: Field) -> Iterator[Sent]:
    ends = [float(end) for end in (field.min, field.max) if end is not None]
    extremes = (0.1, 1.0, 1 / 3, 5e-324, 1.7976931348623157e308, -1.7976931348623157e308)
    for number in (*ends, *extremes):
        if within(field, number):
            yield Sent(number, number)
    if within(field, 7):
        yield Sent(7, 7.0)
        yield Sent(Raw("7e0"), 7.0)


def within(field: Field, number: float) -> bool:
    """Whether a number is inside of the bounds, as far as there are some."""
    above = field.min is None or number >= field.min
    return above and (field.max is None or number <= field.max)


def _taken_decimals(field: Field) -> Iterator[Sent]:
    scale = field.scale or 0
    whole = (field.precision or 0) - scale
    largest = ("9" * whole or "0") + ("." + "9" * scale if scale else "")
    zero = spelled(Decimal(0), field)
    for text in (largest, f"-{largest}", zero):
        yield Sent(text, text)
    yield Sent("0", zero)
    yield Sent("-0", zero)
    yield Sent(0, zero)
    if len(largest.replace(".", "")) <= 15:
        yield Sent(Raw(largest), largest)
        yield Sent(Raw(f"-{largest}"), f"-{largest}")
    if scale:
        least = spelled(Decimal(1).scaleb(-scale), field)
        yield Sent(least, least)
        if scale < 15:
            yield Sent(Raw(least), least)
    if whole >= 2 and scale >= 1:
        for text in ("10.1", "10.10" if scale >= 2 else "10.1"):
            shown = spelled(Decimal("10.1"), field)
            yield Sent(text, shown)
            yield Sent(Raw(text), shown)
        yield Sent("-10.1", f"-{spelled(Decimal('10.1'), field)}")
    if 1 <= scale <= 12:
        yield Sent(Raw(str(0.1 + 0.2)), spelled(Decimal("0.3"), field))
    if whole >= 2:
        ten = spelled(Decimal(10), field)
        yield from (Sent(10, ten), Sent("10", ten), Sent(Raw("10.0"), ten), Sent(Raw("1e1"), ten))


def _taken_days(_: Field) -> Iterator[Sent]:
    for day in ("0001-01-01", "9999-12-31", "2028-02-29", "1900-01-01"):
        yield Sent(day, day)


def _taken_instants(_: Field) -> Iterator[Sent]:
    for sent, shown in (
        ("2030-06-01T10:00:00+05:00", "2030-06-01T05:00:00.000000Z"),
        ("2030-06-01T10:00:00.123456-03:30", "2030-06-01T13:30:00.123456Z"),
        ("2030-06-01T10:00:00.5Z", "2030-06-01T10:00:00.500000Z"),
        ("2030-06-01T10:00:00-00:00", "2030-06-01T10:00:00.000000Z"),
        ("2028-02-29T23:59:59Z", "2028-02-29T23:59:59.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("0001-01-01T14:00:00+14:00", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ("1883-11-18T12:00:00+00:00", "1883-11-18T12:00:00.000000Z"),
    ):
        yield Sent(sent, shown)


def _taken_identifiers(_: Field) -> Iterator[Sent]:
    known = "6f1c2d9e-52f1-4a3b-8a57-0c9d1e2f3a4b"
    yield from (Sent(known, known), Sent(known.upper(), known))
    nil, last = UUID(int=0), UUID(int=2**128 - 1)
    yield from (Sent(str(nil), str(nil)), Sent(str(last), str(last)))


def _taken_addresses(_: Field) -> Iterator[Sent]:
    for address in ("desk@example.com", "a.b+c@mail.example.org", "x_y-1@example.co.uk"):
        yield Sent(address, address)


def _taken_urls(_: Field) -> Iterator[Sent]:
    for url in (
        "https://example.com/",
        "http://example.org:8080/a?b=c&d=%20#e",
        "https://example.com/" + "x" * (2083 - 20),
    ):
        yield Sent(url, url)


TAKEN: dict[str, Callable[[Field], Iterator[Sent]]] = {
    "str": _taken_lines,
    "text": _taken_texts,
    "int": _taken_integers,
    "float": _taken_floats,
    "decimal": _taken_decimals,
    "bool": lambda _: iter([Sent(True, True), Sent(False, False)]),
    "date": _taken_days,
    "datetime": _taken_instants,
    "uuid": _taken_identifiers,
    "email": _taken_addresses,
    "url": _taken_urls,
    "enum": lambda field: (Sent(value, value) for value in field.values),
}


# Refused.


def refused(field: Field) -> Iterator[Any]:
    """Values that are refused with 422 at the field's pointer."""
    if not field.optional:
        yield None
    yield from ([], {}, [None], {"a": 1})
    if field.type not in ("int", "float", "decimal"):
        yield from (0, 1, 1.5, Raw("1e999"))
    if field.type != "bool":
        yield from (True, False)
    yield from (Raw("NaN"), Raw("Infinity"), Raw("-Infinity"))
    yield from REFUSED[field.type](field)


CONTROLS = [chr(code) for code in (*range(0x20), 0x7F, 0x80, 0x85, 0x9F)]


def _refused_lines(field: Field) -> Iterator[Any]:
    least, most = int(field.min or 0), int(field.max or 0)
    yield from ("x" * (most + 1), "🦉" * (most + 1), "x" * (most + 10_000))
    if least:
        yield from ("x" * (least - 1), " " * least, " " + "x" * (least - 1) + "\n")
    if most >= 3:
        for control in CONTROLS:
            yield f"a{control}b".ljust(least, "c")
    yield "\0".ljust(least, "x")


def _refused_texts(field: Field) -> Iterator[Any]:
    least, most = int(field.min or 0), int(field.max or 0)
    yield from ("x" * (most + 1), "🦉" * (most + 1))
    if least:
        yield "x" * (least - 1)
    for control in set(CONTROLS) - set("\t\n\r"):
        yield control.ljust(least, "x")


def _refused_integers(field: Field) -> Iterator[Any]:
    least, most = integer_bounds(field)
    yield from (least - 1, most + 1, -(2**63) - 1, 2**63, -(10**40), 10**40)
    yield from (Raw(f"{least}.0"), Raw("0.5"), Raw("1e0"), Raw("1e999"), str(least), "", "a")


def _refused_floats(field: Field) -> Iterator[Any]:
    if field.min is not None and math.isfinite(below := math.nextafter(field.min, -math.inf)):
        yield below
    if field.max is not None and math.isfinite(above := math.nextafter(field.max, math.inf)):
        yield above
    yield from (Raw("1e999"), Raw("-1e999"), "1.5", "", "NaN")


def _refused_decimals(field: Field) -> Iterator[Any]:
    scale = field.scale or 0
    whole = (field.precision or 0) - scale
    yield from (f"1{'0' * whole}", f"-1{'0' * whole}", Raw(f"1{'0' * whole}"))
    yield from (f"0.{'0' * scale}1", Raw(f"0.{'0' * scale}1"), Raw(f"-0.{'0' * scale}1"))
    if 1 <= 15 - scale <= whole and scale:  # as many digits as a double has, one too many here
        yield Raw(f"{'8' * (15 - scale)}.{'2' * scale}3")
    yield from (Raw("1e30"), Raw("1e999"), Raw("-1e400"), Raw("1e-30"), "9" * 1000)
    yield from ("", " ", "a", "1x", "0x1", "1_0", "+1", ".5", "1.", " 1", "1 ", "1\n", "\u0661")
    yield from ("NaN", "Infinity", "sNaN", "1e30", "--1", "1,0")


def _refused_days(_: Field) -> Iterator[Any]:
    yield from ("", "2027-02-29", "2027-13-01", "2027-00-01", "2027-01-32", "0000-01-01")
    yield from ("2027-1-31", "20270131", "31.01.2027", "10000-01-01", "-001-01-01", " 2027-01-31")
    yield from ("2027-01-31T00:00:00Z", "2027-01-31\n", "2027-W04-7", "2027-031", "soon")
    yield from (20270131, "\u0662\u0660\u0662\u0667-01-31")


def _refused_instants(_: Field) -> Iterator[Any]:
    yield from ("", "2030-06-01T10:00:00", "2030-06-01", "soon", 1_900_000_000, "1900000000")
    yield from ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0000-01-01T00:00:00Z")
    yield from ("2027-02-29T00:00:00Z", "2030-06-01T24:00:00Z", "2030-06-01T10:60:00Z")
    yield from ("2030-06-01T10:00Z", "20300601T100000Z", "2030-06-01T10:00:00+0500")
    yield from ("2030-06-01T10:00:00 Z", "2030-06-01T10:00:00+24:00", "2030-06-01T10:00:00Z\n")


def _refused_identifiers(_: Field) -> Iterator[Any]:
    known = "6f1c2d9e-52f1-4a3b-8a57-0c9d1e2f3a4b"
    yield from ("", "mine", known.replace("-", ""), f"{{{known}}}", f"urn:uuid:{known}")
    yield from (f"{known}0", known[:-1], f" {known}", f"{known}\n", known.replace("6", "g"))


def _refused_addresses(_: Field) -> Iterator[Any]:
    yield from ("", "desk", "desk@", "@example.com", "the desk@example.com", "desk@example")
    yield from ("desk@@example.com", "desk@example.com\0", "desk@.com", "a" * 250 + "@example.com")
    yield from ("desk@example.com, b@example.com", "Desk <desk@example.com>")


def _refused_urls(_: Field) -> Iterator[Any]:
    yield from ("", "example.com", "ftp://example.com/", "https://", "javascript:alert(1)", "//a/")
    yield from ("https://example.com/a b", "https://example.com/\0", "https://exa mple.com/")
    yield from ("mailto:a@example.com", "https://example.com/\n", "https://[::1/")
    yield "https://example.com/" + "x" * (2084 - 20)


def _refused_choices(field: Field) -> Iterator[Any]:
    others = ["", "other-one", f" {field.values[0]}", f"{field.values[0]}\0"]
    others += [value.swapcase() for value in field.values]
    yield from (value for value in others if value not in field.values)


REFUSED: dict[str, Callable[[Field], Iterator[Any]]] = {
    "str": _refused_lines,
    "text": _refused_texts,
    "int": _refused_integers,
    "float": _refused_floats,
    "decimal": _refused_decimals,
    "bool": lambda _: iter(["", "true", "false", "1"]),
    "date": _refused_days,
    "datetime": _refused_instants,
    "uuid": _refused_identifiers,
    "email": _refused_addresses,
    "url": _refused_urls,
    "enum": _refused_choices,
    "ref": _refused_identifiers,
}


# Lists.


def in_query(shown: Any) -> str:
    """A value as a parameter of a query has it."""
    return shown if isinstance(shown, str) else json.dumps(shown)


def wrong_in_query(field: Field) -> Iterator[str]:
    """Texts that no value of a filter can be."""
    if field.type != "str":
        yield from ("", "null", "x y", "a\0")
    match field.type:
        case "bool":
            yield from ("1", "0", "True", "yes", "TRUE", " true", '"true"')
        case "int":
            yield from (
                "1.0",
                "1e1",
                "0x1",
                "1_0",
                " 1",
                "1\n",
                "9" * 30,
                "9" * 5000,
                "\u0661",
                "true",
            )
        case "str":
            yield "a\0".ljust(int(field.min or 0), "x")


def sort_key(field: Field) -> Callable[[Any], Any]:
    """By what the shown values of a field are in order."""
    return Decimal if field.type == "decimal" else lambda value: value
