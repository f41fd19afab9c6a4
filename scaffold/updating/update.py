"""Brings a service to the newest release of its templates, and keeps what its owner made of it.

copier renders the release that the service was generated from and the newest; git merges the
difference (docs/decisions/updates.md says why not copier).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaffold.catalog import record
from scaffold.catalog.record import Origin, Record
from scaffold.catalog.sources import Source
from scaffold.errors import FixedAnswer, Interrupted
from scaffold.making import post_generate
from scaffold.making.service import NOTHING_WRITTEN
from scaffold.merging import journal, merge, worktree
from scaffold.merging.merge import Conflict, Merge
from scaffold.merging.repository import UPDATE, Repository, refuse_dirty, repository_of, uncommitted
from scaffold.updating import changelog
from scaffold.updating.changelog import Changes

LOCK = "uv.lock"
PROJECT = "pyproject.toml"
RECOVERED = "An earlier run of scaffold was killed; its changes were undone first."
NOT_IN_GIT = "{}: the template changed it, but your file is not in git, so it was not updated."
IN_A_SUBMODULE = "{}: left out the template's new files, because it is a submodule of yours."
# Why an answer stays as it was given.
FIXED = {
    "framework": (
        "The framework cannot be changed, because your code is written for {old}. Generate a new "
        "service with `scaffold new NAME --framework {new}`, and move your code there."
    ),
    "name": (
        "The name cannot be changed, because imports, images and addresses use it. Rename {old} by "
        "hand, or generate {new} with `scaffold new {new}`."
    ),
}


@dataclass(frozen=True)
class Updated:
    """What an update did, or with `dry_run` would do; `diff` only then.

    `files` are pairs of a path and `added`, `changed` or `removed`.
    """

    path: Path
    framework: str
    before: str
    after: str
    files: Sequence[tuple[str, str]]
    conflicts: Sequence[Conflict]
    changes: Sequence[Changes]
    warnings: Sequence[str]
    diff: str | None = None

    @property
    def message(self) -> str:
        return message(self.before, self.after)


@dataclass(frozen=True)
class Side:
    """One of the two renderings that are compared: the templates, the answers, their origin."""

    root: Path
    answers: Mapping[str, Any]
    origin: Origin


@dataclass(frozen=True)
class Applied:
    """What a merge changed, or with `dry_run` would change; `diff` only then."""

    files: Sequence[tuple[str, str]]
    conflicts: Sequence[Conflict]
    warnings: Sequence[str]
    diff: str | None


@dataclass(frozen=True)
class Service:
    """A service that can be updated: in git, with nothing uncommitted.

    `recovered` tells that a killed run was undone in it.
    """

    folder: Path
    made: Record
    repository: Repository
    recovered: bool = False


def find(folder: Path, command: str = UPDATE) -> Service:
    """The service in `folder`, for `command`. Raises NotAService, NoRepository or DirtyTree.

    What a killed run left half done is undone first.
    """
    record.read(folder)
    found = repository_of(folder, command)
    recovered = journal.recover(found)
    made = record.read(folder)
    refuse_dirty(found)
    return Service(folder, made, found, recovered)


def refuse_fixed(made: Record, given: Mapping[str, str]) -> None:
    """Raises FixedAnswer where `given` would change what an update cannot."""
    for question, why in FIXED.items():
        old, new = made.answers.get(question), given.get(question)
        if old is not None and new is not None and old != new:
            raise FixedAnswer(why.format(old=old, new=new))


def apply_update(
    service: Service,
    source: Source,
    answers: Mapping[str, Any],
    progress: Callable[[str], None],
    *,
    dry_run: bool = False,
    lock: bool = True,
) -> Updated:
    """Brings `service` to the newest release of `source`, with `answers` from now on.

    With `dry_run` nothing is written, and the difference is shown. Raises TargetError and what it
    is above of, SourceError, or BadAnswers.
    """
    before = service.made.origin
    # A draft that is later than the newest release is not brought back to it.
    after = source.newest if source.is_behind(before.revision) else before.revision
    target = before._replace(revision=after)
    done = None
    if target != before or dict(answers) != dict(service.made.answers):
        sides = (
            Side(source.root(before.revision), service.made.answers, before),
            Side(source.root(after), answers, target),
        )
        done = apply(service, sides, message(before.revision, after), progress, dry_run, lock)
    return Updated(
        path=service.folder,
        framework=service.made.answers.get("framework", ""),
        before=before.revision,
        after=after,
        files=done.files if done else (),
        conflicts=done.conflicts if done else (),
        changes=changelog.between(source.changelog, before.revision, after),
        warnings=done.warnings if done else _recovered(service),
        diff=done.diff if done else "" if dry_run else None,
    )


def apply(
    service: Service,
    sides: tuple[Side, Side],
    message: str,
    progress: Callable[[str], None],
    dry_run: bool,
    lock: bool,
) -> Applied:
    """Merges what differs between two renderings into `service`, completely or not at all.

    With `dry_run` nothing is written, and the difference is shown. Raises TargetError.
    """
    warnings = _recovered(service)
    with _reporting_interruption(service, dry_run):
        done, diff = _merged(service, sides, message, progress, dry_run)
        warnings += map(NOT_IN_GIT.format, done.untouched)
        warnings += map(IN_A_SUBMODULE.format, done.submodules)
        if lock and not dry_run:
            warnings += _lock(service, done, progress)
    return Applied(done.files, done.conflicts, warnings, diff)


def _recovered(service: Service) -> list[str]:
    return [RECOVERED] if service.recovered else []


@contextmanager
def _reporting_interruption(service: Service, dry_run: bool) -> Iterator[None]:
    """After an interruption, say whether the update was applied; it never is in part."""
    try:
        yield
    except KeyboardInterrupt:
        if not dry_run and uncommitted(service.repository):
            raise Interrupted(
                f"Interrupted. What `{service.repository.command}` changes is merged, but what "
                "follows was not finished. `git diff --staged` shows it, "
                f"`{service.repository.undo}` undoes it."
            ) from None
        raise Interrupted(NOTHING_WRITTEN) from None


def _merged(
    service: Service,
    sides: tuple[Side, Side],
    message: str,
    progress: Callable[[str], None],
    dry_run: bool,
) -> tuple[Merge, str | None]:
    """The merge, applied or with its diff."""
    from scaffold.making import render

    with merge.workplace(service.repository, keep_objects=not dry_run) as place:
        progress("Rendering the old and the new version ...")
        for side, folder in zip(sides, (place.before, place.after), strict=True):
            render.render(side.root, side.answers, folder, side.origin)
        progress("Merging ...")
        done = merge.merge(place, message)
        if dry_run:
            return done, merge.difference(place, done)
        worktree.apply(place, done)
        return done, None


def message(before: str, after: str) -> str:
    """What the commit of an update may say."""
    if before == after:
        return f"Change the answers to the template {after}"
    return f"Update from the template, {before} to {after}"


def _lock(service: Service, done: Merge, progress: Callable[[str], None]) -> list[str]:
    """Locks again where the service has a lock and its project changed; the warnings."""
    has_lock = (service.folder / LOCK).exists() or post_generate.workspace_of(service.folder)
    if PROJECT not in dict(done.files) or not has_lock:
        return []
    if PROJECT in {conflict.file for conflict in done.conflicts}:
        return [
            f"{LOCK} was not updated, because {PROJECT} has conflicts; resolve them and run "
            "`uv lock`."
        ]
    progress("Locking dependencies ...")
    warning = post_generate.lock(service.folder)
    return [warning] if warning else []
