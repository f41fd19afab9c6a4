"""Changes what a service keeps: its declarations, its code, and one more migration.

Both renderings are made from the release that the service has; git merges the difference, as an
update does it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaffold.answers import declarations
from scaffold.catalog.record import BORN_WITH, RESOURCES
from scaffold.catalog.sources import Source
from scaffold.errors import TargetError
from scaffold.growing import changes, revisions
from scaffold.growing.changes import Asked, Change
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
    if RESOURCES not in answers:
        raise TargetError(f"The service does not record what it keeps. {UPDATE}")
    root = source.root(origin.revision)
    if not (root / NEEDED).is_file():
        raise TargetError(
            f"The templates of {origin.revision} cannot add to a service that exists. {UPDATE}"
        )
    _refuse_without_template(root, answers["framework"])
    change = asked(long_form.from_data(answers[RESOURCES]))
    reserved = declarations.reserved(root, [answers["framework"]])
    declarations.check(changes.data(change.after), reserved)
    after = _answers(answers, change)
    growth = _growth(service, change)
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


def _refuse_without_template(root: Path, framework: str) -> None:
    """Raises TargetError where the framework has no template of a later migration."""
    project = root / "templates" / framework / "project"
    if not any("growth" in found.name for found in project.glob("src/*/migrations/versions/*")):
        raise TargetError(
            f"A service of {framework} cannot be added to by scaffold yet. Its README says how to "
            "add a resource by hand."
        )


def _answers(answers: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """The answers from now on; what the service was born with is among them where it differs."""
    after = changes.data(change.after)
    born = answers.get(BORN_WITH, answers[RESOURCES])
    rest = {key: value for key, value in answers.items() if key != BORN_WITH}
    return rest | {RESOURCES: after} | ({BORN_WITH: born} if born != after else {})


def _growth(service: Service, change: Change) -> dict[str, Any]:
    """What the templates need for the one migration."""
    package = service.made.answers["name"].replace("-", "_")
    folder = revisions.versions_in(service.folder, package)
    after, known = revisions.newest(folder)
    revision = revisions.new_id(known, after, change.message)
    (resource,) = changes.data([change.resource])
    field = change.field
    return {
        "adds": change.adds,
        "resource": resource,
        "field": next((f for f in resource["fields"] if field and f["name"] == field.name), None),
        "fill": change.fill,
        "loses": change.loses,
        "message": change.message,
        "resources": changes.data(change.resources),
        "revision": revision,
        "down_revision": after,
        "file": f"{revision}_{revisions.slug(change.message)}.py",
    }
