"""The declarations whose services are asked for the resource lines of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

import pytest

from scaffold.resources import long_form, short_form
from scaffold.resources.model import Resource

EXAMPLE, RICH, GIVEN = "example", "rich", "given"

SHORT_FORMS: Mapping[str, tuple[str, ...]] = {
    EXAMPLE: ("item name:str:1..100:unique quantity:int:0..1000000:default=0",),
    # Every type and every modifier, references in both directions of declaration, to itself and
    # in a circle.
    RICH: (
        "room name:str:1..100:unique seats:int:1..500:default=2:sort"
        " area:float:0..10000:optional:sort projector:bool:default=false:filter"
        " opened:date:optional:sort:filter door_code:uuid:unique:optional"
        " annex:ref=room:optional:filter contact:email:optional site:url:optional:filter",
        "booking room:ref:filter guest:email:filter starts_at:datetime:sort nights:int:1..30:filter"
        " price:decimal:10.2:optional:sort paid:bool:default=false:filter"
        " state:enum=asked,kept,lapsed:default=asked:filter:sort notes:text:optional"
        " rate:float:default=1.5 code:str:3..20:unique:filter:sort invoice:ref:optional",
        "invoice number:int:1..9007199254740993:unique total:decimal:12.2:filter"
        " due:date:default=2027-01-31 sent_at:datetime:optional:filter"
        " token:uuid:default=6f1c2d9e-52f1-4a3b-8a57-0c9d1e2f3a4b:filter"
        ' site:url:default="https://example.com/" terms:text:0..2000:default="as agreed"'
        " booking:ref:unique:optional",
    ),
}


def declarations_of(config: pytest.Config) -> dict[str, tuple[Resource, ...]]:
    """What the services of a run are made of: `--resource` takes the place of all others."""
    if given := config.getoption("resource"):
        return {GIVEN: parsed(tuple(given))}
    return {name: parsed(texts) for name, texts in SHORT_FORMS.items()}


parsed = cache(short_form.parse_all)


def as_data(resources: Iterable[Resource]) -> list[dict[str, object]]:
    """A declaration as the templates take it."""
    return [long_form.to_data(resource) for resource in resources]


def as_options(resources: Iterable[Resource]) -> str:
    """A declaration as the command line takes it, to repeat what has failed."""
    return " \\\n  ".join(short_form.flag(resource) for resource in resources)
