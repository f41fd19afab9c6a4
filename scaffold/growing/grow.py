"""Changes what a service keeps, its code and one more migration, or what it has besides.

Both renderings are made from the release that the service has; git merges the difference, as an
update does it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scaffold.answers import declarations
from scaffold.answers.answers import choices_in, refuse_together
from scaffold.catalog.catalog import Catalog, Question, fields_of
from scaffold.catalog.record import BORN_WITH, RESOURCES, RETIRED
from scaffold.catalog.sources import Source
from scaffold.errors import BadAnswers, TargetError
from scaffold.growing import apps, changes, revisions
from scaffold.growing.changes import Asked, Change, Resources
from scaffold.merging.merge import Conflict
from scaffold.resources import long_form
from scaffold.resources.problems import listed
from scaffold.updating import update
from scaffold.updating.update import Service, Side

# A release that has it can render what a service was born with beside what it has now.
NEEDED = "templates/shared/migrations/operations.jinja"
UPDATE = "Update it first, and commit: scaffold update"
NO_MIGRATION = "No migration was written. Check whether the models need one: {}"


@dataclass(frozen=True)
class Grown:
    """What was added or removed, or with `dry_run` would be; `diff` only then.

    `files` are pairs of a path and `added`, `changed` or `removed`.
    """

    path: Path
    framework: str
    message: str
    files: Sequence[tuple[str, str]]
    conflicts: Sequence[Conflict]
    warnings: Sequence[str]
    diff: str | None = None


def apply_change(
    service: Service,
    source: Source,
    asked: Asked,
    progress: Callable[[str], None],
    *,
    dry_run: bool = False,
    lock: bool = True,
    migrate: bool = True,
) -> Grown:
    """Brings `asked` to `service`, on the release that it was made from.

    With `dry_run` nothing is written, and without `migrate` no migration. Raises BadAnswers,
    TargetError and SourceError.
    """
    made, origin = service.made
    change = planned(service, source, asked)
    project = source.root(origin.revision) / "templates" / made["framework"] / "project"
    migrations = apps if apps.has_them(project) else revisions
    after = answers_after(made, change, migrations is apps)
    package = made["name"].replace("-", "_")
    growth = migrations.growth(service.folder, package, change) if migrate else []
    with_growth = after | {"growth": growth}
    done = _merged(service, source, with_growth, change.message, progress, dry_run, lock)
    if migrate:
        return done
    return replace(done, warnings=[*done.warnings, NO_MIGRATION.format(migrations.CHECK)])


def apply_choice(
    service: Service,
    source: Source,
    known: Catalog,
    choice: str,
    adds: bool,
    progress: Callable[[str], None],
    *,
    dry_run: bool = False,
    lock: bool = True,
) -> Grown:
    """Adds `choice` to what `service` has besides, or removes it, on the release it was made from.

    `known` says what cannot be had together. With `dry_run` nothing is written. Raises BadAnswers,
    TargetError and SourceError.
    """
    made, origin = service.made
    question = _question_with(source.root(origin.revision), choice, origin.revision)
    having = made.get(question.id, [])
    _refuse_useless(choice, adds, having)
    having = [*having, choice] if adds else [one for one in having if one != choice]
    after = {**made, question.id: choices_in(question, having)}
    refuse_together(known, after)
    message = f"{'Add' if adds else 'Remove'} {choice}"
    return _merged(service, source, after, message, progress, dry_run, lock)


def _question_with(root: Path, choice: str, release: str) -> Question:
    """The question that `choice` answers. Raises TargetError where the release has none."""
    for question in fields_of(root):
        if question.multiple and choice in question.choices:
            return question
    raise TargetError(f"The templates of {release} do not have {choice}. {UPDATE}")


def _refuse_useless(choice: str, adds: bool, having: Sequence[str]) -> None:
    """Raises BadAnswers where nothing would change."""
    if adds and choice in having:
        raise BadAnswers(f"The service already has {choice}.")
    if not adds and choice not in having:
        has = f"It has {listed(having, 'and')}." if having else "It has no optional features."
        raise BadAnswers(f"The service does not have {choice}. {has}")


def _merged(
    service: Service,
    source: Source,
    after: Mapping[str, Any],
    message: str,
    progress: Callable[[str], None],
    dry_run: bool,
    lock: bool,
) -> Grown:
    """Brings what the answers `after` make of a rendering to `service`."""
    made, origin = service.made
    root = source.root(origin.revision)
    sides = (Side(root, made, origin), Side(root, after, origin))
    done = update.apply(service, sides, message, progress, dry_run, lock)
    return Grown(
        path=service.folder,
        framework=made["framework"],
        message=message,
        files=done.files,
        conflicts=done.conflicts,
        warnings=done.warnings,
        diff=done.diff,
    )


def resources_of(service: Service) -> Resources:
    """What a service is declared to keep. Raises TargetError for one that does not record it."""
    if RESOURCES not in service.made.answers:
        raise TargetError(f"The service does not record its resources. {UPDATE}")
    return long_form.from_data(service.made.answers[RESOURCES])


def planned(service: Service, source: Source, asked: Asked) -> Change:
    """What `asked` changes. Raises BadAnswers, TargetError and SourceError."""
    answers, origin = service.made
    resources = resources_of(service)
    root = source.root(origin.revision)
    if not (root / NEEDED).is_file():
        raise TargetError(
            f"The templates of {origin.revision} cannot change an existing service. {UPDATE}"
        )
    change = asked(resources)
    reserved = declarations.reserved(root, [answers["framework"]])
    declarations.check(changes.data(change.after), reserved)
    return change


def answers_after(
    answers: Mapping[str, Any], change: Change, keeps_packages: bool
) -> dict[str, Any]:
    """The answers from now on.

    What the service was born with is among them where it differs, and if migrations lie in the
    packages of resources, those that keep nothing else.
    """
    after = changes.data(change.after)
    born = answers.get(BORN_WITH, answers[RESOURCES])
    rest = {key: value for key, value in answers.items() if key not in (BORN_WITH, RETIRED)}
    done = rest | {RESOURCES: after} | ({BORN_WITH: born} if born != after else {})
    retired = [one for one in answers.get(RETIRED, ()) if one != change.resource.plural]
    if keeps_packages and not change.adds and not change.field:
        retired.append(change.resource.plural)
    return done | ({RETIRED: retired} if retired else {})
