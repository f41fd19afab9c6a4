"""The long form of declarations as JSON Schema (2020-12), for agents that write one."""

import builtins
import keyword
from collections.abc import Iterable
from typing import Any

from scaffold.resources.checks import MAX_FIELDS, MAX_RESOURCES
from scaffold.resources.field_types import (
    MAX_PRECISION,
    MAX_VALUE_LENGTH,
    MAX_VALUES,
    TYPES,
    VALUE_PATTERN,
    Bounds,
    FieldType,
)
from scaffold.resources.names import MAX_LENGTH, PATTERN, Reserved

ABOUT = (
    "What the service stores, in order. Names and plurals differ from each other, and so do the "
    "classes made of them (line_2 and line2 are both Line2). A chain of references that leads back "
    "to where it began has at least one that is optional."
)
FIELDS = (
    "The fields, in the order in which they appear everywhere. Their names differ, and a "
    "reference called room makes the column room_id, which no other field may be called."
)
MODIFIERS = {
    "optional": "May be null, and is null when a client leaves it out.",
    "unique": "No two rows have the same value.",
    "default": "The value when a client leaves the field out; it obeys the field's own rules.",
    "filter": "The list can be filtered by it.",
    "sort": "The list can be sorted by it.",
}
# A field cannot have both; false is as good as left out.
EXCLUSIVE = [
    {"required": ["default", flag], "properties": {flag: {"const": True}}}
    for flag in ("optional", "unique")
]


def schema(reserved: Reserved) -> dict[str, Any]:
    """A schema for the answer `resources`: a list, as `long_form.from_data` reads it."""
    return {
        "type": "array",
        "description": ABOUT,
        "minItems": 1,
        "maxItems": MAX_RESOURCES,
        "items": _resource(reserved),
    }


def _resource(reserved: Reserved) -> dict[str, Any]:
    taken = _resource_words(reserved)
    plural = "The name of the list, the table and the path; made from the name if it is left out."
    return {
        "type": "object",
        "required": ["name", "fields"],
        "additionalProperties": False,
        "properties": {
            "name": _name("The resource in the singular, such as room.", taken),
            "plural": _name(plural, taken, reserved.plural_prefixes),
            "fields": {
                "type": "array",
                "description": FIELDS,
                "minItems": 1,
                "maxItems": MAX_FIELDS,
                "items": {
                    "oneOf": [_field(name, type_, reserved) for name, type_ in TYPES.items()]
                },
            },
        },
    }


def _resource_words(reserved: Reserved) -> set[str]:
    in_python = (name for name in dir(builtins) if name == name.lower() and name[0] != "_")
    return {*reserved.resources, *in_python, *_keywords()}


def _keywords() -> Iterable[str]:
    return (word for word in keyword.kwlist if word == word.lower())


def _name(about: str, taken: Iterable[str], prefixes: Iterable[str] = ()) -> dict[str, Any]:
    others = [{"pattern": f"^{prefix}"} for prefix in prefixes]
    return {
        "type": "string",
        "description": about,
        "pattern": PATTERN,
        "maxLength": MAX_LENGTH,
        "not": {"anyOf": [{"enum": sorted(taken)}, *others]},
    }


def _field(name: str, type_: FieldType, reserved: Reserved) -> dict[str, Any]:
    words = {*reserved.fields, *_keywords()}
    properties = {
        "name": _name("The field, such as seats.", words, reserved.field_prefixes),
        "type": {"const": name},
        **_argument(type_),
        **(_bounds(type_.bounds) if type_.bounds else {}),
        **(_digits(*type_.digits) if type_.digits else {}),
        **{word: _modifier(word, type_) for word in type_.modifiers},
    }
    exclusive = [pair for pair in EXCLUSIVE if set(pair["required"]) <= set(properties)]
    return {
        "title": name,
        "description": f"{_rule(type_)}.",
        "type": "object",
        "required": ["name", "type", *(["values"] if type_.argument == "values" else [])],
        "additionalProperties": False,
        "properties": properties,
        **({"not": {"anyOf": exclusive}} if exclusive else {}),
    }


def _rule(type_: FieldType) -> str:
    """The type's rule with the names of its keys in place of their values."""
    return type_.rule.format(
        range="min to max", precision="precision", scale="scale", values="values", target="target"
    ).capitalize()


def _argument(type_: FieldType) -> dict[str, Any]:
    shapes = {
        "values": {
            "type": "array",
            "description": "The values; they also differ in capitals, with - and _ taken as one.",
            "minItems": 2,
            "maxItems": MAX_VALUES,
            "uniqueItems": True,
            "items": {"type": "string", "pattern": VALUE_PATTERN, "maxLength": MAX_VALUE_LENGTH},
        },
        "target": {
            "type": "string",
            "description": "The resource it refers to, by name; the field's own name if left out.",
            "pattern": PATTERN,
            "maxLength": MAX_LENGTH,
        },
    }
    return {type_.argument: shapes[type_.argument]} if type_.argument else {}


def _bounds(bounds: Bounds) -> dict[str, Any]:
    whole = isinstance(bounds.read("1"), int)
    ends = {"min": "must not exceed max", "max": "must not be less than min"}
    return {
        key: {
            "type": "integer" if whole else "number",
            "description": f"Inclusive; {rule}.",
            **({} if default is None else {"default": default}),
            **_limits(bounds, key),
        }
        for (key, rule), default in zip(ends.items(), bounds.default, strict=True)
    }


def _limits(bounds: Bounds, key: str) -> dict[str, Any]:
    lowest, highest = bounds.limits
    if bounds.unit and key == "max":
        lowest = 1
    limits = {"minimum": lowest, "maximum": highest}
    return {word: limit for word, limit in limits.items() if limit is not None}


def _digits(precision: int, scale: int) -> dict[str, Any]:
    return {
        "precision": {
            "type": "integer",
            "description": "How many digits in all.",
            "minimum": 1,
            "maximum": MAX_PRECISION,
            "default": precision,
        },
        "scale": {
            "type": "integer",
            "description": "How many of them after the point; must not exceed precision.",
            "minimum": 0,
            "maximum": MAX_PRECISION,
            "default": scale,
        },
    }


def _modifier(word: str, type_: FieldType) -> dict[str, Any]:
    shape = dict(type_.json) if word == "default" else {"type": "boolean", "default": False}
    return shape | {"description": MODIFIERS[word]}
