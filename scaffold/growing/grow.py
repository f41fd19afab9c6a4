"""Changes what a service keeps: its declarations, its code, and one more migration.

Both renderings are made from the release that the service has; git merges the difference, as an
update does it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaffold.answers import declarations
from scaffold.catalog.record import BORN_WITH, RESOURCES, RETIRED
from scaffold.catalog.sources import Source
from scaffold.errors import TargetError
from scaffold.growing import apps, changes, revisions
from scaffold.growing.changes import Asked, Change, Resources
from scaffold.merging.merge import Conflict
from scaffold.resources import long_form
from scaffold.updating import update
from scaffold.updating.update import Service, Side

# A release that has it can render what a service was born with beside what it has now.
NEEDED = "templates/shared/migrations/operations.jinja"
UPDATE = "Update it first, and commit: scaffold update"


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
) -> Grown:
    """Brings `asked` to `service`, on the release that it was made from.

    With `dry_run` nothing is written. Raises BadAnswers, TargetError and SourceError.
    """
    answers, origin = service.made
    change = planned(service, source, asked)
    root = source.root(origin.revision)
    project = root / "templates" / answers["framework"] / "project"
    migrations = apps if apps.has_them(project) else revisions
    after = answers_after(answers, change, migrations is apps)
    package = answers["name"].replace("-", "_")
    growth = migrations.growth(service.folder, package, change)
    sides = (Side(root, answers, origin), Side(root, after | {"growth": growth}, origin))
    done = update.apply(service, sides, change.message, progress, dry_run, lock)
    return Grown(
        path=service.folder,
        framework=answers["framework"],
        message=change.message,
        files=done.files,
        conflicts=done.conflicts,
        warnings=done.warnings,
        diff=done.diff,
    )


def resources_of(service: Service) -> Resources:
    """What a service is declared to keep. Raises TargetError for one that does not record it."""
    if RESOURCES not in service.made.answers:
        raise TargetError(f"The service does not record what it keeps. {UPDATE}")
    return long_form.from_data(service.made.answers[RESOURCES])


def planned(service: Service, source: Source, asked: Asked) -> Change:
    """What `asked` changes. Raises BadAnswers, TargetError and SourceError."""
    answers, origin = service.made
    resources = resources_of(service)
    root = source.root(origin.revision)
    if not (root / NEEDED).is_file():
        raise TargetError(
            f"The templates of {origin.revision} cannot add to a service that exists. {UPDATE}"
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
