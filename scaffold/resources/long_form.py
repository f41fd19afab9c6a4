"""The long form of declarations: the lists and mappings of an answers file."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from scaffold.errors import BadAnswers
from scaffold.resources import names, values
from scaffold.resources.field_types import FLAGS, MODIFIERS, TYPES, Number
from scaffold.resources.fields import (
    Digits,
    Ends,
    bounded,
    check_combination,
    new_field,
    refuse_modifier,
    with_default,
    with_digits,
    with_values,
)
from scaffold.resources.model import Field, Resource
from scaffold.resources.problems import (
    Problems,
    field_place,
    listed,
    quote,
    resource_place,
    suggest,
)

RESOURCE_KEYS = ("name", "plural", "fields")
FIELD_KEYS = ("name", "type", "values", "target", "min", "max", "precision", "scale", *MODIFIERS)
KINDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
    date: "a date",
    datetime: "a date with a time",
    type(None): "null",
}


def from_data(data: object) -> tuple[Resource, ...]:
    """Resources from a list as YAML or JSON loads it. Raises BadAnswers with every problem.

    What concerns several resources together, and which names are reserved, `checks.check` says.
    """
    if not isinstance(data, list):
        raise BadAnswers(f'"resources" must be a list of resources, not {_kind(data)}.')
    problems = Problems()
    found = [_resource(entry, number, problems) for number, entry in enumerate(data, 1)]
    problems.raise_any()
    return tuple(resource for resource in found if resource)


def _kind(value: object) -> str:
    return KINDS.get(type(value), type(value).__name__)


def _resource(data: object, number: int, problems: Problems) -> Resource | None:
    with problems.at(resource_place(number, _name_in(data))):
        entry = _mapping(data, "A resource", RESOURCE_KEYS, "name", "fields")
        name = _text(entry, "name")
        names.check_spelling(name, "resource name")
        plural = _text(entry, "plural") if "plural" in entry else names.plural_of(name)
        names.check_spelling(plural, "plural")
        if not isinstance(entry["fields"], list):
            raise BadAnswers(f'"fields" must be a list of fields, not {_kind(entry["fields"])}.')
        fields = []
        for position, one in enumerate(entry["fields"], 1):
            place = field_place(resource_place(number, name), position, _name_in(one))
            with problems.at(place):
                fields.append(_field(one))
        return Resource(name, plural, tuple(fields))
    return None


def _name_in(data: object) -> object:
    return data.get("name") if isinstance(data, Mapping) else None


def _mapping(data: object, what: str, keys: Iterable[str], *required: str) -> Mapping[str, Any]:
    """`data` as a mapping of `keys` alone. Raises BadAnswers."""
    keys = tuple(keys)
    if not isinstance(data, Mapping):
        raise BadAnswers(f"{what} must be a mapping of {listed(keys, 'and')}, not {_kind(data)}.")
    for key in data:
        if key not in keys:
            hint = suggest(str(key), keys, f"The keys are {listed(keys, 'and')}.")
            raise BadAnswers(f"Unknown key {quote(key)}. {hint}")
    if missing := [key for key in required if key not in data]:
        raise BadAnswers(f"The key {quote(missing[0])} is missing. Add it.")
    return data


def _text(entry: Mapping[str, Any], key: str) -> str:
    if not isinstance(value := entry[key], str):
        hint = " Put it in quotes." if isinstance(value, bool | int | float | date) else ""
        raise BadAnswers(f'"{key}" must be text, not {_kind(value)}.{hint}')
    return value


def _field(data: object) -> Field:
    entry = _mapping(data, "A field", FIELD_KEYS, "name", "type")
    name = _text(entry, "name")
    names.check_spelling(name, "field name")
    declared = new_field(name, _text(entry, "type"))
    for key in entry:
        if key not in TYPES[declared.type].keys:
            raise BadAnswers(_inapplicable(declared.type, key))
    declared = _with_details(_with_argument(declared, entry), entry)
    for word in FLAGS:
        if not isinstance(value := entry.get(word, False), bool):
            raise BadAnswers(f'"{word}" must be true or false, not {_kind(value)}.')
        declared = replace(declared, **{word: value})  # type: ignore[arg-type]
    if "default" in entry:
        declared = with_default(declared, _default_text(declared, entry["default"]))
    check_combination(declared)
    return declared


def _inapplicable(type_name: str, key: str) -> str:
    refuse_modifier(type_name, key)
    keys = TYPES[type_name].keys
    return f'"{key}" does not apply to {type_name}. Its keys are {listed(keys, "and")}.'


def _with_argument(declared: Field, entry: Mapping[str, Any]) -> Field:
    if "values" in entry:
        chosen = entry["values"]
        if not isinstance(chosen, list):
            hint = 'Try ["open", "closed"].'
            raise BadAnswers(f'"values" must be a list of texts, not {_kind(chosen)}. {hint}')
        for value in chosen:
            if not isinstance(value, str):
                raise BadAnswers(
                    f"A value of an enum must be text, not {_kind(value)} ({values.write(value)}). "
                    "Put it in quotes."
                )
        return with_values(declared, chosen)
    if "target" in entry:
        names.check_spelling(target := _text(entry, "target"), "resource name")
        return replace(declared, target=target)
    return declared


def _with_details(declared: Field, entry: Mapping[str, Any]) -> Field:
    if "min" in entry or "max" in entry:
        ends = (_end(declared, entry, "min"), _end(declared, entry, "max"))
        declared = bounded(declared, ends, _spelled_range)
    if "precision" in entry or "scale" in entry:
        precision = _count(entry, "precision", declared.precision)
        scale = _count(entry, "scale", declared.scale)
        declared = with_digits(declared, (precision, scale), _spelled_digits)
    return declared


def _end(declared: Field, entry: Mapping[str, Any], key: str) -> Number | None:
    bounds = TYPES[declared.type].bounds
    if key not in entry or not bounds:
        return None
    value = entry[key]
    if type(value) not in (int, float):
        raise BadAnswers(f'"{key}" must be a number, not {_kind(value)}.')
    try:
        return bounds.read(values.write(value))
    except ValueError as why:
        raise BadAnswers(
            f'{quote(value)} is not a valid "{key}" for {declared.type}: {why}.'
        ) from None


def _count(entry: Mapping[str, Any], key: str, otherwise: int | None) -> int:
    value = entry.get(key, otherwise)
    if type(value) is not int:
        raise BadAnswers(f'"{key}" must be a whole number, not {_kind(value)}.')
    return value


def _spelled_range(ends: Ends) -> str:
    given = zip(("min", "max"), ends, strict=True)
    return ", ".join(f"{key}: {values.write(end)}" for key, end in given if end is not None)


def _spelled_digits(digits: Digits) -> str:
    return f"precision: {digits[0]}, scale: {digits[1]}"


def _default_text(declared: Field, value: object) -> str:
    loaded = TYPES[declared.type].loaded
    if type(value) not in loaded:
        kinds = listed(dict.fromkeys(KINDS[kind] for kind in loaded))
        raise BadAnswers(f'"default" of {declared.type} must be {kinds}, not {_kind(value)}.')
    return values.write(value)


def canonical(data: object) -> list[dict[str, Any]]:
    """`data` as `to_data` writes it. Raises BadAnswers as `from_data` does."""
    return [to_data(resource) for resource in from_data(data)]


def to_data(resource: Resource) -> dict[str, Any]:
    """The long form, which `from_data` reads back to the same resource.

    What a later release may have another default for is always written: plurals, lengths, digits.
    """
    fields = [_entry(field) for field in resource.fields]
    return {"name": resource.name, "plural": resource.plural, "fields": fields}


def _entry(field: Field) -> dict[str, Any]:
    type_ = TYPES[field.type]
    bare = new_field(field.name, field.type)
    counted = ("min", "max") if type_.bounds and type_.bounds.unit else ("precision", "scale")
    entry: dict[str, Any] = {"name": field.name, "type": field.type}
    for key in type_.keys[2:]:
        value = getattr(field, key)
        if key in counted or value != getattr(bare, key):
            entry[key] = list(value) if key == "values" else values.plain(value)
    return entry
