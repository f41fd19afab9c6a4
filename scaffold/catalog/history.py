"""The releases of the templates, found in the history of the version in the code.

A release is the tree of copier.yml and templates/ at one commit:

- of a version that is over: the first of its commits at which CHANGELOG.md has a dated heading for
  it, and without such a heading its last one, which is the commit before the next version;
- of the version in the code now: the files as they lie there.

Tags are not looked at: a clone need not have them. The wheel's build reads this module too, so it
needs nothing beside Python and git. docs/decisions/updates.md has the reasons.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scaffold.errors import ProgramFailed
from scaffold.programs import AS_STORED, git, git_line

VERSION_FILE = "scaffold/__init__.py"
CHANGELOG = "CHANGELOG.md"
CONTENT = ("copier.yml", "templates")
VERSION_LINE = re.compile(r"^__version__ = [\"']([^\"']+)[\"']", re.MULTILINE)
NOBODY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "scaffold"), ("EMAIL", "templates@scaffold.invalid"))
}


class HistoryIncomplete(Exception):
    """The releases cannot be derived from what is here; why, and what would help."""


@dataclass(frozen=True)
class Release:
    """The templates of `version` as they were at `commit`."""

    version: str
    commit: str

    @property
    def tag(self) -> str:
        return f"v{self.version}"


def is_checkout(root: Path) -> bool:
    """Whether `root` is the top of a git work tree; False without git."""
    try:
        top = git_line(root, "rev-parse", "--show-toplevel")
    except ProgramFailed:
        return False
    return Path(top).resolve() == root.resolve()


def require_whole_history(root: Path) -> None:
    """Raises HistoryIncomplete where the releases of earlier versions cannot be found."""
    if not is_checkout(root):
        raise HistoryIncomplete(
            f"{root} is not a git repository, so it does not have the template releases. "
            "Build from a clone, or from the sdist, which carries them."
        )
    if git_line(root, "rev-parse", "--is-shallow-repository") == "true":
        raise HistoryIncomplete(
            f"{root} is a shallow clone: its history is cut, and the releases of the templates are "
            "found in it. Run `git fetch --unshallow` and build again."
        )


def version_in(text: str) -> str | None:
    """The version that the code of scaffold/__init__.py sets."""
    match = VERSION_LINE.search(text)
    return match[1] if match else None


def past_releases(root: Path) -> list[Release]:
    """The releases of the versions before the one in the code now, oldest first.

    Raises HistoryIncomplete in a shallow clone.
    """
    require_whole_history(root)
    current = version_in((root / VERSION_FILE).read_text(encoding="utf-8"))
    found = {
        version: Release(version, commit)
        for version, commits in _spans(root)
        if version != current and (commit := _released_at(root, version, commits))
    }
    return list(found.values())


def bundle(root: Path, file: Path, past: Sequence[Release] | None = None) -> list[str]:
    """Writes every release of the templates under `root` into a git bundle; returns its tags.

    `past` are those before the newest, by default what `past_releases` finds. The same history and
    files give the same commits. Raises HistoryIncomplete.
    """
    past = past_releases(root) if past is None else past
    with _scratch(root) as environment:
        tips = dict(_commits(root, past, environment))
        packed = git(
            root,
            *("-c", "pack.threads=1", "pack-objects", "--revs", "--stdout", "--quiet"),
            *("--window=250", "--depth=50"),
            environment=environment,
            given="\n".join(tips.values()).encode() + b"\n",
        )
    heads = [f"{commit} refs/tags/{tag}" for tag, commit in tips.items()]
    newest = next(reversed(tips.values()))
    header = "\n".join(["# v2 git bundle", f"{newest} HEAD", *heads, "", ""])
    file.write_bytes(header.encode() + packed)
    return list(tips)


def heads_of(bundle: Path) -> dict[str, str]:
    """The tags of a bundle and their commits, in its order, read without git."""
    with bundle.open("rb") as content:
        lines = iter(content.readline, b"\n")
        fields = [line.decode().split() for line in lines if not line.startswith(b"#")]
    prefix = "refs/tags/"
    return {ref.removeprefix(prefix): sha for sha, ref in fields if ref.startswith(prefix)}


def export(repository: Path, commit: str, folder: Path) -> None:
    """Writes copier.yml, templates/ and what else a release has at `commit` into `folder`.

    Raises ProgramFailed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scaffold-") as temporary:
        environment = {
            "GIT_DIR": str(git_dir_of(repository)),
            "GIT_WORK_TREE": str(folder),
            "GIT_INDEX_FILE": str(Path(temporary) / "index"),
        }
        git(folder, "read-tree", commit, environment=environment)
        git(folder, *AS_STORED, "checkout-index", "--all", "--force", environment=environment)


