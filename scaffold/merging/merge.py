"""Merges the difference between two renderings into what the owner has, without touching it.

The two renderings, and what is committed, become three commits that no branch has; git merges the
second and the third, as the first is the parent of both. So the owner's renames are followed. The
result is a tree and a list of changes; `worktree` applies it.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scaffold.catalog.history import NOBODY
from scaffold.catalog.record import ANSWERS_FILE
from scaffold.errors import TargetError
from scaffold.escaping import escape
from scaffold.merging import additions, obstacles
from scaffold.merging.changes import Change, Entry
from scaffold.merging.repository import Repository
from scaffold.programs import PLAIN_GIT, failure, git, git_line, git_paths, run

MERGING = [
    word
    for setting in (
        "merge.renames=true",
        "merge.directoryRenames=true",
        "merge.conflictStyle=merge",
        "diff.renameLimit=0",
        "merge.renameLimit=0",
    )
    for word in ("-c", setting)
]
# What git prints for an option that an old release does not know.
USAGE = 129
# A file that is only there while git merges.
PILOT = ".scaffold-pilot"
YOURS, THEIRS = "yours", "template"
BASE_STAGE, OURS_STAGE, THEIRS_STAGE = 1, 2, 3
CONTENTS = "CONFLICT (contents)"
# What `git merge-file` ends with for so many or more; a higher code is an error.
MOST_CONFLICTS = 127
SETTINGS = "pyproject.toml"
MARKERS = "you and the template changed the same lines, which are marked in the file"
TEMPLATE_DROPPED = "the template no longer has this file, but you changed it; keep or remove it"
BOTH_MOVED = "you and the template moved it to different places"
FILE_OR_FOLDER = "you and the template have a file and a folder of the same name"
FILE_OR_LINK = "the template has a file where you have a link, or vice versa"
FOLDER_SPLIT = "you moved the files of its folder to several places; move this new file as well"


@dataclass(frozen=True)
class Conflict:
    file: str
    why: str


@dataclass(frozen=True)
class Merge:
    """A merge that is not applied: `tree` has its files, with markers where they conflict.

    `unmerged` has the stages of each file in conflict: 1 before, 2 ours, 3 theirs. `labels` are to
    be replaced in files with markers. `untouched` are files that the template changed and that the
    owner has only outside git; `submodules` are the owner's where the template has files now.
    """

    repository: Repository
    tree: str
    changes: Sequence[Change]
    unmerged: Mapping[str, Mapping[int, Entry]]
    conflicts: Sequence[Conflict]
    untouched: Sequence[str]
    submodules: Sequence[str]
    labels: Mapping[str, str]

    @property
    def files(self) -> list[tuple[str, str]]:
        """Each changed file, relative to the service, with `added`, `changed` or `removed`."""
        return sorted((self.repository.own(change.path), change.how) for change in self.changes)

    def labelled(self, content: bytes) -> bytes:
        for commit, label in self.labels.items():
            content = content.replace(commit.encode(), label.encode())
        return content


@dataclass(frozen=True)
class Workplace:
    """A temporary folder to render and merge in.

    `before` and `after` take the two renderings. With `environment` git reads the repository, and
    has an index of its own.
    """

    repository: Repository
    folder: Path
    environment: Mapping[str, str]

    @property
    def before(self) -> Path:
        return self.folder / "before" / self.repository.prefix

    @property
    def after(self) -> Path:
        return self.folder / "after" / self.repository.prefix

    @property
    def head_tree(self) -> str:
        return f"{self.repository.head}^{{tree}}"

    def git(
        self, *arguments: str, given: bytes = b"", variables: Mapping[str, str] | None = None
    ) -> bytes:
        environment = {**self.environment, **(variables or {})}
        return git(self.folder, *arguments, environment=environment, given=given)

    def line(self, *arguments: str, **variables: str) -> str:
        return git_line(self.folder, *arguments, environment={**self.environment, **variables})

    def paths(self, *arguments: str) -> list[str]:
        return git_paths(self.folder, *arguments, environment=self.environment)


@contextmanager
def workplace(repository: Repository, keep_objects: bool) -> Iterator[Workplace]:
    """A place for one merge. Without `keep_objects` nothing is written to the repository."""
    with tempfile.TemporaryDirectory(prefix="scaffold-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        environment = {
            "GIT_DIR": str(repository.git_dir),
            "GIT_WORK_TREE": str(folder),
            "GIT_INDEX_FILE": str(folder / "index"),
        }
        if not keep_objects:
            objects = git_line(repository.top, "rev-parse", "--git-path", "objects")
            (folder / "objects").mkdir()
            environment["GIT_OBJECT_DIRECTORY"] = str(folder / "objects")
            environment["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = str(repository.top / objects)
        for side in ("before", "after"):
            (folder / side / repository.prefix).parent.mkdir(parents=True, exist_ok=True)
        yield Workplace(repository, folder, environment)


def merge(place: Workplace, message: str) -> Merge:
    """Merges what differs in `place.after` from `place.before` into HEAD.

    A file that the owner removed stays removed. Raises DirtyTree if something that is not in git
    is in the way, and ProgramFailed.
    """
    before = _tree(place, "before")
    base = _commit(place, before, (), message)
    ours = _commit(place, place.head_tree, (base,), message)
    theirs = _commit(place, _with_pilots(place, before, _tree(place, "after")), (base,), message)
    labels = {ours: YOURS, theirs: THEIRS}
    tree, unmerged, told = _merged(place, ours, theirs)
    tree, unmerged, told = _with_additions(place, tree, unmerged, told)
    split = [path for path, kind in told if "unclear split" in kind]
    removed = _removed_by_owner(place, base, tree, unmerged, split)
    tree = _without(place, tree, removed, labels)
    changes = _changes(place, place.head_tree, tree)
    kept = {
        _relabelled(path, labels): stages
        for path, stages in unmerged.items()
        if OURS_STAGE in stages
    }
    told = [
        (_relabelled(p, labels), kind)
        for p, kind in told
        if p not in unmerged or OURS_STAGE in unmerged[p]
    ]
    done = Merge(
        repository=place.repository,
        tree=tree,
        changes=changes,
        unmerged=kept,
        conflicts=_conflicts(place.repository, kept, told, changes),
        untouched=_untouched(place, base, theirs, changes),
        submodules=_submodules(place),
        labels=labels,
    )
    obstacles.refuse(place.repository, changes, kept)
    return done


def difference(place: Workplace, done: Merge) -> str:
    """What the merge changes, as a diff that git can apply, with any markers in it."""
    shown = ("diff-tree", "-r", "-p", "--binary", "--find-renames", "--no-color", "--no-ext-diff")
    relative = [f"--relative={place.repository.prefix}"] if place.repository.prefix else []
    printed = place.git(*shown, *relative, place.head_tree, done.tree)
    return done.labelled(printed).decode("utf-8", "replace")


def _commit(place: Workplace, tree: str, parents: Sequence[str], message: str) -> str:
    words = [word for parent in parents for word in ("-p", parent)]
    tree = place.line("rev-parse", tree)
    return place.line("commit-tree", tree, *words, "-m", message, **NOBODY)


def _tree(place: Workplace, side: str) -> str:
    """The tree of HEAD with a rendering in place of the service.

    The index begins as HEAD, so that the owner's attributes outside the service hold.
    """
    environment = {"GIT_WORK_TREE": str(place.folder / side)}
    place.git("read-tree", place.repository.head)
    spec = place.repository.pathspec
    plain = ("-c", "core.sparseCheckout=false", "-c", "core.fileMode=true")
    place.git(*plain, "add", "--all", "--force", "--", spec, variables=environment)
    if side == "before":  # the record is never merged: it is what the tool writes
        record = f"{place.repository.prefix}{ANSWERS_FILE}"
        ours = place.git("ls-tree", "-z", "--full-tree", place.repository.head, "--", record)
        place.git("update-index", "-z", "--index-info", given=ours)
    return place.line("write-tree")


def _with_pilots(place: Workplace, before: str, after: str) -> str:
    """`after`, with one more file in each folder that gets a new folder; it goes again later.

    git moves a new file to where the owner renamed its folder to, but a new folder only if its
    parent gets a file as well.
    """
    listed = [
        set(place.paths("ls-tree", "-r", "-z", "--name-only", "--full-tree", tree))
        for tree in (before, after)
    ]
    known = _folders(listed[0])
    parents = {folder.rpartition("/")[0] for folder in _folders(listed[1]) - known}
    if not parents & known:
        return after
    blob = place.git("hash-object", "-w", "--stdin", given=b"Where is this folder now?\n")
    place.git("read-tree", after)
    lines = [f"100644 {blob.decode().strip()}\t{one}/{PILOT}" for one in sorted(parents & known)]
    given = b"".join(os.fsencode(line) + b"\0" for line in lines)
    place.git("update-index", "-z", "--index-info", given=given)
    return place.line("write-tree")


def _merged(
    place: Workplace, ours: str, theirs: str
) -> tuple[str, dict[str, dict[int, Entry]], list[tuple[str, str]]]:
    """The merged tree, the stages of what is in conflict, and what git tells: paths and kinds."""
    words = ("merge-tree", "--write-tree", "-z", "--messages", ours, theirs)
    ended = run(place.folder, ["git", *PLAIN_GIT, *MERGING, *words], place.environment)
    if ended.code == USAGE:
        command = place.repository.command
        raise TargetError(f"`{command}` needs git 2.38 or newer; this version cannot merge trees.")
    if ended.code not in (0, 1):
        raise failure(words, ended)
    tree, *fields = os.fsdecode(ended.out).split("\0")
    unmerged: dict[str, dict[int, Entry]] = {}
    rest = iter(fields)
    for field in iter(lambda: next(rest, ""), ""):
        about, path = field.split("\t", 1)
        mode, blob, stage = about.split()
        unmerged.setdefault(path, {})[int(stage)] = Entry(mode, blob)
    return tree, unmerged, list(_told(rest))


def _told(fields: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Of each message of git its first path and its kind."""
    for count in fields:
        if not count.isdigit():
            return
        paths = [next(fields) for _ in range(int(count))]
        kind, _message = next(fields), next(fields)
        if paths and kind.startswith("CONFLICT"):
            yield paths[0], kind


