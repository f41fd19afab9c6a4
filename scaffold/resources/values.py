"""Reads values of each type from text, and writes them back in one canonical spelling."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import singledispatch
from math import isfinite
from uuid import UUID

from scaffold.resources.model import Value

ASCII_SPACE = " \t\n\r\f\v"
MAX_DIGITS = 400  # in a number as it is typed; int() is slow beyond
MAX_EMAIL = 254
MAX_LOCAL = 64
MAX_URL = 2083
# Controls, surrogates, private use, and what is invisible or reorders a line: it would hide in the
# generated code. Listed, since str.isprintable() depends on Python's version of Unicode.
CONTROL = "\0-\x1f\x7f-\x9f"
HIDDEN = (
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\uf8ff\ufeff\ufff0-\uffff"
    "\U000f0000-\U0010ffff"
)
NOT_IN_LINE = re.compile(f"[{CONTROL}{HIDDEN}]")
NOT_IN_TEXT = re.compile(f"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{HIDDEN}]")
NUMBER = r"-?[0-9]+(\.[0-9]+)?"
FLOAT = re.compile(rf"{NUMBER}([eE][+-]?[0-9]+)?")
DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME = re.compile(
    rf"{DATE.pattern}T([01][0-9]|2[0-3]):[0-9]{{2}}:[0-9]{{2}}(\.[0-9]{{1,6}})?"
    "(Z|[+-][0-9]{2}:[0-9]{2})"
)
HEX = "[0-9a-fA-F]"
IDENTIFIER = re.compile(f"{HEX}{{8}}(-{HEX}{{4}}){{3}}-{HEX}{{12}}")
# Deliberately narrow: whatever passes here is accepted unchanged by any library that a service
# validates with, so a default is never rejected by the service itself.
HOST = r"([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z]{2,63}"
EMAIL = re.compile(rf"(?P<local>[A-Za-z0-9]+([._+-][A-Za-z0-9]+)*)@(?P<host>{HOST})")
URL = re.compile(rf"https?://(?P<host>{HOST})(:[1-9][0-9]{{0,3}})?/[A-Za-z0-9._~/?&=%+-]*")
SPECIAL_DOMAINS = frozenset("arpa example invalid local localhost onion test".split())


def read_line(text: str) -> str:
    _refuse_characters(NOT_IN_LINE, text)
    if text != text.strip(ASCII_SPACE):
        raise ValueError("it must not start or end with white space")
    return text


def read_text(text: str) -> str:
    _refuse_characters(NOT_IN_TEXT, text)
    return text


def _refuse_characters(forbidden: re.Pattern[str], text: str) -> None:
    if found := forbidden.search(text):
        raise ValueError(f"it must not contain the character U+{ord(found[0]):04X}")


def read_int(text: str) -> int:
    if len(text) > MAX_DIGITS or not re.fullmatch("-?[0-9]+", text):
        raise ValueError("it must be a whole number")
    return int(text)


def read_float(text: str) -> float:
    if len(text) > MAX_DIGITS or not FLOAT.fullmatch(text):
        raise ValueError("it must be a number")
    if not isfinite(value := float(text)):
        raise ValueError("it is too large for a double")
    return value


def read_decimal(text: str) -> Decimal:
    if len(text) > MAX_DIGITS or not re.fullmatch(NUMBER, text):
        raise ValueError("it must be a number without an exponent")
    return Decimal(text)


def read_bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("it must be true or false")
    return text == "true"


def read_date(text: str) -> date:
    try:
        if DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("it must be a day of the calendar")


def read_datetime(text: str) -> datetime:
    try:
        if TIME.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("it must be a time in RFC 3339 format, with an offset")


def read_uuid(text: str) -> UUID:
    if not IDENTIFIER.fullmatch(text):
        raise ValueError("it must be a UUID")
    return UUID(text)


def read_email(text: str) -> str:
    match = EMAIL.fullmatch(text)
    if not match or len(text) > MAX_EMAIL or len(match["local"]) > MAX_LOCAL:
        raise ValueError("it must be an email address")
    _refuse_special(match["host"])
    return text


def read_url(text: str) -> str:
    match = URL.fullmatch(text)
    if not match or len(text) > MAX_URL:
        raise ValueError("it must be an http or https URL with a path")
    _refuse_special(match["host"])
    return text


def _refuse_special(host: str) -> None:
    if any(len(label) > 63 for label in host.split(".")) or len(host) > 253:
        raise ValueError("its domain is too long")
    if (domain := host.rpartition(".")[2]) in SPECIAL_DOMAINS:
        raise ValueError(f'no public address ends in ".{domain}"')


@singledispatch
def write(value: object) -> str:
    """The canonical spelling, which the reader of the same type accepts."""
    return str(value)


@write.register
def _(value: bool) -> str:
    return str(value).lower()


@write.register
def _(value: Decimal) -> str:
    return format(value, "f")


@write.register
def _(value: datetime) -> str:
    text = value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
    return text.replace("+00:00", "Z")


def plain(value: Value) -> bool | int | float | str:
    """`value` as JSON and YAML can hold it without loss."""
    return value if isinstance(value, bool | int | float | str) else write(value)
