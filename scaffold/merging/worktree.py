"""Applies a merge to the working tree and the index: completely, or not at all.

Everything that can fail or take long is done first, in a folder inside the git directory: the new
files are written there, the old ones kept, the new index made. Then files are only renamed, and
the last rename puts the index in place. `journal` has the record that undoes all before it.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from scaffold.errors import DiskFull, ProgramFailed, TargetError
from scaffold.escaping import quote_path
from scaffold.merging import journal, obstacles
from scaffold.merging.changes import Change
from scaffold.merging.journal import Journal, Step, fingerprint
from scaffold.merging.merge import Merge, Workplace
from scaffold.merging.repository import Repository, refuse_dirty, refuse_moved
from scaffold.processes import no_interruption
from scaffold.programs import git, git_paths

NO_ROOM = 1 << 20
NOTHING_CHANGED = "Nothing was changed."


def apply(place: Workplace, merge: Merge) -> None:
    """Applies `merge`, staged and not committed.

    Raises TargetError or ProgramFailed if it cannot be applied; then all is as it was.
    """
    if not merge.changes and not merge.unmerged:
        return
    repository = merge.repository
    try:
        with journal.begun(repository) as record:
            _stage(place, merge, record)
            _make_index(merge, record)
            with journal.locked_index(repository, record):
                refuse_moved(repository)
                refuse_dirty(repository)
                obstacles.refuse(repository, merge.changes, merge.unmerged)
                _keep(merge, record)
                with no_interruption():
                    _replace(repository, record)
            with suppress(OSError):
                _prune(repository, record)
    except OSError as error:
        where = quote_path(error.filename2 or error.filename or repository.folder)
        raise TargetError(
            f"{where} cannot be written: {error.strerror or error}. {NOTHING_CHANGED}"
        ) from error
    except ProgramFailed as failed:
        raise _with_reason(repository, failed) from failed


def _with_reason(repository: Repository, failed: ProgramFailed) -> ProgramFailed:
    """git does not say of every file that cannot be written that the disk is full."""
    full = type(failed) is ProgramFailed and shutil.disk_usage(repository.git_dir).free < NO_ROOM
    kind = DiskFull if full else type(failed)
    why = f"{failed}: no space left on the disk" if full else str(failed)
    return kind(f"{why}. {NOTHING_CHANGED}")


def _stage(place: Workplace, merge: Merge, record: Journal) -> None:
    """Writes the new files as git checks them out here: with filters, line ends and modes."""
    written = [change.path for change in merge.changes if change.after]
    place.git("read-tree", merge.tree)
    place.git(
        *("-c", "core.sparseCheckout=false", "checkout-index", "--force", "-z", "--stdin"),
        given=b"".join(os.fsencode(path) + b"\0" for path in written),
        variables={"GIT_WORK_TREE": str(record.new)},
    )
    for path in written:
        staged = record.new / path
        if path in merge.unmerged and not staged.is_symlink():
            staged.write_bytes(merge.labelled(staged.read_bytes()))
        journal.flush(staged)


def _make_index(merge: Merge, record: Journal) -> None:
    """The index as it will be: the owner's, with the changes and what is in conflict."""
    repository = merge.repository
    shutil.copy(repository.git_dir / "index", record.index)
    flags = git_paths(repository.folder, "ls-files", "-t", "-z", "--full-name")
    skipped = {line[2:] for line in flags if line.startswith("S ")}
    environment = {"GIT_INDEX_FILE": str(record.index)}
    gone = [f"0 {'0' * len(merge.tree)}\t{path}" for path in _touched(merge)]
    given = b"".join(os.fsencode(line) + b"\0" for line in [*gone, *index_lines(merge)])
    words = ("update-index", "-z", "--index-info")
    git(repository.top, *words, environment=environment, given=given)
    # Files outside a sparse checkout stay outside it.
    record.skipped = {c.path for c in merge.changes if c.path in skipped} - merge.unmerged.keys()
    if staying := sorted(c.path for c in merge.changes if c.after and c.path in record.skipped):
        given = b"".join(os.fsencode(path) + b"\0" for path in staying)
        staying_out = ("update-index", "-z", "--skip-worktree", "--stdin")
        git(repository.top, *staying_out, environment=environment, given=given)
    journal.flush(record.index)


def _touched(merge: Merge) -> list[str]:
    return sorted({change.path for change in merge.changes} | merge.unmerged.keys())


def index_lines(merge: Merge) -> list[str]:
    """The entries of the index that the merge writes, as `git ls-files --stage` prints them."""
    whole = {change.path: change.after for change in merge.changes if change.after}
    lines = [
        f"{entry.mode} {entry.blob} 0\t{path}"
        for path, entry in whole.items()
        if path not in merge.unmerged
    ]
    for path, stages in merge.unmerged.items():
        lines += [f"{one.mode} {one.blob} {stage}\t{path}" for stage, one in stages.items()]
    return lines


def _keep(merge: Merge, record: Journal) -> None:
    """Keeps each old file, and writes down what is about to be done."""
    top = merge.repository.top
    changes = [change for change in merge.changes if change.path not in record.skipped]
    steps = []
    for number, change in enumerate(changes):
        kept = record.old / str(number)
        before = fingerprint(top / change.path) if change.before else None
        if before is not None:
            journal.keep(top / change.path, kept)
            _take_over_rights(top / change.path, record.new / change.path, change)
        after = fingerprint(record.new / change.path) if change.after else None
        steps.append(Step(change.path, before, after, kept.name))
    record.write(steps, _folders_in_place_of_files(top, changes), index_lines(merge))


def _take_over_rights(old: Path, new: Path, change: Change) -> None:
    """A file that only its owner may read stays so."""
    same = change.before and change.after and change.before.mode == change.after.mode
    if same and not old.is_symlink():
        shutil.copymode(old, new)


def _folders_in_place_of_files(top: Path, changes: Sequence[Change]) -> list[str]:
    """Folders that have to go since a file takes their place, the deepest first."""
    found = []
    for change in changes:
        place = top / change.path
        if change.after and not change.before and place.is_dir() and not place.is_symlink():
            found += [folder for folder, _, _ in os.walk(place, topdown=False)]
    return [Path(folder).relative_to(top).as_posix() for folder in found]


def _replace(repository: Repository, record: Journal) -> None:
    """Puts everything in its place by renames; the index, which is the last, makes it final."""
    top = repository.top
    for step in record.steps:
        if step.before is not None and step.after is None:
            (top / step.path).unlink(missing_ok=True)
    for folder, _mode in record.replaced_folders:
        (top / folder).rmdir()
    for step in record.steps:
        if step.after is not None:
            (top / step.path).parent.mkdir(parents=True, exist_ok=True)
            journal.put(record.new / step.path, top / step.path, record.token)
    record.lock.replace(repository.git_dir / "index")
    record.pending = False


def _prune(repository: Repository, record: Journal) -> None:
    """Removes the folders that are empty now, as git does."""
    here = Path.cwd()
    for step in record.steps:
        if step.after is None:
            for parent in PurePosixPath(step.path).parents:
                folder = repository.top / parent
                if str(parent) == "." or folder in (repository.folder, here, *here.parents):
                    break
                with suppress(OSError):
                    folder.rmdir()