def _with_additions(
    place: Workplace,
    tree: str,
    unmerged: dict[str, dict[int, Entry]],
    told: list[tuple[str, str]],
) -> tuple[str, dict[str, dict[int, Entry]], list[tuple[str, str]]]:
    """The tree with what both sides did in the same place, and what is still in conflict."""
    kinds: dict[str, set[str]] = {}
    for path, kind in told:
        kinds.setdefault(path, set()).add(kind)
    lines = []
    for path, stages in unmerged.items():
        if kinds.get(path) != {CONTENTS} or {*stages} != {BASE_STAGE, OURS_STAGE, THEIRS_STAGE}:
            continue
        blobs = [stages[stage].blob for stage in (OURS_STAGE, BASE_STAGE, THEIRS_STAGE)]
        content = additions.joined(_three_ways(place, blobs), path, place.after / SETTINGS)
        if content is not None:
            blob = place.git("hash-object", "-w", "--stdin", given=content).decode().strip()
            lines.append((path, f"{stages[OURS_STAGE].mode} {blob}\t{path}"))
    if lines:
        place.git("read-tree", tree)
        given = b"".join(os.fsencode(line) + b"\0" for _, line in lines)
        place.git("update-index", "-z", "--index-info", given=given)
        tree = place.line("write-tree")
    both = {path for path, _ in lines}
    unmerged = {path: stages for path, stages in unmerged.items() if path not in both}
    return tree, unmerged, [(path, kind) for path, kind in told if path not in both]


