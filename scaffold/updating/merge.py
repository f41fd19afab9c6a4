"""Brings the difference between two renderings into a service's own repository: git merges.

The two renderings become two commits that no branch has, one the child of the other, and git picks
the second onto what is checked out. So the owner's renames are followed, and a conflict is one as
git knows it: markers in the file and an entry in the index.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scaffold.catalog.history import NOBODY
from scaffold.catalog.record import ANSWERS_FILE
from scaffold.errors import DirtyTree, NoRepository, TargetError
from scaffold.making.staging import no_interruption
from scaffold.programs import PLAIN_GIT, ProgramFailed, found, git, git_line, git_paths, run

MERGING = [
    word
    for setting in (
        "merge.renames=true",
        "merge.directoryRenames=true",
        "merge.conflictStyle=merge",
        "rerere.enabled=false",
        "diff.renameLimit=0",
        "merge.renameLimit=0",
    )
    for word in ("-c", setting)
]
MARKERS = "the template and you changed the same lines; markers show both"
TEMPLATE_DROPPED = "the template no longer has it, and you changed it: keep it or remove it"
BOTH_MOVED = "the template and you moved it to different places"


@dataclass(frozen=True)
class Conflict:
    file: str
    why: str


@dataclass(frozen=True)
class Merged:
    """What a merge did: each changed file with `added`, `changed` or `removed`; the conflicts.

    Paths are relative to the service, with forward slashes.
    """

    files: Sequence[tuple[str, str]]
    conflicts: Sequence[Conflict]


@dataclass(frozen=True)
class Repository:
    """The git work tree at `top`; the service lies in `prefix` of it, empty or ending in /."""

    top: Path
    prefix: str

    @property
    def folder(self) -> Path:
        return self.top / self.prefix

    def own(self, path: str) -> str:
        return path.removeprefix(self.prefix)


def repository_of(folder: Path) -> Repository:
    """The repository that the service in `folder` is committed to. Raises NoRepository."""
    if not found("git"):
        raise NoRepository("An update needs git, which is not installed.")
    try:
        top = git_line(folder, "rev-parse", "--show-toplevel")
        prefix = git_line(folder, "rev-parse", "--show-prefix")
        git(folder, "rev-parse", "--verify", "HEAD")
        committed = git_paths(folder, "ls-tree", "-z", "--name-only", "HEAD", "--", ANSWERS_FILE)
    except ProgramFailed as failed:
        raise NoRepository(_not_yet(folder, str(failed))) from failed
    if not committed:
        raise NoRepository(_not_yet(folder, f"git does not know {ANSWERS_FILE}"))
    return Repository(Path(top), prefix)


def _not_yet(folder: Path, why: str) -> str:
    return (
        f"{folder} is not committed to a git repository ({why}), so an update could not be told "
        "from your own work. Commit it first: "
        "git init && git add --all && git commit -m 'As generated'"
    )


def refuse_dirty(repository: Repository) -> None:
    """Raises DirtyTree where the service, or what is staged beside it, is not committed."""
    if dirty := uncommitted(repository):
        more = f" and {len(dirty) - 3} more" if len(dirty) > 3 else ""
        raise DirtyTree(
            f"In {repository.folder} this is not committed: {', '.join(dirty[:3])}{more}. "
            "Commit or stash it first, so that the update can be told from it and undone."
        )


def uncommitted(repository: Repository) -> list[str]:
    """What differs from HEAD in the service, and in the index also beside it."""
    status = ("status", "--porcelain", "--no-renames", "-z")
    here = git_paths(repository.folder, *status, "--untracked-files=all", "--", ".")
    beside = git_paths(repository.top, *status, "--untracked-files=no")
    return sorted({entry[3:] for entry in [*here, *beside]})


@contextmanager
def copy_of(repository: Repository) -> Iterator[Repository]:
    """A copy to try a merge in; the repository itself is only read."""
    with tempfile.TemporaryDirectory(prefix="scaffold-", ignore_cleanup_errors=True) as name:
        top = Path(name) / "copy"
        clone = ("clone", "--quiet", "--shared", "--no-checkout", "--", str(repository.top))
        git(repository.top, *clone, str(top))
        commit = git_line(repository.top, "rev-parse", "HEAD")
        git(top, "checkout", "--quiet", "--detach", commit)
        yield Repository(top, repository.prefix)


def merge(repository: Repository, before: Path, after: Path, message: str) -> Merged:
    """Brings what is different in `after` from `before`, two renderings, into the work tree.

    The result is staged, not committed. A file that the owner removed stays removed.
    """
    base = _commit(repository, before, [], message)
    new = _commit(repository, after, ["-p", base], message)
    _refuse_in_the_way(repository, new)
    with no_interruption():  # for git as well: what it began is ended
        unmerged = _pick(repository, new)
        _keep_removed(repository, base, unmerged)
    conflicts = [
        Conflict(repository.own(path), why)
        for path, stages in unmerged.items()
        if (why := _reason(stages))
    ]
    return Merged(_changed(repository), conflicts)


def _refuse_in_the_way(repository: Repository, new: str) -> None:
    """Raises TargetError where a file that git does not know would be overwritten."""
    listed = ("ls-tree", "-r", "-z", "--name-only")
    known = set(git_paths(repository.top, *listed, "HEAD"))
    theirs = set(git_paths(repository.top, *listed, new))
    lost = sorted(path for path in theirs - known if os.path.lexists(repository.top / path))
    if lost:
        raise DirtyTree(
            f"The template now has {', '.join(lost)}, and what you have there is not in git. "
            "Commit it or move it away first."
        )


def _pick(repository: Repository, commit: str) -> dict[str, frozenset[int]]:
    """Brings the commit into the work tree; the files that could not be merged."""
    picking = ["git", *PLAIN_GIT, *MERGING, "cherry-pick", "--no-commit", commit]
    ended = run(repository.top, picking, NOBODY)
    unmerged = _unmerged(repository)
    if ended.code and not unmerged:
        raise TargetError(f"git could not merge the update: {ended.complaint}")
    return unmerged


def difference(repository: Repository) -> str:
    """What the merge changed, as a diff that git can apply, with any markers in it."""
    git(repository.top, "add", "--all", "--", repository.prefix or ".")
    shown = (
        *("diff", "--cached", "--no-color", "--no-ext-diff", "--no-textconv", "--binary"),
        *("--find-renames", "--relative", "--src-prefix=a/", "--dst-prefix=b/"),
    )
    return git(repository.folder, *shown, "HEAD").decode("utf-8", "replace")


def _commit(repository: Repository, rendered: Path, parent: Sequence[str], message: str) -> str:
    """A commit of the work tree's HEAD with `rendered` in place of the service."""
    with tempfile.TemporaryDirectory(prefix="scaffold-") as temporary:
        environment = {"GIT_INDEX_FILE": str(Path(temporary) / "index")}
        git(repository.top, "read-tree", "--empty", environment=environment)
        inside = environment | {"GIT_WORK_TREE": str(rendered)}
        inside["GIT_DIR"] = git_line(repository.top, "rev-parse", "--absolute-git-dir")
        git(rendered, "add", "--all", "--force", "--", ".", environment=inside)
        tree = git_line(repository.top, "write-tree", environment=environment)
        if repository.prefix:
            tree = _beside_others(repository, tree, environment)
    words = ["commit-tree", tree, *parent, "-m", message]
    return git_line(repository.top, *words, environment=NOBODY)


