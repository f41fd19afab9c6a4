"""Where templates are read from: the installed package, the checkout around it, or a repository.

All three hold releases, each a folder of copier.yml and templates/ once it is asked for.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from scaffold import documents, programs
from scaffold.catalog import catalog, history, versions
from scaffold.catalog.catalog import Catalog, Question, source_root
from scaffold.catalog.history import CHANGELOG, HistoryIncomplete
from scaffold.catalog.record import OWN, OWN_ADDRESS, Origin
from scaffold.catalog.settings import Place, place
from scaffold.errors import ProgramFailed, SourceError, UnknownRelease
from scaffold.programs import git

BUNDLE = "releases.bundle"
QUESTIONS = "copier.yml"
# Of copier's settings those that name code, which is never run.
PROGRAMS = ("_tasks", "_migrations", "_jinja_extensions")


@dataclass
class Source:
    """Templates of one address; `folder` is for what has to be written while it is in use."""

    address: str
    folder: Path
    _roots: dict[str, Path] = field(default_factory=dict)

    @property
    def newest(self) -> str:
        """The revision that a new service is generated from, and an old one is brought to."""
        raise NotImplementedError

    @property
    def past(self) -> Sequence[str]:
        """The releases before the newest, oldest first. Raises UnknownRelease."""
        raise NotImplementedError

    def root(self, revision: str) -> Path:
        """The folder of copier.yml and templates/ at `revision`.

        Raises UnknownRelease where there is none, SourceError where it cannot be read.
        """
        if revision not in self._roots:
            commit = self._commit(revision)
            target = self.folder / "releases" / commit
            try:
                history.export(self._repository, commit, target)
            except ProgramFailed as failed:
                raise SourceError(f"{revision} cannot be read: {failed}.") from failed
            self._roots[revision] = target
        return self._roots[revision]

    def is_behind(self, revision: str) -> bool:
        """Whether `newest` has what `revision` has not. Raises UnknownRelease."""
        if revision == self.newest:
            return False
        self._commit(revision)
        return True

    @property
    def changelog(self) -> str:
        """The text of the changelog that comes with the newest release; empty without one."""
        file = self.root(self.newest) / CHANGELOG
        return file.read_text(encoding="utf-8") if file.is_file() else ""

    @property
    def origin(self) -> Origin:
        return Origin(self.address, self.newest)

    @property
    def _repository(self) -> Path:
        raise NotImplementedError

    def _commit(self, revision: str) -> str:
        raise NotImplementedError

    def _unknown(self, revision: str, hint: str) -> UnknownRelease:
        return UnknownRelease(
            f"The service was generated from {revision} of {self.address}. {hint}"
        )


@dataclass
class Package(Source):
    """The releases that the installed package carries in a bundle."""

    own: Path = field(kw_only=True)

    def __post_init__(self) -> None:
        self._roots[self.newest] = self.own

    @cached_property
    def newest(self) -> str:
        return list(self._heads)[-1]

    @property
    def past(self) -> Sequence[str]:
        return list(self._heads)[:-1]

    @cached_property
    def _heads(self) -> Mapping[str, str]:
        return history.heads_of(self.own / BUNDLE)

    @cached_property
    def _repository(self) -> Path:
        return _cloned(str(self.own / BUNDLE), self.folder / "package.git")

    def _commit(self, revision: str) -> str:
        if revision in self._heads:
            return self._heads[revision]
        raise self._unknown(
            revision,
            f"This version of scaffold knows releases up to {self.newest}. Upgrade it.",
        )


@dataclass
class Checkout(Source):
    """The working tree around the code, and the releases in its history."""

    own: Path = field(kw_only=True)

    def __post_init__(self) -> None:
        self._roots[self.newest] = self.own

    @property
    def newest(self) -> str:
        return OWN.revision

    @property
    def past(self) -> Sequence[str]:
        return list(self._past) if history.is_checkout(self.own) else []

    @property
    def _repository(self) -> Path:
        return self.own

    @cached_property
    def _past(self) -> Mapping[str, str]:
        try:
            return {release.tag: release.commit for release in history.past_releases(self.own)}
        except HistoryIncomplete as incomplete:
            raise UnknownRelease(str(incomplete)) from incomplete

    def _commit(self, revision: str) -> str:
        if revision in self._past:
            return self._past[revision]
        raise self._unknown(revision, f"The history of {self.own} does not have that version.")


@dataclass
class Remote(Source):
    """A git repository of templates; without a `pinned` revision its newest tag is its newest."""

    url: str = field(kw_only=True)
    pinned: str | None = field(kw_only=True)

    @cached_property
    def newest(self) -> str:
        if self.pinned:
            return self.pinned
        head = ("rev-parse", "HEAD")
        return versions.newest(self._tags) or self._git(*head).decode().strip()

    @property
    def past(self) -> Sequence[str]:
        return versions.before(self.newest, self._tags)

    @cached_property
    def _tags(self) -> Sequence[str]:
        return self._git("tag", "--list", "--no-column").decode().split()

    @cached_property
    def _repository(self) -> Path:
        return _cloned(self.url, self.folder / "remote.git")

    def root(self, revision: str) -> Path:
        """As of every source; SourceError also where the templates want to run something."""
        folder = super().root(revision)
        with _as_ours(self):
            wanted = [key for key in PROGRAMS if documents.read_yaml(folder / QUESTIONS).get(key)]
        if wanted:
            raise SourceError(
                f"The templates of {self.address} would run programs ({', '.join(wanted)}), "
                "which is not allowed."
            )
        return folder

    def is_behind(self, revision: str) -> bool:
        """Also False where `revision` is later than the newest release, as a draft of the next."""
        ours, theirs = self._commit(revision), self._commit(self.newest)
        asked = ["git", "merge-base", "--is-ancestor", theirs, ours]
        return programs.run(self._repository, asked, _named(self._repository)).code != 0

    def _git(self, *arguments: str, given: bytes = b"") -> bytes:
        own = _named(self._repository)
        return git(self._repository, *arguments, environment=own, given=given)

    def _commit(self, revision: str) -> str:
        """The commit of a tag, a commit or what `git describe` printed."""
        asked = f"{revision}^{{commit}}\n".encode()
        checked = ("cat-file", "--batch-check=%(objectname)")
        answer = self._git(*checked, given=asked).decode().strip()
        if "\n" in revision or len(answer.split()) != 1:
            raise self._unknown(revision, "That repository does not have this revision.")
        return answer


@contextmanager
def own_source() -> Iterator[Source]:
    """The templates of this tool itself."""
    root = source_root()
    kind = Package if (root / BUNDLE).is_file() else Checkout
    with _workplace() as folder:
        yield kind(OWN_ADDRESS, folder, own=root)


@contextmanager
def opened(place: Place | None) -> Iterator[Source]:
    """The templates at `place`; this tool's own where it is None or names them."""
    if place is None or place.address == OWN_ADDRESS:
        with own_source() as source:
            yield source
        return
    with _workplace() as folder:
        yield Remote(place.address, folder, url=place.url, pinned=place.revision)


