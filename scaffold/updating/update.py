"""Brings a service to the newest release of its templates, and keeps what its owner made of it.

copier renders both, what the service was made from and what would be made today; git merges the
difference (docs/decisions/updates.md says why not copier).
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scaffold.catalog import record
from scaffold.catalog.record import ANSWERS_FILE, Origin, Record
from scaffold.catalog.sources import Source
from scaffold.errors import FixedAnswer, Interrupted
from scaffold.making import post_generate
from scaffold.making.service import NOTHING_WRITTEN
from scaffold.updating import changelog, merge
from scaffold.updating.changelog import Changes
from scaffold.updating.merge import Conflict, Repository

LOCK = "uv.lock"
PROJECT = "pyproject.toml"
# Why an answer stays as it was given.
FIXED = {
    "framework": (
        "Another framework is another service: the code that you wrote is for {old}. Make a new "
        "one with `scaffold new NAME --framework {new}`, and bring your code over."
    ),
    "name": (
        "The name is in imports, images and addresses that only you know of. Rename {old} by hand, "
        "or make {new} with `scaffold new {new}`."
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
class Service:
    """A service that can be updated: in git, with nothing uncommitted."""

    folder: Path
    made: Record
    repository: Repository


def find(folder: Path) -> Service:
    """The service in `folder`. Raises NotAService, NoRepository or DirtyTree."""
    made = record.read(folder)
    repository = merge.repository_of(folder)
    merge.refuse_dirty(repository)
    return Service(folder, made, repository)


def refuse_fixed(made: Record, given: Mapping[str, str]) -> None:
    """Raises FixedAnswer where `given` would change what an update cannot."""
    for question, why in FIXED.items():
        old, new = made.answers.get(question), given.get(question)
        if old is not None and new is not None and old != new:
            raise FixedAnswer(why.format(old=old, new=new))


def apply_update(
    service: Service,
    source: Source,
    answers: Mapping[str, str],
    progress: Callable[[str], None],
    *,
    dry_run: bool = False,
    lock: bool = True,
) -> Updated:
    """Brings `service` to the newest release of `source`, with `answers` from now on.

    With `dry_run` the same is done to a copy. Raises TargetError and what it is above of,
    SourceError, or BadAnswers.
    """
    before = service.made.origin
    # A draft that is later than the newest release is not brought back to it.
    after = source.newest if source.is_behind(before.revision) else before.revision
    target = before._replace(revision=after)
    done, diff, warnings = merge.Merged((), ()), "" if dry_run else None, []
    with _reporting_interruption(service, dry_run):
        if target != before or dict(answers) != dict(service.made.answers):
            progress("Rendering both releases ...")
            with _renderings(service, source, target, answers) as renderings:
                progress("Merging ...")
                text = message(before.revision, after)
                done, diff = _merged(service.repository, renderings, text, dry_run)
        if lock and not dry_run:
            warnings = _lock(service, done, progress)
    return Updated(
        path=service.folder,
        framework=service.made.answers.get("framework", ""),
        before=before.revision,
        after=after,
        files=done.files,
        conflicts=done.conflicts,
        changes=changelog.between(source.changelog, before.revision, after),
        warnings=warnings,
        diff=diff,
    )


@contextmanager
def _reporting_interruption(service: Service, dry_run: bool) -> Iterator[None]:
    """After an interruption, say whether the update was applied; it never is in part."""
    try:
        yield
    except KeyboardInterrupt:
        if not dry_run and merge.uncommitted(service.repository):
            raise Interrupted(
                "Interrupted. The update is merged, but what follows it was not finished. "
                "`git diff --staged` shows it, `git reset --hard` undoes it."
            ) from None
        raise Interrupted(NOTHING_WRITTEN) from None


def _merged(
    repository: Repository, renderings: tuple[Path, Path], text: str, dry_run: bool
) -> tuple[merge.Merged, str | None]:
    """What the merge did, and the diff of it where it was done to a copy."""
    old, new = renderings
    if not dry_run:
        return merge.merge(repository, old, new, text), None
    with merge.copy_of(repository) as copy:
        return merge.merge(copy, old, new, text), merge.difference(copy)


def message(before: str, after: str) -> str:
    """What the commit of an update may say."""
    if before == after:
        return f"Change the answers to the template {after}"
    return f"Update from the template, {before} to {after}"


@contextmanager
def _renderings(
    service: Service, source: Source, target: Origin, answers: Mapping[str, str]
) -> Iterator[tuple[Path, Path]]:
    """The service as it was made, and as it would be made now."""
    from scaffold.making import render

    was = service.made.origin
    with tempfile.TemporaryDirectory(prefix="scaffold-") as name:
        old, new = Path(name) / "old", Path(name) / "new"
        render.render(source.root(was.revision), service.made.answers, old, was)
        render.render(source.root(target.revision), answers, new, target)
        # The record is never merged: it is what the tool writes.
        shutil.copyfile(service.folder / ANSWERS_FILE, old / ANSWERS_FILE)
        yield old, new


def _lock(service: Service, done: merge.Merged, progress: Callable[[str], None]) -> list[str]:
    """Locks again where the service has a lock and its project changed; the warnings."""
    if PROJECT not in dict(done.files) or not (service.folder / LOCK).exists():
        return []
    if PROJECT in {conflict.file for conflict in done.conflicts}:
        return [f"{LOCK} is as it was, as {PROJECT} has conflicts; run `uv lock` after them."]
    progress("Locking its dependencies ...")
    warning = post_generate.lock(service.folder)
    return [warning] if warning else []
