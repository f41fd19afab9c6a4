"""The rules for declarations as a whole: reserved names, clashes, references, how many."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from scaffold.errors import BadAnswers
from scaffold.resources.model import Field, Resource, class_name
from scaffold.resources.names import Reserved, check_field_name, check_resource_name
from scaffold.resources.problems import (
    Problems,
    field_place,
    listed,
    quote,
    resource_place,
    suggest,
)

MAX_RESOURCES = 20
MAX_FIELDS = 40


def check(resources: Sequence[Resource], reserved: Reserved, *, unfinished: bool = False) -> None:
    """Raises BadAnswers with every problem of the resources together, a line for each.

    If `unfinished`, a reference may name a resource that is yet to be declared.
    """
    problems = Problems()
    if not resources:
        raise BadAnswers('A service must have at least one resource. Try "item name:str".')
    if (count := len(resources)) > MAX_RESOURCES:
        raise BadAnswers(
            f"A service can have at most {MAX_RESOURCES} resources, but {count} are declared. "
            f"Remove {count - MAX_RESOURCES} or split the service."
        )
    for number, resource in enumerate(resources, 1):
        _check_resource(number, resource, reserved, problems)
    _check_clashes(resources, reserved, problems)
    _check_references(resources, problems, unfinished)
    problems.raise_any()


def _check_resource(
    number: int, resource: Resource, reserved: Reserved, problems: Problems
) -> None:
    place = resource_place(number, resource.name)
    with problems.at(place):
        check_resource_name(resource, reserved)
    with problems.at(place):
        _check_count(resource)
    columns: dict[str, int] = {}
    for position, field in enumerate(resource.fields, 1):
        with problems.at(field_place(place, position, field.name)):
            check_field_name(field, resource, reserved)
        with problems.at(field_place(place, position, field.name)):
            first = columns.setdefault(field.column, position)
            if first != position:
                raise BadAnswers(_same_column(field, first, resource.fields[first - 1]))


def _check_count(resource: Resource) -> None:
    count = len(resource.fields)
    if not count:
        example = quote(f"{resource.name} name:str")
        raise BadAnswers(f"A resource must have at least one field. Try {example}.")
    if count > MAX_FIELDS:
        raise BadAnswers(
            f"A resource can have at most {MAX_FIELDS} fields, but {count} are declared. Move "
            f"{count - MAX_FIELDS} to another resource that refers to it."
        )


def _same_column(field: Field, position: int, other: Field) -> str:
    if field.name == other.name:
        return f"{quote(field.name)} is also the name of field {position}. Rename one of them."
    return (
        f"{quote(field.column)} is the column of this field and of field {position} "
        f"{quote(other.name)}. Rename one of them."
    )


def _check_clashes(resources: Sequence[Resource], reserved: Reserved, problems: Problems) -> None:
    """Every name that a resource makes belongs to it alone."""
    owners: dict[str, tuple[int, str]] = {}
    for number, resource in enumerate(resources, 1):
        with problems.at(resource_place(number, resource.name)):
            made: dict[str, str] = {}
            for name, what in _names_made(resource, reserved):
                made.setdefault(name, what)
            for name, what in made.items():
                if name in owners:
                    raise BadAnswers(_clash(resources, owners[name], name, what))
            owners |= {name: (number, what) for name, what in made.items()}


def _clash(resources: Sequence[Resource], owner: tuple[int, str], name: str, what: str) -> str:
    number, of_other = owner
    here = "" if what == of_other else f", {what} of this resource,"
    other = f"resource {number} {quote(resources[number - 1].name)}"
    return f"{quote(name)}{here} is already {of_other} of {other}. Rename one of them."


def _names_made(resource: Resource, reserved: Reserved) -> Iterator[tuple[str, str]]:
    """Each name that the resource makes in the service, and what it is, the plainest first."""
    yield resource.name, "the name"
    yield resource.plural, "the plural"
    yield resource.class_name, "the class"
    plural = class_name(resource.plural)
    for pattern in reserved.patterns:
        yield pattern.format(name=resource.class_name, plural=plural), "a generated class"
    for field in resource.fields:
        if field.values:
            name = f"{resource.class_name}{class_name(field.name)}"
            yield name, f"the class of the enum {quote(field.name)}"


def _check_references(resources: Sequence[Resource], problems: Problems, unfinished: bool) -> None:
    by_name = {resource.name: resource for resource in resources}
    reported: set[str] = set()
    for number, resource in enumerate(resources, 1):
        for position, field in enumerate(resource.fields, 1):
            place = field_place(resource_place(number, resource.name), position, field.name)
            with problems.at(place):
                if not field.target:
                    continue
                if field.target not in by_name:
                    if unfinished:
                        continue
                    raise BadAnswers(_no_target(field.target, resources))
                if field.required and resource.name not in reported:
                    circle = _circle(resource.name, field.target, by_name)
                    reported |= set(circle)
                    if circle:
                        raise BadAnswers(_impossible(field, circle))


def _no_target(target: str, resources: Sequence[Resource]) -> str:
    names = [resource.name for resource in resources]
    plurals = {resource.plural: resource.name for resource in resources}
    if target in plurals:
        singular = quote(plurals[target])
        return f"{quote(target)} is a plural, but a reference uses the singular. Try {singular}."
    hint = suggest(target, names, f"Declare it, or refer to {listed(names)}.")
    return f"No resource is called {quote(target)}. {hint}"


def _circle(start: str, target: str, by_name: Mapping[str, Resource]) -> list[str]:
    """From `start` by way of `target` along required references back to `start`, or nothing."""
    paths = [[start, target]]
    seen = {target}
    for path in paths:
        if path[-1] == start:
            return path
        for onward in _needed(by_name[path[-1]]):
            if onward in by_name and (onward == start or onward not in seen):
                seen.add(onward)
                paths.append([*path, onward])
    return []


def _needed(resource: Resource) -> list[str]:
    """The resources that have to be there before one of this can be."""
    return [field.target for field in resource.fields if field.target and field.required]


def _impossible(field: Field, circle: Sequence[str]) -> str:
    hint = f"Make one of the references optional, such as {quote(_optional(field))}."
    if len(circle) == 2:
        needs = f"the first {circle[0]} would need another one"
    else:
        steps = (f"{quote(a)} needs {quote(b)}" for a, b in pairwise(circle))
        needs = listed(steps, "and")
    return f"No {circle[0]} could ever be created: {needs}. {hint}"


def _optional(field: Field) -> str:
    target = "" if field.target == field.name else f"={field.target}"
    return f"{field.name}:ref{target}:optional"
