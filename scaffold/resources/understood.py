"""What was understood of declarations, as rows for a table to show before anything is made."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scaffold.resources import values
from scaffold.resources.field_types import FLAGS, in_words
from scaffold.resources.model import Field, Resource


@dataclass(frozen=True, slots=True)
class Row:
    """One field: the name in JSON, the type, the rule for its values, and the modifiers."""

    resource: str
    field: str
    type: str
    rule: str
    flags: tuple[str, ...]


def understood(resources: Iterable[Resource]) -> tuple[Row, ...]:
    return tuple(
        Row(resource.name, field.column, field.type, in_words(field), tuple(_flags(field)))
        for resource in resources
        for field in resource.fields
    )


def _flags(field: Field) -> Iterator[str]:
    if field.required:
        yield "required"
    if field.default is not None:
        text = values.write(field.default)
        yield f"default {text if text.isprintable() and text else repr(text)}"
    yield from (flag for flag in FLAGS if getattr(field, flag))
