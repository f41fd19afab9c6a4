"""Finds what is in the way of a merge in the working tree: it is never overwritten or removed."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from scaffold.errors import DirtyTree
from scaffold.merging.changes import Change
from scaffold.merging.repository import Repository, listed
from scaffold.programs import git_paths


def refuse(repository: Repository, changes: Sequence[Change]) -> None:
    """Raises DirtyTree if a change would overwrite or remove something that is not in HEAD."""
    removed = {change.path for change in changes if not change.after}
    added = [change.path for change in changes if not change.before]
    lost = sorted({path for each in added for path in in_the_way(repository.top, each, removed)})
    if lost:
        raise DirtyTree(
            f"The template adds files that you have without git knowing them: "
            f"{listed(lost)}. Commit them or move them away first."
        )
    beside = [c.path for c in changes if c.before and not c.path.startswith(repository.prefix)]
    if dirty := _changed_beside(repository, beside):
        raise DirtyTree(
            f"`{repository.command}` changes files outside the service that have uncommitted "
            f"changes: {listed(dirty)}. Commit or stash them first."
        )


def in_the_way(top: Path, path: str, removed: set[str]) -> Iterator[str]:
    """What stands where `path` is to be added: a file at a parent, the path itself, or in it.

    What is in `removed` goes before. Names are compared without their case, as some file systems
    do: a rename of `readme.md` to `README.md` finds itself in the way there.
    """
    folded = {one.casefold() for one in removed}
    for parent in [*reversed(PurePosixPath(path).parents)][1:]:
        place = top / parent
        if not os.path.lexists(place):
            return
        if not place.is_dir() or place.is_symlink():
            if str(parent).casefold() not in folded:
                yield str(parent)
            return
    place = top / path
    if place.is_dir() and not place.is_symlink():
        inside = (file.relative_to(top).as_posix() for file in place.rglob("*"))
        yield from (one for one in inside if not (top / one).is_dir() and one not in removed)
    elif os.path.lexists(place) and path.casefold() not in folded:
        yield path


def _changed_beside(repository: Repository, paths: Sequence[str]) -> list[str]:
    """Those of `paths`, outside the service, that are not as in the index."""
    if not paths:
        return []
    specs = [f":(literal){path}" for path in paths]
    status = ("status", "--porcelain", "--no-renames", "-z", "--untracked-files=no", "--")
    return [entry[3:] for entry in git_paths(repository.top, *status, *specs)]