def _three_ways(place: Workplace, blobs: Sequence[str]) -> bytes:
    """Ours, base and theirs in one, with all three sides of each conflict."""
    files = [place.folder / f"side-{number}" for number in range(len(blobs))]
    for file, blob in zip(files, blobs, strict=True):
        file.write_bytes(place.git("cat-file", "blob", blob))
    words = ["--diff3", f"--marker-size={additions.MARKER}", "-p", *map(str, files)]
    ended = run(place.folder, ["git", *PLAIN_GIT, "merge-file", *words], place.environment)
    if not 0 <= ended.code <= MOST_CONFLICTS:
        raise failure(("merge-file",), ended)
    return ended.out


def _removed_by_owner(
    place: Workplace,
    base: str,
    tree: str,
    unmerged: Mapping[str, Mapping[int, Entry]],
    split: Sequence[str],
) -> set[str]:
    """What has to go again: files that the owner removed, and new ones in a folder that is gone."""
    names = ("ls-tree", "-r", "-z", "--name-only", "--full-tree")
    under = [place.repository.prefix] if place.repository.prefix else []
    ours = set(place.paths(*names, place.repository.head, "--", *under))
    gone = _folders(place.paths(*names, base, "--", *under)) - _folders(ours)
    gone -= {folder for path in split for folder in _folders([f"{path}/file"])}
    added = [c.path for c in _changes(place, place.head_tree, tree) if not c.before]
    away = {path for path in added if path not in unmerged and _folders([path]) & gone}
    pilots = {path for path in added if path.rpartition("/")[2] == PILOT}
    return away | pilots | {path for path, stages in unmerged.items() if OURS_STAGE not in stages}