def _beside_others(repository: Repository, tree: str, environment: dict[str, str]) -> str:
    """The tree of HEAD with `tree` as the service's folder."""
    git(repository.top, "read-tree", "HEAD", environment=environment)
    away = ("rm", "-r", "--cached", "--quiet", "--force", "--", repository.prefix)
    git(repository.top, *away, environment=environment)
    read = ("read-tree", f"--prefix={repository.prefix}", tree)
    git(repository.top, *read, environment=environment)
    return git_line(repository.top, "write-tree", environment=environment)


def _unmerged(repository: Repository) -> dict[str, frozenset[int]]:
    """The files that git could not merge, each with its stages: 1 before, 2 ours, 3 theirs."""
    found: dict[str, set[int]] = {}
    for entry in git_paths(repository.top, "ls-files", "--unmerged", "-z"):
        about, path = entry.split("\t", 1)
        found.setdefault(path, set()).add(int(about.split()[2]))
    return {path: frozenset(stages) for path, stages in found.items()}


def _reason(stages: frozenset[int]) -> str | None:
    """Why a file is in conflict; None where it is not, since the owner removed it."""
    if 2 not in stages:
        return None
    if 3 in stages:
        return MARKERS
    return TEMPLATE_DROPPED if 1 in stages else BOTH_MOVED


def _keep_removed(repository: Repository, base: str, unmerged: dict[str, frozenset[int]]) -> None:
    """Removes again what the owner removed: files, and what is new in a folder that is gone."""
    ours = set(git_paths(repository.top, "ls-tree", "-r", "-z", "--name-only", "HEAD"))
    theirs = set(git_paths(repository.top, "ls-tree", "-r", "-z", "--name-only", base))
    gone = _folders(theirs) - _folders(ours)
    added = git_paths(
        repository.top,
        *("diff", "--cached", "--name-only", "--no-renames", "--diff-filter=A", "-z", "HEAD"),
    )
    away = [path for path, stages in unmerged.items() if 2 not in stages]
    away += [path for path in added if _folders({path}) & gone]
    if away:
        words = ("rm", "--quiet", "--force", "--ignore-unmatch", "--pathspec-from-file=-")
        listed = "\0".join(f":(literal){path}" for path in away).encode()
        git(repository.top, *words, "--pathspec-file-nul", given=listed)


def _folders(paths: set[str]) -> set[str]:
    return {
        "/".join(parts[:depth])
        for parts in (path.split("/") for path in paths)
        for depth in range(1, len(parts))
    }


def _changed(repository: Repository) -> list[tuple[str, str]]:
    """Every file that is now different from HEAD, and how."""
    words = {"A": "added", "D": "removed"}
    listed = git_paths(repository.top, "diff", "--name-status", "--no-renames", "-z", "HEAD", "--")
    pairs = zip(listed[::2], listed[1::2], strict=True)
    return sorted((repository.own(path), words.get(how, "changed")) for how, path in pairs)
