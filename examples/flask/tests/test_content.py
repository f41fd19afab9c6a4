"""The types of `runtime.content`: what they accept, store and reject."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from stock_keeper.runtime.content import (
    Content,
    Day,
    Digits,
    Email,
    Line,
    Lines,
    Timestamp,
    Url,
    Uuid,
    merged,
)

Name = Annotated[str, Line(1, 10)]
Notes = Annotated[str, Lines(0, 10)]
Price = Annotated[Decimal, Digits(5, 2)]
ID = "6f1c2d9e-52f1-4a3b-8a57-0c9d1e2f3a4b"


@pytest.mark.parametrize(
    ("kind", "sent", "kept"),
    [
        (Name, "\t bolt \n", "bolt"),
        (Notes, " a\nb\t", " a\nb\t"),
        (Price, "10.10", Decimal("10.10")),
        (Price, 7, Decimal(7)),
        (Price, 0.1 + 0.2, Decimal("0.30")),
        (Price, "-0.00", Decimal("0.00")),
        (Price, Decimal("1.5"), Decimal("1.5")),
        (Timestamp, "2027-01-31t12:00:00+02:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
        (Timestamp, datetime(2027, 1, 31, tzinfo=UTC), datetime(2027, 1, 31, tzinfo=UTC)),
        (Day, "2027-01-31", date(2027, 1, 31)),
        (Day, date(2027, 1, 31), date(2027, 1, 31)),
        (Uuid, ID.upper(), UUID(ID)),
        (Uuid, UUID(ID), UUID(ID)),
        (Email, "ada@EXAMPLE.com", "ada@example.com"),
        (Url, "https://example.com/a?b#c", "https://example.com/a?b#c"),
    ],
)
def test_a_value_is_kept_exactly(kind: Any, sent: object, kept: object) -> None:
    found = TypeAdapter(kind).validate_python(sent)
    assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("kind", "sent", "rule"),
    [
        (Name, "  ", "1 to 10 characters"),
        (Name, "x" * 11, "1 to 10 characters"),
        (Name, "a\x00b", "control characters"),
        (Notes, "x" * 11, "0 to 10 characters"),
        (Notes, "a\x07", "control characters but line ends and tabs"),
        (Price, "1000", "must be below 1000"),
        (Price, "0.001", "at most 2 digits after the point"),
        (Price, 0.001, "at most 2 digits after the point"),
        (Price, 1e300, "must be below 1000"),
        (Price, float("inf"), "must be below 1000"),
        (Price, "ten", "must be a number"),
        (Price, True, "must be a number"),
        (Timestamp, "2027-02-30T12:00:00Z", "must be a date and time with an offset"),
        (Timestamp, "2027-01-31T12:00:00", "must be a date and time with an offset"),
        (Timestamp, datetime(2027, 1, 31), "must have an offset"),
        (Timestamp, "9999-12-31T23:00:00-14:00", "in the years 1 to 9999"),
        (Day, "2027-02-30", "must be a date such as"),
        (Day, "2027-1-31", "must be a date such as"),
        (Uuid, ID[1:], "must be a UUID such as"),
        (Email, "ada", "must be an email address"),
        (Email, "a" * 300, "at most 254 characters"),
        (Url, "https://exa mple.com", "without white space"),
        (Url, "ftp://example.com", "'http' or 'https'"),
    ],
)
def test_what_does_not_fit_is_rejected_with_its_rule(kind: Any, sent: object, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        TypeAdapter(kind).validate_python(sent)


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (Annotated[str, Line(0, 1)], {"type": "string"}),
        (Annotated[str, Line(3, 9)], {"type": "string"}),
        (Notes, {"type": "string", "minLength": 0, "maxLength": 10}),
        (Email, {"type": "string", "format": "email", "maxLength": 254}),
        (Url, {"type": "string", "format": "uri", "maxLength": 2083}),
    ],
)
def test_a_schema_says_what_is_accepted(kind: Any, schema: dict[str, Any]) -> None:
    assert schema.items() <= TypeAdapter(kind).json_schema().items()


def test_an_exact_number_is_sent_in_two_ways_and_shown_in_one() -> None:
    text, number = TypeAdapter(Price).json_schema()["anyOf"]
    assert (text["type"], number["type"]) == ("string", "number")
    assert (number["maximum"], number["multipleOf"]) == (999.99, 0.01)
    shown = TypeAdapter(Price).json_schema(mode="serialization")
    assert shown == {"type": "string", "pattern": r"^-?[0-9]{1,3}\.[0-9]{2}$"}


def test_more_digits_than_a_double_has_are_no_multiple_of_anything() -> None:
    _, number = TypeAdapter(Annotated[Decimal, Digits(16, 13)]).json_schema()["anyOf"]
    assert number.keys() == {"type", "minimum", "maximum"}


@pytest.mark.parametrize(
    ("value", "patch", "after"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": [None]}, {"a": [None]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": "foo"}, "bar", "bar"),
        ({"a": "foo"}, None, None),
        (["a"], {"a": {"b": None}}, {"a": {}}),
        (None, {"a": 1}, {"a": 1}),
    ],
)
def test_a_merge_patch_sets_members_and_removes_those_that_are_null(
    value: Any, patch: Any, after: Any
) -> None:
    assert merged(value, patch) == after


def test_a_small_default_is_written_out() -> None:
    class Offer(Content):
        price: Annotated[Decimal, Digits(9, 7)] = Decimal("0.0000001")

    assert Offer.model_json_schema()["properties"]["price"]["default"] == "0.0000001"
