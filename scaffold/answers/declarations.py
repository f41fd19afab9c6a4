"""Declared resources as an answer: from what is typed or loaded to what a template reads.

Imported only where resources are given, since most commands need none of it.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from scaffold import documents
from scaffold.errors import BadAnswers
from scaffold.resources import checks, long_form, names, short_form
from scaffold.resources.model import Resource
from scaffold.resources.names import Reserved

Declared = list[dict[str, Any]]  # the canonical long form

# The record of a service has them beside its other answers, and is read back with a limit.
MAX_KIB = 96


def reserved(root: Path, frameworks: Iterable[str]) -> Reserved:
    """The names that a service of any of these uses itself, by the templates in `root`."""
    folder = root / "templates"
    described = (folder / framework / "framework.toml" for framework in frameworks)
    # Templates of somebody's own may have no table.
    tables = (file for file in (folder / "resource_names.toml", *described) if file.exists())
    return names.reserved_from(*map(documents.read_toml, tables))


def typed(texts: Iterable[str]) -> Declared:
    """Declarations in the short form. Raises BadAnswers with every problem of them."""
    return _data(short_form.parse_all(texts))


def loaded(data: object) -> Declared:
    """Declarations in the long form. Raises BadAnswers with every problem of them."""
    return _data(long_form.from_data(data))


def check(declared: object, reserved: Reserved) -> None:
    """Raises BadAnswers with what is wrong with the resources together, and with their names."""
    checks.check(long_form.from_data(declared), reserved)
    size = len(json.dumps(declared, ensure_ascii=False).encode())
    if size > MAX_KIB * 1024:
        raise BadAnswers(
            f"The declarations are {-(-size // 1024)} KiB long; the limit is {MAX_KIB} KiB. "
            "Shorten the defaults, or split the service."
        )


def in_short(declared: object) -> list[str]:
    """Each resource in the short form."""
    return [short_form.short_form(resource) for resource in long_form.from_data(declared)]


def _data(resources: Iterable[Resource]) -> Declared:
    return [long_form.to_data(resource) for resource in resources]


class Draft:
    """Declarations that are typed one by one; each is judged with those before it."""

    def __init__(self, reserved: Reserved) -> None:
        self._reserved = reserved
        self._texts: Sequence[str] = ()
        self._resources: Sequence[Resource] = ()

    def add(self, text: str) -> Resource:
        """What `text` declares; it replaces an earlier resource of the same name.

        A reference may name a resource that comes later. Raises BadAnswers, and changes nothing.
        """
        *_, new = short_form.parse_all([*self._texts, text])
        known = [resource.name for resource in self._resources]
        place = known.index(new.name) if new.name in known else len(known)
        texts, resources = [*self._texts], [*self._resources]
        texts[place : place + 1], resources[place : place + 1] = [text], [new]
        checks.check(resources, self._reserved, unfinished=True)
        self._texts, self._resources = texts, resources
        return new

    def finish(self) -> Declared:
        """All of them. Raises BadAnswers where a reference names none of them."""
        declared = _data(self._resources)
        check(declared, self._reserved)
        return declared

    @property
    def names(self) -> list[str]:
        return [resource.name for resource in self._resources]

    @property
    def incomplete(self) -> str:
        """The first declaration that refers to what is not there, as it was typed; or nothing."""
        return next(self._incomplete(), "")

    def _incomplete(self) -> Iterator[str]:
        for text, resource in zip(self._texts, self._resources, strict=True):
            if any(field.target and field.target not in self.names for field in resource.fields):
                yield text
