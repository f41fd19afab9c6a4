"""Builds a field from what either form says of it, and rejects what its type cannot have."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal

from scaffold.errors import BadAnswers
from scaffold.resources import values
from scaffold.resources.field_types import (
    ALIASES,
    MAX_PRECISION,
    MAX_VALUE_LENGTH,
    MAX_VALUES,
    TYPES,
    VALUE_PATTERN,
    Bounds,
    Number,
    range_in_words,
)
from scaffold.resources.model import Field, Value
from scaffold.resources.problems import listed, quote, suggest

Ends = tuple[Number | None, Number | None]
Digits = tuple[int, int]  # precision and scale
Spelling = Callable[[Ends], str]


def new_field(name: str, type_name: str) -> Field:
    """A field with what its type has by default. Raises BadAnswers if there is no such type."""
    if type_name not in TYPES:
        known = [*TYPES, *ALIASES]
        hint = suggest(type_name, known, f"The types are {listed(TYPES, 'and')}.")
        for alias, meant in ALIASES.items():
            hint = hint.replace(f'"{alias}"', f'"{meant}"')
        raise BadAnswers(f"{quote(type_name)} is not a type. {hint}")
    type_ = TYPES[type_name]
    least, most = type_.bounds.default if type_.bounds else (None, None)
    precision, scale = type_.digits or (None, None)
    target = name if type_.argument == "target" else None
    return Field(name, type_name, least, most, precision, scale, target=target)


def bounded(declared: Field, ends: Ends, spell: Spelling) -> Field:
    """`declared` with other bounds; an end that is None keeps the type's own.

    `spell` writes a range as the form does. Raises BadAnswers.
    """
    bounds = TYPES[declared.type].bounds
    if not bounds:
        having = listed((name for name, type_ in TYPES.items() if type_.bounds), "and")
        raise BadAnswers(
            f"{quote(spell(ends))} does not apply to {declared.type}: only {having} have a range. "
            "Remove it."
        )
    full = tuple(own if end is None else end for own, end in zip(bounds.default, ends, strict=True))
    if problem := _range_problem(bounds, ends, full[0], full[1]):
        why, better = problem
        text = f"{quote(spell(ends))} is not a valid range for {declared.type}"
        raise BadAnswers(f"{text}: {why}. Try {quote(spell(better))}.")
    return replace(declared, min=full[0], max=full[1])


def _range_problem(
    bounds: Bounds, given: Ends, least: Number | None, most: Number | None
) -> tuple[str, Ends] | None:
    """Why the range from `least` to `most` cannot be, and one that can."""
    lowest, highest = bounds.limits
    if _outside(least, bounds) or _outside(most, bounds):
        inside = (_clamped(least, bounds), _clamped(most, bounds))
        return f"its bounds must be from {lowest} to {highest}", inside
    if least is not None and most is not None and least > most:
        why = "the lower bound must not exceed the upper"
        if given[0] is None:
            return f"{why}, and the lower is {least} by default", (lowest, most)
        if given[1] is None:
            return f"{why}, and the upper is {most} by default", (least, highest)
        return why, (most, least)
    if bounds.unit and not most:
        return "the upper bound must be at least 1", (least, 1)
    return None


def _outside(end: Number | None, bounds: Bounds) -> bool:
    return end is not None and _clamped(end, bounds) != end


def _clamped(end: Number | None, bounds: Bounds) -> Number | None:
    lowest, highest = bounds.limits
    if end is None or lowest is None or highest is None:
        return end
    return min(max(end, lowest), highest)


def with_digits(declared: Field, digits: Digits, spell: Callable[[Digits], str]) -> Field:
    """`declared` as a decimal of that precision and scale. Raises BadAnswers."""
    precision, scale = digits
    if not TYPES[declared.type].digits:
        raise BadAnswers(
            f"{quote(spell(digits))} does not apply to {declared.type}: only decimal has digits. "
            "Remove it."
        )
    fitting = min(max(precision, 1), MAX_PRECISION)
    better = quote(spell((fitting, min(max(scale, 0), fitting))))
    text = f"{quote(spell(digits))} is not valid for decimal"
    if precision != fitting:
        raise BadAnswers(f"{text}: the precision must be 1 to {MAX_PRECISION}. Try {better}.")
    if not 0 <= scale <= precision:
        raise BadAnswers(f"{text}: the scale must be 0 to the precision. Try {better}.")
    return replace(declared, precision=precision, scale=scale)


def with_values(declared: Field, chosen: Iterable[str]) -> Field:
    """`declared` as one of `chosen`. Raises BadAnswers."""
    chosen = tuple(chosen)
    for value in chosen:
        if len(value) > MAX_VALUE_LENGTH or not re.fullmatch(VALUE_PATTERN, value):
            raise BadAnswers(
                f"{quote(value)} is not a valid value of an enum: use letters, digits and single "
                f"dashes or underscores, starting with a letter, at most {MAX_VALUE_LENGTH} "
                "characters."
            )
    if not 2 <= len(chosen) <= MAX_VALUES:
        raise BadAnswers(f"An enum has 2 to {MAX_VALUES} values, and this one has {len(chosen)}.")
    _refuse_alike(chosen)
    return replace(declared, values=chosen)


def _refuse_alike(chosen: tuple[str, ...]) -> None:
    """Raises BadAnswers if two values would have the same constant in Python."""
    seen: dict[str, str] = {}
    for value in chosen:
        other = seen.setdefault(value.upper().replace("-", "_"), value)
        if other == value and chosen.count(value) > 1:
            raise BadAnswers(f"{quote(value)} appears twice in the enum. Remove one of them.")
        if other != value:
            raise BadAnswers(
                f"{quote(value)} and {quote(other)} become the same constant. Rename one of them."
            )


def with_default(declared: Field, text: str) -> Field:
    """`declared` with the default that `text` spells. Raises BadAnswers."""
    type_ = TYPES[declared.type]
    try:
        value = type_.read(text)
        type_.check(declared, value)
        _check_range(declared, value)
    except ValueError as why:
        example = _fitting(declared)
        hint = "" if example is None else f" Try {quote(example)}."
        raise BadAnswers(
            f"{quote(text)} is not a valid default for {declared.type}: {why}.{hint}"
        ) from None
    if isinstance(value, Decimal):
        value = Decimal(f"{value:.{declared.scale}f}")
    return replace(declared, default=value)


def _check_range(declared: Field, value: Value) -> None:
    bounds = TYPES[declared.type].bounds
    if not bounds:
        return
    measured = bounds.of(value)
    too_small = declared.min is not None and measured < declared.min
    too_large = declared.max is not None and measured > declared.max
    if too_small or too_large:
        verb, unit = ("have", f" {bounds.unit}") if bounds.unit else ("be", "")
        raise ValueError(f"it must {verb} {range_in_words(declared)}{unit}")


def with_fitting_default(declared: Field) -> Field:
    """`declared` with a default that it would accept."""
    fitting = _fitting(declared)
    bounds = TYPES[declared.type].bounds
    if fitting is None:
        least = int(declared.min or 0)
        fitting = "e" * least if bounds and bounds.unit else values.write(declared.min or 0)
    return with_default(declared, fitting)


def _fitting(declared: Field) -> str | None:
    """A default that the field would accept; None if there is no obvious one."""
    type_ = TYPES[declared.type]
    bounds = type_.bounds
    if declared.values or not bounds:
        return (*declared.values, type_.example)[0]
    if bounds.unit:
        least, most = int(declared.min or 0), int(declared.max or 0)
        return type_.example.ljust(least, "e")[:most] if least <= MAX_VALUE_LENGTH else None
    ends = (values.write(end) for end in (declared.min, declared.max) if end is not None)
    return next((text for text in (type_.example, *ends) if _accepted(declared, text)), None)


def _accepted(declared: Field, text: str) -> bool:
    try:
        _check_range(declared, TYPES[declared.type].read(text))
    except ValueError:
        return False
    return True


def refuse_modifier(type_name: str, modifier: str) -> None:
    """Raises BadAnswers with the reason if fields of this type cannot have `modifier`."""
    if why := TYPES[type_name].why_not.get(modifier):
        raise BadAnswers(f'"{modifier}" does not apply to {type_name}: {why}.')


def check_combination(declared: Field) -> None:
    """Raises BadAnswers if what the field declares cannot be had together."""
    if TYPES[declared.type].argument == "values" and not declared.values:
        raise BadAnswers(f"The values of the enum {quote(declared.name)} are missing.")
    if declared.default is not None and declared.optional:
        raise BadAnswers(
            '"optional" and "default" cannot be combined: a field that is left out would be both '
            "null and the default. Remove one of them."
        )
    if declared.default is not None and declared.unique:
        raise BadAnswers(
            '"unique" and "default" cannot be combined: the second row without a value would '
            "conflict with the first. Remove one of them."
        )