def catalog_of(source: Source) -> Catalog:
    """The catalog of the newest release. Raises SourceError where it has none."""
    root = source.root(source.newest)
    with _as_ours(source):
        return catalog.load(root, source.origin)


def questions_of(source: Source) -> tuple[Question, ...]:
    """What the newest release asks. Raises SourceError where that cannot be read."""
    root = source.root(source.newest)
    with _as_ours(source):
        return catalog.fields_of(root)


@contextmanager
def _as_ours(source: Source) -> Iterator[None]:
    try:
        yield
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        about = f"{type(error).__name__}: {error}"
        raise SourceError(
            f"The templates of {source.address} do not have the expected structure ({about})."
        ) from error


def place_of(origin: Origin, configured: Place | None) -> Place | None:
    """Where an update of a service from `origin` reads: there, and at the revision that is set."""
    if origin.address == OWN_ADDRESS:
        return None
    if configured and configured.address == origin.address:
        return configured
    return place(origin.address, "the service's record")


@contextmanager
def _workplace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="scaffold-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _cloned(address: str, folder: Path) -> Path:
    """A bare copy of the repository at `address`. Raises SourceError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        allowed = ("-c", "protocol.file.allow=always")
        git(folder.parent, *allowed, "clone", "--quiet", "--bare", "--", address, str(folder))
    except ProgramFailed as failed:
        raise SourceError(f"The templates of {address} cannot be read: {failed}.") from failed
    return folder


def _named(bare: Path) -> Mapping[str, str]:
    """The environment in which git works on a bare repository, also if it may not look for one."""
    return {"GIT_DIR": str(bare)}