def _folders(paths: Iterable[str]) -> set[str]:
    return {
        "/".join(parts[:depth])
        for parts in (path.split("/") for path in paths)
        for depth in range(1, len(parts))
    }


def _without(place: Workplace, tree: str, removed: set[str], labels: Mapping[str, str]) -> str:
    """`tree` without the files that are `removed`, and with labels for commits in names.

    git names a file `scripts~COMMIT` if there is also a folder `scripts`.
    """
    listed = place.paths("ls-tree", "-r", "-z", "--full-tree", tree) if labels else []
    pairs = (entry.split("\t", 1) for entry in listed if "~" in entry)
    entries = {path: about for about, path in pairs}
    renamed = [path for path in entries if path != _relabelled(path, labels)]
    if not removed and not renamed:
        return tree
    place.git("read-tree", tree)
    gone = [f"0 {'0' * len(tree)}\t{path}" for path in sorted({*removed, *renamed})]
    new = [f"{entries[path]}\t{_relabelled(path, labels)}" for path in renamed]
    given = b"".join(os.fsencode(line) + b"\0" for line in [*gone, *new])
    place.git("update-index", "-z", "--index-info", given=given)
    return place.line("write-tree")


def _relabelled(path: str, labels: Mapping[str, str]) -> str:
    for commit, label in labels.items():
        path = path.replace(f"~{commit}", f"~{label}")
    return path


def _changes(place: Workplace, before: str, after: str) -> list[Change]:
    listed = place.paths("diff-tree", "-r", "-z", "--no-renames", "--raw", before, after)
    found = []
    for about, path in zip(listed[::2], listed[1::2], strict=True):
        old_mode, new_mode, old, new, how = about.removeprefix(":").split()
        was = None if how == "A" else Entry(old_mode, old)
        found.append(Change(path, was, None if how == "D" else Entry(new_mode, new)))
    return found


def _conflicts(
    repository: Repository,
    unmerged: Mapping[str, Mapping[int, Entry]],
    told: Sequence[tuple[str, str]],
    changes: Sequence[Change],
) -> list[Conflict]:
    """The conflicts of single files, and those that git tells of a folder or a path alone."""
    kinds = dict(told)
    found = {path: _reason(stages, kinds.get(path, "")) for path, stages in unmerged.items()}
    for path, kind in told:
        if "unclear split" in kind:
            inside = (c.path for c in changes if not c.before and c.path.startswith(f"{path}/"))
            found |= dict.fromkeys(inside, FOLDER_SPLIT)
        else:
            found.setdefault(path, escape(kind))
    return [Conflict(repository.own(path), why) for path, why in found.items()]


def _reason(stages: Mapping[int, Entry], kind: str) -> str:
    if "file/directory" in kind:
        return FILE_OR_FOLDER
    if "distinct" in kind:
        return FILE_OR_LINK
    if OURS_STAGE in stages and THEIRS_STAGE in stages:
        return MARKERS
    return TEMPLATE_DROPPED if 1 in stages else BOTH_MOVED


def _untouched(place: Workplace, base: str, theirs: str, changes: Sequence[Change]) -> list[str]:
    """What the template changed, and the owner has on disk but not in git."""
    repository = place.repository
    changed = {change.path for change in changes}
    known = {change.path for change in _changes(place, base, theirs) if change.after} - changed
    if not known:
        return []
    names = ("ls-tree", "-r", "-z", "--name-only", "--full-tree", place.repository.head, "--")
    ours = set(place.paths(*names, *filter(None, [repository.prefix])))
    return sorted(repository.own(path) for path in known - ours if _is_there(repository.top, path))


def _is_there(top: Path, path: str) -> bool:
    """Whether a file exists, and not only behind a link, where it is another file."""
    parents = [top / parent for parent in [*PurePosixPath(path).parents][:-1]]
    return os.path.lexists(top / path) and not any(parent.is_symlink() for parent in parents)


def _submodules(place: Workplace) -> list[str]:
    """The owner's submodules where the template begins to have files, which git leaves out."""
    repository = place.repository
    under = [repository.prefix] if repository.prefix else []
    listed = place.paths("ls-tree", "-r", "-z", "--full-tree", repository.head, "--", *under)
    links = (entry.split("\t", 1)[1] for entry in listed if entry.startswith("160000 "))
    before, after = (place.folder / side for side in ("before", "after"))
    return [
        repository.own(path)
        for path in links
        if os.path.lexists(after / path) and not os.path.lexists(before / path)
    ]
