"""What resources and fields may be called, and the plurals that are made of names."""

import builtins
import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from scaffold.errors import BadAnswers
from scaffold.resources.model import Field, Resource, class_name
from scaffold.resources.problems import quote

MAX_LENGTH = 40
PATTERN = "^[a-z][a-z0-9]*(_[a-z0-9]+)*$"
BUILTIN = "Python has a builtin of that name"
KEYWORD = "it is a Python keyword"


@dataclass(frozen=True, slots=True)
class Reserved:
    """Names that a service uses itself, each with the reason as the end of a sentence."""

    fields: Mapping[str, str]
    field_prefixes: Mapping[str, str]
    resources: Mapping[str, str]
    plural_prefixes: Mapping[str, str]
    classes: Mapping[str, str]
    # The classes of every resource, such as "{name}Store" and "{plural}".
    patterns: tuple[str, ...]


def reserved_from(*tables: Mapping[str, Any]) -> Reserved:
    """The reserved names of TOML tables: the common one, and that of a framework."""
    groups = [group for table in tables for group in table.get("resource_names", ())]
    patterns = (pattern for table in tables for pattern in table.get("resource_classes", ()))
    return Reserved(
        _reasons(groups, "fields"),
        _reasons(groups, "field_prefixes"),
        _reasons(groups, "resources"),
        _reasons(groups, "plural_prefixes"),
        _reasons(groups, "classes"),
        tuple(dict.fromkeys(patterns)),
    )


def _reasons(groups: Iterable[Mapping[str, Any]], key: str) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for group in groups:
        for word in group.get(key, ()):
            reasons.setdefault(word, group["why"])
    return reasons


def check_spelling(name: str, what: str) -> None:
    """Raises BadAnswers, with a name that is spelled as it should be."""
    if why := _misspelling(name):
        better = _respelled(name)
        hint = f" Try {quote(better)}." if better else ""
        raise BadAnswers(f"{quote(name)} is not a valid {what}: {why}.{hint}")


def _misspelling(name: str) -> str | None:
    if not name:
        return "it is empty"
    if len(name) > MAX_LENGTH:
        return f"it is longer than {MAX_LENGTH} characters"
    if not re.fullmatch(PATTERN, name):
        return "use lower-case letters, digits and single underscores, starting with a letter"
    return None


def _respelled(name: str) -> str:
    apart = re.sub("([a-z0-9])([A-Z])", r"\1_\2", name[: 4 * MAX_LENGTH]).lower()
    plain = re.sub("[^a-z0-9]+", "_", apart).lstrip("0123456789_")
    return plain[:MAX_LENGTH].strip("_")


@cache
def _pluralizer() -> Any:
    import pluralizer  # most commands need no plurals

    untyped: Any = pluralizer.Pluralizer
    return untyped()


def plural_of(name: str, *, strict: bool = True) -> str:
    """`name` with its last word in the plural. If `strict`, BadAnswers if that is no valid name."""
    start, underscore, last = name.rpartition("_")
    plural = f"{start}{underscore}{_pluralizer().plural(last)}"
    if strict and plural == name:
        raise BadAnswers(_same_plural(name))
    if strict and len(plural) > MAX_LENGTH:
        raise BadAnswers(
            f"The plural of {quote(name)} is longer than {MAX_LENGTH} characters. Shorten the name."
        )
    return plural


def _same_plural(name: str) -> str:
    start, underscore, last = name.rpartition("_")
    singular = f"{start}{underscore}{_pluralizer().singular(last)}"
    explicit = quote(f"{name}/{name}_list")
    if singular == name:
        return f"The plural of {quote(name)} must differ from the name. Try {explicit}."
    return (
        f"{quote(name)} seems to be a plural; name the resource in the singular. Try "
        f"{quote(singular)}, or give a plural: {explicit}."
    )


def check_resource_name(resource: Resource, reserved: Reserved) -> None:
    """Raises BadAnswers if the name or the plural of the resource is reserved."""
    if resource.plural == resource.name:
        made = plural_of(resource.name, strict=False)
        better = f"{resource.name}_list" if made == resource.name else made
        raise BadAnswers(
            _refusal(resource.plural, "plural", "it must differ from the name", better)
        )
    if why := _resource_rule(resource.name, reserved):
        raise BadAnswers(_refusal(resource.name, "resource name", why, f"{resource.name}_entry"))
    starts = reserved.plural_prefixes.items()
    prefixed = (why for prefix, why in starts if resource.plural.startswith(prefix))
    if rule := _resource_rule(resource.plural, reserved) or next(prefixed, None):
        raise BadAnswers(_refusal(resource.plural, "plural", rule, f"{resource.name}_entries"))


def _refusal(word: str, what: str, why: str, better: str) -> str:
    hint = f" Try {quote(better)}." if len(better) <= MAX_LENGTH else ""
    return f"{quote(word)} is not a valid {what}: {why}.{hint}"


def _resource_rule(word: str, reserved: Reserved) -> str | None:
    """Why neither a resource nor its plural can be called `word`."""
    in_python = class_name(word)
    if keyword.iskeyword(word) or keyword.iskeyword(in_python):
        return KEYWORD
    if hasattr(builtins, word) or hasattr(builtins, in_python):
        return BUILTIN
    return reserved.resources.get(word) or reserved.classes.get(in_python)


def check_field_name(field: Field, resource: Resource, reserved: Reserved) -> None:
    """Raises BadAnswers if the name of the field, or of its column, is reserved."""
    for word in dict.fromkeys((field.name, field.column)):
        if why := _field_rule(word, resource, reserved):
            better = _free_field(field, resource, reserved)
            raise BadAnswers(_refusal(word, "field name", why, better))


def _field_rule(word: str, resource: Resource, reserved: Reserved) -> str | None:
    if keyword.iskeyword(word):
        return KEYWORD
    if word == f"{resource.name}_id":
        return f"the routes use it for the ID of the {resource.name} itself"
    found = (why for prefix, why in reserved.field_prefixes.items() if word.startswith(prefix))
    return reserved.fields.get(word) or next(found, None)


def _free_field(field: Field, resource: Resource, reserved: Reserved) -> str:
    if field.target == resource.name:
        return f"parent_{field.name}"
    longer = f"{resource.name}_{field.name}"
    if field.name.startswith(resource.name) or _field_rule(longer, resource, reserved):
        return f"other_{field.name}"
    return longer
