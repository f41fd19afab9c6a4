"""What is asked for, as a change of the declarations; or why a service cannot have it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scaffold.errors import BadAnswers
from scaffold.resources import fields, long_form, short_form
from scaffold.resources.model import Field, Resource
from scaffold.resources.problems import listed, quote, suggest

Resources = tuple[Resource, ...]
# What a migration that goes back cannot restore, as a comment in it.
LOSES_ROWS = "The table is restored empty."
LOSES_VALUES = "Rows get a valid placeholder value; their own values are lost."
NEEDS_EMPTY = "Works only while the table is empty, because rows would need a value."


@dataclass(frozen=True)
class Change:
    """One resource or one field that comes or goes.

    `before` and `after` are all declarations; `resource` has the field that comes or goes as well.
    """

    adds: bool
    resource: Resource
    field: Field | None
    before: Resources
    after: Resources

    @property
    def message(self) -> str:
        """What the migration and a commit say."""
        table = self.resource.plural.replace("_", " ")
        if not self.field:
            return f"{'Create' if self.adds else 'Drop'} {table}"
        column = self.field.column.replace("_", " ")
        return f"Add {column} to {table}" if self.adds else f"Remove {column} from {table}"

    @property
    def resources(self) -> Resources:
        """All that the migration may name."""
        return self.after if self.adds else self.before

    @property
    def fill(self) -> Any:
        """The value for rows that exist, as the long form writes it; None if there is none.

        A field that is removed may have to come back without a default of its own.
        """
        field = self.field
        if field is None or field.optional:
            return None
        if field.default is None and not self.adds and not (field.unique or field.target):
            field = fields.with_fitting_default(field)
        return long_form.to_data(replace(self.resource, fields=(field,)))["fields"][0].get(
            "default"
        )

    @property
    def loses(self) -> str | None:
        """What cannot be restored by going back."""
        if self.adds:
            return None
        if not self.field:
            return LOSES_ROWS
        if self.field.optional:
            return None
        return LOSES_VALUES if self.fill is not None else NEEDS_EMPTY


Asked = Callable[[Resources], Change]


def add_resource(before: Resources, declaration: str) -> Change:
    """A new resource. Raises BadAnswers."""
    new = short_form.parse(declaration)
    for resource in before:
        if resource.name == new.name:
            example = f"scaffold add field {new.name} 'FIELD'"
            raise BadAnswers(
                f"The service already has a resource {quote(new.name)}. "
                f"To add a field to it: {example}"
            )
    return Change(True, new, None, before, (*before, new))


def add_field(before: Resources, name: str, declaration: str) -> Change:
    """A new field, after the others of its resource. Raises BadAnswers."""
    old = _resource(before, name)
    words = short_form.split(declaration)
    if len(words) != 1:
        raise BadAnswers(
            f"{quote(declaration)} is not a single field. Try {quote('vip:bool:default=false')}."
        )
    (new,) = short_form.parse(f"{name}/{old.plural} {declaration}").fields
    for field in old.fields:
        if field.name == new.name:
            raise BadAnswers(f"The resource {quote(name)} already has a field {quote(new.name)}.")
    _refuse_without_value(old, new)
    changed = replace(old, fields=(*old.fields, new))
    return Change(True, changed, new, before, _with(before, changed))


def _refuse_without_value(resource: Resource, field: Field) -> None:
    """Raises BadAnswers for a field that rows which exist would lack."""
    if not field.required:
        return
    ways = [replace(field, optional=True)]
    if not field.unique and not field.target:
        ways.append(fields.with_fitting_default(field))
    tries = listed(quote(short_form.field_form(way)) for way in ways)
    raise BadAnswers(
        f"{quote(field.name)} is required, but existing rows of {quote(resource.name)} would have "
        f"no value. Make it optional or give it a default. Try {tries}."
    )


def remove_resource(before: Resources, name: str) -> Change:
    """Without a resource that no other refers to. Raises BadAnswers."""
    old = _resource(before, name)
    if len(before) == 1:
        raise BadAnswers(
            f"{quote(name)} is the only resource of the service and cannot be removed."
        )
    referring = [
        f"{quote(field.name)} of {quote(other.name)}"
        for other in before
        for field in other.fields
        if field.target == name and other is not old
    ]
    if referring:
        raise BadAnswers(
            f"{quote(name)} is referred to by {listed(referring, 'and')}. Remove "
            f"{'that field' if len(referring) == 1 else 'those fields'} first."
        )
    return Change(False, old, None, before, tuple(r for r in before if r is not old))


def remove_field(before: Resources, name: str, field_name: str) -> Change:
    """Without a field. Raises BadAnswers."""
    old = _resource(before, name)
    having = {field.name: field for field in old.fields}
    if field_name not in having:
        hint = suggest(field_name, having, f"It has {listed(having, 'and')}.")
        raise BadAnswers(f"{quote(name)} has no field {quote(field_name)}. {hint}")
    if len(having) == 1:
        raise BadAnswers(
            f"{quote(field_name)} is the only field of {quote(name)} and cannot be removed. To "
            f"remove the resource: scaffold remove resource {name}"
        )
    gone = having.pop(field_name)
    changed = replace(old, fields=tuple(having.values()))
    return Change(False, old, gone, before, _with(before, changed))


def _resource(resources: Resources, name: str) -> Resource:
    known = {resource.name: resource for resource in resources}
    if name not in known:
        hint = suggest(name, known, f"It has {listed(known, 'and')}.")
        raise BadAnswers(f"The service has no resource {quote(name)}. {hint}")
    return known[name]


def _with(resources: Resources, changed: Resource) -> Resources:
    return tuple(changed if one.name == changed.name else one for one in resources)


def described(change: Change) -> dict[str, Any]:
    """What the template of a migration reads."""
    (resource,) = data([change.resource])
    fields = {field["name"]: field for field in resource["fields"]}
    return {
        "adds": change.adds,
        "resource": resource,
        "field": fields[change.field.name] if change.field else None,
        "fill": change.fill,
        "loses": change.loses,
        "message": change.message,
        "resources": data(change.resources),
        "before": data(change.before),
        "after": data(change.after),
    }


def data(resources: Sequence[Resource]) -> list[dict[str, Any]]:
    return [long_form.to_data(resource) for resource in resources]
