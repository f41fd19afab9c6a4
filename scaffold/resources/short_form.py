"""The short form of a declaration: `room name:str:1..100:unique seats:int:default=2`."""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from scaffold.errors import BadAnswers
from scaffold.resources import names, values
from scaffold.resources.field_types import FLAGS, MODIFIERS, TYPES, FieldType, Number
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

EXAMPLE = "room name:str seats:int"
WHITE_SPACE = " \t\r\n"
DIGITS = re.compile("([0-9]{1,9})[.]([0-9]{1,9})")
BARE = re.compile("[A-Za-z0-9_@%+=,./-]+")


def parse(text: str) -> Resource:
    """One declaration. Raises BadAnswers with every problem of it."""
    return parse_all([text])[0]


def parse_all(texts: Iterable[str]) -> tuple[Resource, ...]:
    """Declarations, in order. Raises BadAnswers with every problem of all of them.

    What concerns several resources together, and which names are reserved, `checks.check` says.
    """
    problems = Problems()
    found = [_resource(text, number, problems) for number, text in enumerate(texts, 1)]
    problems.raise_any()
    return tuple(resource for resource in found if resource)


def _resource(text: str, number: int, problems: Problems) -> Resource | None:
    words: list[list[str]] = []
    with problems.at(resource_place(number)):
        words = split(text)
        if not words:
            raise BadAnswers(f"The declaration is empty. Try {quote(EXAMPLE)}.")
    if not words:
        return None
    place = resource_place(number, words[0][0].partition("/")[0])
    with problems.at(place):
        name, plural = _heading(words[0])
        fields = []
        for position, parts in enumerate(words[1:], 1):
            with problems.at(field_place(place, position, parts[0])):
                fields.append(_field(parts))
        return Resource(name, plural, tuple(fields))
    return None


def _heading(parts: list[str]) -> tuple[str, str]:
    """The name and the plural of a resource."""
    first, *others = parts
    if others:
        whole = ":".join(parts)
        raise BadAnswers(
            f"{quote(whole)} is not a resource name: a declaration starts with the name of the "
            f"resource. Try {quote(f'item {whole}')}."
        )
    name, slash, plural = first.partition("/")
    names.check_spelling(name, "resource name")
    if not slash:
        return name, names.plural_of(name)
    if not plural:
        raise BadAnswers(f"{quote(first)} has no plural after the slash. Try {quote(name)}.")
    names.check_spelling(plural, "plural")
    return name, plural


def _field(parts: list[str]) -> Field:
    name, *rest = parts
    if not rest:
        raise BadAnswers(_without_type(name))
    names.check_spelling(name, "field name")
    if "" in rest:
        raise BadAnswers(
            f"{quote(':'.join(parts))} has nothing after one of its colons. Remove the colon."
        )
    type_name, equals, argument = rest[0].partition("=")
    declared = _with_argument(new_field(name, type_name), equals, argument)
    # A default is checked against the range, wherever that is written.
    for part in sorted(rest[1:], key=lambda part: _kind(part) == "default"):
        declared = _with_part(declared, part, rest[1:])
    check_combination(declared)
    return declared


def _without_type(word: str) -> str:
    if ":" in word:
        return (
            f"{quote(word)} has no type: a colon in quotes is part of the text. Quote only the "
            "default, as in name:str:default='a b'."
        )
    return f"{quote(word)} has no type. Try {quote(f'{word}:str')}."


def _with_argument(declared: Field, equals: str, argument: str) -> Field:
    type_ = TYPES[declared.type]
    if type_.argument == "values":
        if not argument:
            raise BadAnswers('"enum" has no values. Try "enum=open,closed".')
        return with_values(declared, argument.split(","))
    if equals and not type_.argument:
        given, better = f"{declared.type}={argument}", f"{declared.type}:default={argument}"
        raise BadAnswers(f"{quote(given)} is not a type with a value. Try {quote(better)}.")
    if equals:
        names.check_spelling(argument, "resource name")
        return replace(declared, target=argument)
    return declared


def _with_part(declared: Field, part: str, parts: list[str]) -> Field:
    kind = _kind(part)
    if kind is None:
        raise BadAnswers(_unknown(declared.type, part))
    if sum(_kind(other) == kind for other in parts) > 1:
        raise BadAnswers(f'"{kind}" is given twice. Remove one of them.')
    refuse_modifier(declared.type, kind)
    return _APPLY[kind](declared, part)


def _kind(part: str) -> str | None:
    """Which modifier a part is; None if it is none."""
    word, equals, _ = part.partition("=")
    if word in MODIFIERS:
        return word
    if equals:
        return None
    if ".." in part:
        return "range"
    return "digits" if DIGITS.fullmatch(part) else None


def _unknown(type_name: str, part: str) -> str:
    type_ = TYPES[type_name]
    known = _written(type_)
    if type_.bounds and part.isdecimal():
        return f"{quote(part)} is not a modifier of {type_name}. Try {quote(f'..{part}')}."
    hint = suggest(part.partition("=")[0], type_.modifiers, f"It can have {listed(known, 'and')}.")
    return f"{quote(part)} is not a modifier of {type_name}. {hint}"