def git_dir_of(repository: Path) -> Path:
    """Where git has its files; a bare repository is named, as a user may forbid to look for one."""
    if (repository / "HEAD").is_file() and (repository / "objects").is_dir():
        return repository
    return Path(git_line(repository, "rev-parse", "--absolute-git-dir"))


def _spans(root: Path) -> Iterator[tuple[str, Sequence[str]]]:
    """Each version in the order of the history, with the commits at which the code had it."""
    line = git(root, "rev-list", "--first-parent", "--reverse", "HEAD").decode().split()
    changed = _first_parent_changes(root, VERSION_FILE)
    starts = [
        (at, version)
        for at, commit in enumerate(line)
        if commit in changed and (version := _version_at(root, commit))
    ]
    kept = [s for before, s in zip([(0, ""), *starts], starts, strict=False) if before[1] != s[1]]
    ends = [at for at, _ in kept[1:]] + [len(line)]
    for (start, version), end in zip(kept, ends, strict=True):
        yield version, line[start:end]


def _first_parent_changes(root: Path, path: str) -> set[str]:
    found = git(root, "log", "--first-parent", "--format=%H", "HEAD", "--", path)
    return set(found.decode().split())


def _version_at(root: Path, commit: str) -> str | None:
    text = _file_at(root, commit, VERSION_FILE)
    return version_in(text) if text else None


def _released_at(root: Path, version: str, commits: Sequence[str]) -> str | None:
    """The commit of `commits` that is the release; None where there were no templates yet."""
    edits = _first_parent_changes(root, CHANGELOG)
    candidates = [c for at, c in enumerate(commits) if c in edits or at == 0]
    heading = re.compile(rf"^## \[?v?{re.escape(version)}\]? - \d{{4}}-\d\d-\d\d", re.MULTILINE)
    dated = (c for c in candidates if heading.search(_file_at(root, c, CHANGELOG) or ""))
    chosen = next(dated, commits[-1])
    return chosen if _file_at(root, chosen, CONTENT[0]) is not None else None


def _file_at(root: Path, commit: str, path: str) -> str | None:
    try:
        return git(root, "show", f"{commit}:{path}").decode("utf-8", "replace")
    except ProgramFailed:
        return None


@contextmanager
def _scratch(root: Path) -> Iterator[dict[str, str]]:
    """An environment in which git reads the repository and writes its objects elsewhere."""
    objects = (root / git_line(root, "rev-parse", "--git-path", "objects")).resolve()
    with tempfile.TemporaryDirectory(prefix="scaffold-") as temporary:
        own = Path(temporary) / "objects"
        own.mkdir()
        yield NOBODY | {
            "GIT_OBJECT_DIRECTORY": str(own),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects),
            "GIT_INDEX_FILE": str(Path(temporary) / "index"),
        }


def _commits(
    root: Path, past: Sequence[Release], environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """A commit for each release, each the child of the one before; tags and commits."""
    now = version_in((root / VERSION_FILE).read_text(encoding="utf-8"))
    releases = [*past, Release(str(now), "HEAD")]
    parent: list[str] = []
    for release in releases:
        last = release is releases[-1]
        tree = _tree_now(root, environment) if last else _tree_at(root, release, environment)
        dated = _date_of(root, release.commit)
        words = ["commit-tree", tree, *parent, "-m", f"The templates of {release.version}"]
        commit = git_line(root, *words, environment={**environment, **dated})
        parent = ["-p", commit]
        yield release.tag, commit


def _date_of(root: Path, commit: str) -> dict[str, str]:
    """When it was committed, which is no clock's time: every machine makes the same commit ids."""
    date = git_line(root, "show", "--no-patch", "--format=%ct +0000", commit)
    return {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}


def _tree_at(root: Path, release: Release, environment: Mapping[str, str]) -> str:
    """The tree that holds CONTENT alone, as it is in the commit or tree of `release`."""
    entries = git(root, "ls-tree", "-z", release.commit, *CONTENT, environment=environment)
    made = git(root, "mktree", "-z", environment=environment, given=entries)
    return made.decode().strip()


def _tree_now(root: Path, environment: Mapping[str, str]) -> str:
    """The tree of the files as they lie there, committed or not, but for those that git ignores."""
    git(root, "read-tree", "HEAD", environment=environment)
    git(root, *AS_STORED, "add", "--all", "--", *CONTENT, environment=environment)
    whole = git_line(root, "write-tree", environment=environment)
    return _tree_at(root, Release("", whole), environment)
