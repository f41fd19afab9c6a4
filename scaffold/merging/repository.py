"""The git repository that a service lies in, and what in it is not committed."""

import os
from dataclasses import dataclass
from pathlib import Path

from scaffold.catalog.record import ANSWERS_FILE
from scaffold.errors import DirtyTree, ForeignOwner, NoRepository, NotInGit, ProgramFailed
from scaffold.escaping import quote_path
from scaffold.programs import found, git_line, git_paths

COMMIT = "git add --all && git commit -m 'As generated'"
UPDATE = "scaffold update"
MAX_NAMED = 3
# What git has in its directory while it waits for somebody to finish something.
UNDER_WAY = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}


@dataclass(frozen=True)
class Repository:
    """The git work tree at `top`; the service lies in `prefix` of it, empty or ending in /.

    `git_dir` is the folder that has its HEAD and its index; `head` is the commit that is out.
    `command` is what messages call the run.
    """

    top: Path
    prefix: str
    git_dir: Path
    head: str
    command: str = UPDATE

    @property
    def folder(self) -> Path:
        return self.top / self.prefix

    @property
    def pathspec(self) -> str:
        return f":(literal){self.prefix}" if self.prefix else "."

    @property
    def undo(self) -> str:
        """The command that undoes a merge; in a larger repository it leaves the rest alone."""
        return "git restore --staged --worktree ." if self.prefix else "git reset --hard"

    def own(self, path: str) -> str:
        """`path`, relative to the service."""
        return path.removeprefix(self.prefix)


def repository_of(folder: Path, command: str = UPDATE) -> Repository:
    """The repository that the service in `folder` is committed to. Raises NoRepository."""
    if not found("git"):
        raise NoRepository(f"`{command}` needs git, which is not installed.")
    try:
        top = Path(git_line(folder, "rev-parse", "--show-toplevel"))
        prefix = git_line(folder, "rev-parse", "--show-prefix")
        git_dir = Path(git_line(folder, "rev-parse", "--absolute-git-dir"))
    except ProgramFailed as failed:
        raise _unusable(folder, failed) from failed
    try:
        head = git_line(folder, "rev-parse", "--verify", "HEAD")
        committed = git_paths(folder, "ls-tree", "-z", "--name-only", "HEAD", "--", ANSWERS_FILE)
    except ProgramFailed as failed:
        raise NoRepository(_not_yet(folder, f"({failed})", COMMIT)) from failed
    if not committed:
        raise NoRepository(_not_yet(folder, f"(git does not know {ANSWERS_FILE})", COMMIT))
    return Repository(top, prefix, git_dir, head, command)


def _unusable(folder: Path, failed: ProgramFailed) -> ProgramFailed | NoRepository:
    """Why git does not work in `folder`; to begin a repository helps only where there is none."""
    where = quote_path(folder.absolute())
    if isinstance(failed, NotInGit):
        return NoRepository(_not_yet(folder, f"({failed})", f"git init && {COMMIT}"))
    if isinstance(failed, ForeignOwner):
        return ForeignOwner(
            f"The repository of {where} belongs to another user, so git does not use it "
            f"({failed}). If you trust it, run git config --global --add safe.directory FOLDER "
            "with the folder in git's message."
        )
    return type(failed)(f"git cannot read the repository of {where} ({failed}).")


def _not_yet(folder: Path, why: str, advice: str) -> str:
    return (
        f"{quote_path(folder)} is not committed to a git repository {why}, so what scaffold "
        f"changes could not be distinguished from your changes. Commit it first: {advice}"
    )


def refuse_dirty(repository: Repository) -> None:
    """Raises DirtyTree if the service, or what is staged beside it, is not committed.

    Also in the middle of a merge or a rebase: it would take what is changed as a part of it.
    """
    for name, what in UNDER_WAY.items():
        if os.path.lexists(repository.git_dir / name):
            raise DirtyTree(
                f"git is in the middle of a {what} in {quote_path(repository.top)}. Finish or "
                f"abort it first, so that what `{repository.command}` changes can be reviewed and "
                "undone separately."
            )
    if dirty := uncommitted(repository):
        raise DirtyTree(
            f"{quote_path(repository.folder)} has uncommitted changes: {listed(dirty)}. "
            f"Commit or stash them first, so that what `{repository.command}` changes can be "
            "reviewed and undone separately."
        )


def refuse_moved(repository: Repository) -> None:
    """Raises DirtyTree if another commit is checked out than the one that was merged with."""
    if git_line(repository.top, "rev-parse", "--verify", "HEAD") != repository.head:
        raise DirtyTree(
            f"{quote_path(repository.folder)} has a new commit. Run `{repository.command}` again."
        )


def uncommitted(repository: Repository) -> list[str]:
    """What differs from HEAD in the service, and in the index also beside it."""
    status = ("status", "--porcelain", "--no-renames", "-z", "--untracked-files=all")
    here = [entry[3:] for entry in git_paths(repository.folder, *status, "--", ".")]
    staged = ("diff-index", "--cached", "--name-only", "--no-renames", "-z", repository.head)
    return sorted({*here, *git_paths(repository.top, *staged)})


def listed(paths: list[str]) -> str:
    """The first few of `paths`, and how many more there are."""
    more = f" and {len(paths) - MAX_NAMED} more" if len(paths) > MAX_NAMED else ""
    return ", ".join(map(quote_path, paths[:MAX_NAMED])) + more
