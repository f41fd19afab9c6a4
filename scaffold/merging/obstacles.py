"""Finds what is in the way of a merge in the working tree: it is never overwritten or removed."""

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from scaffold.errors import DirtyTree
from scaffold.merging.changes import Change
from scaffold.merging.repository import Repository, listed
from scaffold.programs import git, git_paths


def refuse(repository: Repository, changes: Sequence[Change], unmerged: Collection[str]) -> None:
    """Raises DirtyTree if a change would overwrite or remove something that is not in HEAD.

    `unmerged` are those of the changed files that are in conflict.
    """
    removed = {change.path for change in changes if not change.after}
    added = [change.path for change in changes if not change.before]
    lost = sorted({path for each in added for path in in_the_way(repository.top, each, removed)})
    if lost:
        raise DirtyTree(
            f"The template adds files that you have, but that are not in git: "
            f"{listed(lost)}. Commit them or move them away first."
        )
    beside = [c.path for c in changes if c.before and not c.path.startswith(repository.prefix)]
    if hidden := _hidden_edits(repository, changes, beside, unmerged):
        raise DirtyTree(
            f"`{repository.command}` changes files that you edited and that git is told not to "
            f"look at (assume-unchanged or skip-worktree): {listed(hidden)}. Take that back with "
            "`git update-index --no-assume-unchanged --no-skip-worktree FILE`, and commit or "
            "stash your edits first."
        )
    if dirty := _changed_beside(repository, beside):
        raise DirtyTree(
            f"`{repository.command}` changes files outside the service that have uncommitted "
            f"changes: {listed(dirty)}. Commit or stash them first."
        )


def _hidden_edits(
    repository: Repository,
    changes: Sequence[Change],
    beside: Sequence[str],
    unmerged: Collection[str],
) -> list[str]:
    """Edited files that a merge would write, and that git is told not to look at.

    Files with `skip-worktree` are not written unless they are in conflict.
    """
    replaced = {change.path for change in changes if change.before}
    specs = [repository.pathspec, *map(_literal, beside)]
    listed = git_paths(repository.top, "ls-files", "-v", "-z", "--full-name", "--", *specs)
    flagged = [line.split(" ", 1) for line in listed]
    hidden = [
        path
        for flag, path in flagged
        if path in replaced
        and (flag.islower() or (flag == "S" and path in unmerged))
        and os.path.lexists(repository.top / path)
    ]
    return _edited(repository, hidden) if hidden else []


def _edited(repository: Repository, paths: Sequence[str]) -> list[str]:
    """Those of `paths` that are not as in the index, whatever git is told of them."""
    given = b"".join(os.fsencode(path) + b"\0" for path in paths)
    with tempfile.TemporaryDirectory(prefix="scaffold-", ignore_cleanup_errors=True) as folder:
        index = Path(shutil.copy(repository.git_dir / "index", folder))
        environment = {"GIT_INDEX_FILE": str(index)}
        for flag in ("--no-assume-unchanged", "--no-skip-worktree"):
            words = ("update-index", flag, "-z", "--stdin")
            git(repository.top, *words, environment=environment, given=given)
        differ = ("diff-files", "--name-only", "--no-renames", "-z")
        return sorted({*git_paths(repository.top, *differ, environment=environment)} & {*paths})


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
        if os.path.lexists(place / ".git"):  # another repository
            yield str(parent)
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
    status = ("status", "--porcelain", "--no-renames", "-z", "--untracked-files=no", "--")
    return [entry[3:] for entry in git_paths(repository.top, *status, *map(_literal, paths))]


def _literal(path: str) -> str:
    return f":(literal){path}"