def _written(type_: FieldType) -> Iterator[str]:
    if type_.bounds:
        yield f"a range such as {type_.bounds.example}"
    if type_.digits:
        yield "digits such as 10.2"
    yield from ("default=VALUE" if m == "default" else m for m in type_.modifiers)


def _flag(declared: Field, part: str) -> Field:
    word, equals, _ = part.partition("=")
    if equals:
        raise BadAnswers(f'{quote(part)} has a value, and "{word}" takes none. Try "{word}".')
    return replace(declared, **{word: True})  # type: ignore[arg-type]


def _default(declared: Field, part: str) -> Field:
    _, equals, text = part.partition("=")
    if not equals:
        example = (*declared.values, TYPES[declared.type].example)[0]
        raise BadAnswers(f'"default" has no value. Try {quote(f"default={example}")}.')
    return with_default(declared, text)


def _range(declared: Field, part: str) -> Field:
    bounds = TYPES[declared.type].bounds
    ends = part.split("..")
    if not bounds:
        return bounded(declared, (None, None), lambda _: part)
    if len(ends) > 2 or not any(ends):
        raise BadAnswers(
            f"{quote(part)} is not a valid range: it has a lower and an upper bound. Try "
            f"{quote(bounds.example)}."
        )
    least, most = (_end(end, part, declared.type) for end in ends)
    return bounded(declared, (least, most), _spelled_range)


def _end(text: str, part: str, type_name: str) -> Number | None:
    bounds = TYPES[type_name].bounds
    try:
        return bounds.read(text) if bounds and text else None
    except ValueError as why:
        raise BadAnswers(
            f"{quote(part)} is not a valid range for {type_name}: {quote(text)} "
            f"{str(why).removeprefix('it ')}. Try {quote(bounds.example if bounds else '')}."
        ) from None


def _spelled_range(ends: Ends) -> str:
    return "..".join("" if end is None else values.write(end) for end in ends)


def _digits(declared: Field, part: str) -> Field:
    precision, scale = part.split(".")
    return with_digits(declared, (int(precision), int(scale)), _spelled_digits)


def _spelled_digits(digits: Digits) -> str:
    return ".".join(map(str, digits))


_APPLY: Mapping[str, Callable[[Field, str], Field]] = {
    **dict.fromkeys(FLAGS, _flag),
    "default": _default,
    "range": _range,
    "digits": _digits,
}


def short_form(resource: Resource) -> str:
    """The canonical short form, which `parse` reads back to the same resource."""
    made = resource.plural == names.plural_of(resource.name, strict=False)
    heading = resource.name if made else f"{resource.name}/{resource.plural}"
    return " ".join([heading, *(":".join(_parts(field)) for field in resource.fields)])


def field_form(field: Field) -> str:
    """One field in the canonical short form."""
    return ":".join(_parts(field))


def flag(resource: Resource) -> str:
    """The option of the command line that declares it, quoted for a POSIX shell."""
    return f"--resource {shlex.quote(short_form(resource))}"


def _parts(field: Field) -> Iterator[str]:
    type_ = TYPES[field.type]
    yield field.name
    argument = ",".join(field.values) if field.values else field.target
    yield f"{field.type}={argument}" if argument not in (None, field.name) else field.type
    if type_.bounds and (field.min, field.max) != type_.bounds.default:
        yield _spelled_range((field.min, field.max))
    if type_.digits and (field.precision, field.scale) != type_.digits:
        yield f"{field.precision}.{field.scale}"
    for modifier in type_.modifiers:
        if modifier != "default" and getattr(field, modifier):
            yield modifier
        if modifier == "default" and field.default is not None:
            yield f"default={_quoted(values.write(field.default))}"


def _quoted(text: str) -> str:
    if BARE.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def split(text: str) -> list[list[str]]:
    """The words of `text` as a shell splits them, each in the parts between its bare colons."""
    words: list[list[str]] = []
    inside = False
    for character, quoted in _characters(text):
        if character in WHITE_SPACE and character and not quoted:
            inside = False
            continue
        if not inside:
            words.append([""])
            inside = True
        if character == ":" and not quoted:
            words[-1].append("")
        else:
            words[-1][-1] += character
    return words


def _characters(text: str) -> Iterator[tuple[str, bool]]:
    """Each character without the quotes around it, and whether it was quoted.

    An opening quote yields an empty string, since quotes around nothing make a word too.
    """
    quote_mark = ""
    rest = iter(text)
    for character in rest:
        if character == "\\" and quote_mark != "'":
            yield from ((c, True) for c in _escaped(next(rest, ""), quote_mark))
        elif quote_mark and character == quote_mark:
            quote_mark = ""
        elif quote_mark:
            yield character, True
        elif character in "'\"":
            quote_mark = character
            yield "", True
        else:
            yield character, False
    if quote_mark:
        raise BadAnswers(f"A quote ({quote_mark}) is never closed. Add the closing quote.")


def _escaped(character: str, quote_mark: str) -> str:
    if not character:
        raise BadAnswers("The declaration ends with a backslash. Remove it.")
    return f"\\{character}" if quote_mark and character not in '"\\' else character
