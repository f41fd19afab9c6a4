"""The record of a merge that is being applied, from which it can be undone.

It lies in a folder inside the git directory, so that no command of git sees it, and is locked for
as long as its run lives. What a killed run left there is undone by `recover`: files that are as
the run left them become as they were; a file that somebody changed since is left alone.
"""

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from scaffold import processes
from scaffold.errors import IndexLocked, TargetError
from scaffold.escaping import quote_path
from scaffold.merging.repository import Repository
from scaffold.programs import git_line, git_paths

FOLDER = "scaffold-update"
PLAN = "plan.json"
ANOTHER_RUN = "scaffold is already running on {}; wait for that run to finish."


class Step(NamedTuple):
    """One file: its fingerprint before and after (None where it is absent), where it is kept."""

    path: str
    before: str | None
    after: str | None
    kept: str


@dataclass
class Journal:
    repository: Repository
    folder: Path
    steps: Sequence[Step] = ()
    replaced_folders: Sequence[tuple[str, int]] = ()  # and their modes
    new_folders: Sequence[str] = ()
    entries: Sequence[str] = ()
    head: str = ""
    skipped: set[str] = field(default_factory=set)
    pending: bool = False  # whether there is something to undo

    @property
    def new(self) -> Path:
        return self.folder / "new"

    @property
    def old(self) -> Path:
        return self.folder / "old"

    @property
    def index(self) -> Path:
        return self.folder / "index"

    @property
    def lock(self) -> Path:
        """The file by which git keeps others from changing the index."""
        return self.repository.git_dir / "index.lock"

    @property
    def token(self) -> str:
        return ".scaffold-new"

    def write(self, steps: Sequence[Step], folders: Sequence[str], entries: Sequence[str]) -> None:
        """Writes down what is about to be done; from here on it can be undone."""
        top = self.repository.top
        self.steps = steps
        self.replaced_folders = [(one, stat.S_IMODE((top / one).stat().st_mode)) for one in folders]
        self.new_folders = sorted({one for step in steps if step.after for one in self._new(step)})
        self.entries = entries
        self.head = git_line(top, "rev-parse", "HEAD")
        names = ("steps", "replaced_folders", "new_folders", "entries", "head")
        partial = self.folder / f"{PLAN}.partial"
        partial.write_text(json.dumps({name: getattr(self, name) for name in names}))
        flush(partial)
        self.pending = True
        partial.rename(self.folder / PLAN)
        flush(self.folder)

    def _new(self, step: Step) -> Iterator[str]:
        """The folders that have to be made for a file."""
        path = Path(step.path)
        for parent in [*path.parents][:-1]:
            place = self.repository.top / parent
            if not place.is_dir() or place.is_symlink():
                yield parent.as_posix()

    def read(self) -> bool:
        """Whether there is something that may have to be undone."""
        if not (self.folder / PLAN).is_file():
            return False
        plan = json.loads((self.folder / PLAN).read_text())
        self.steps = [Step(*step) for step in plan.pop("steps")]
        self.replaced_folders = [(name, mode) for name, mode in plan.pop("replaced_folders")]
        for name, value in plan.items():
            setattr(self, name, value)
        return True

    def undo(self) -> None:
        """Makes every file as it was, unless it is neither as it was nor as it was to become."""
        top = self.repository.top
        for step in self.steps:
            place = top / step.path
            with suppress(FileNotFoundError, NotADirectoryError):
                _partial(place, self.token).unlink()
            if step.after is not None and fingerprint(place) == step.after != step.before:
                self._restore(step) if step.before is not None else place.unlink()
        for folder in sorted(self.new_folders, key=len, reverse=True):
            with suppress(OSError):  # what somebody put there stays
                (top / folder).rmdir()
        for folder, mode in reversed(self.replaced_folders):
            with suppress(FileExistsError):
                (top / folder).mkdir()
                (top / folder).chmod(mode)
        for step in self.steps:
            if step.before is not None and not os.path.lexists(top / step.path):
                self._restore(step)
        self.pending = False

    def undo_or_tell(self) -> None:
        """Undoes; raises TargetError if that fails, and all that is needed to do it stays."""
        try:
            self.undo()
        except OSError as error:
            where = quote_path(error.filename2 or error.filename or self.folder)
            raise TargetError(
                f"A run of scaffold failed, and its changes cannot be undone yet: {where} cannot "
                f"be written ({error.strerror or error}). Fix that and run "
                f"`{self.repository.command}` again; it undoes them with the files in "
                f"{quote_path(self.folder)}."
            ) from error

    def _restore(self, step: Step) -> None:
        place = self.repository.top / step.path
        put(self.old / step.kept, place, self.token)

    def is_applied(self) -> bool:
        """Whether the index has what was to be written to it."""
        touched = {step.path for step in self.steps} | {e.split("\t", 1)[1] for e in self.entries}
        listed = git_paths(self.repository.top, "ls-files", "--stage", "-z", "--full-name")
        return {e for e in listed if e.split("\t", 1)[1] in touched} == set(self.entries)

    def unlock_index(self) -> None:
        """Removes the lock that a killed run left, if it is its own."""
        with suppress(FileNotFoundError):
            if self.lock.read_bytes() == self.index.read_bytes():
                self.lock.unlink()

    def remove(self) -> None:
        with suppress(OSError):
            (self.folder / PLAN).unlink()  # first: a half removed journal is no journal
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def begun(repository: Repository) -> Iterator[Journal]:
    """A new journal, which goes with the block."""
    record = Journal(repository, repository.git_dir / FOLDER)
    try:
        record.folder.mkdir()
    except FileExistsError:
        raise TargetError(ANOTHER_RUN.format(quote_path(repository.top))) from None
    descriptor = None
    try:
        descriptor = processes.lock(record.folder, or_go_without=True)
        record.new.mkdir()
        record.old.mkdir()
        yield record
    finally:
        with processes.no_interruption():
            if not record.pending:
                record.remove()
            if descriptor is not None:
                os.close(descriptor)


@contextmanager
def locked_index(repository: Repository, record: Journal) -> Iterator[None]:
    """Keeps git from changing the index; raises ProgramFailed if it is at it already.

    The lock is git's own, with the new index in it: to rename it is to change the index. If the
    block fails, what was done in it is undone.
    """
    try:
        _link_or_copy(record.index, record.lock)
    except FileExistsError:
        raise IndexLocked(
            f"git is running in {quote_path(repository.top)}, or was killed: "
            f"{quote_path(record.lock)} exists. If no git is running, remove that file."
        ) from None
    try:
        yield
    except BaseException:
        with processes.no_interruption():
            try:
                if record.pending:
                    record.undo_or_tell()
            finally:
                record.lock.unlink(missing_ok=True)
        raise


def recover(repository: Repository) -> bool:
    """Undoes what a killed run left half done; whether there was something.

    Raises TargetError if that run is alive.
    """
    record = Journal(repository, repository.git_dir / FOLDER)
    if not record.folder.is_dir():
        return False
    try:
        descriptor = processes.lock(record.folder, or_go_without=False)
    except BlockingIOError:
        raise TargetError(ANOTHER_RUN.format(quote_path(repository.top))) from None
    try:
        undone = record.read() and not record.is_applied()
        # Whoever has committed since has taken what there was.
        if undone and record.head == git_line(repository.top, "rev-parse", "HEAD"):
            record.undo_or_tell()
        record.unlock_index()
        record.remove()
    finally:
        os.close(descriptor)
    return undone


# ---- single files


def fingerprint(path: Path) -> str | None:
    """What is in a file, or where a link points; None where there is neither."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return f"link to {path.readlink()}"
        if not stat.S_ISREG(mode):
            return None
        executable = "executable " if mode & stat.S_IXUSR else ""
        return executable + hashlib.sha256(path.read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None


def keep(path: Path, kept: Path) -> None:
    """Keeps a file as it is, its times and rights included: by a second name, or as a copy."""
    try:
        os.link(path, kept, follow_symlinks=False)
    except OSError:  # another file system, or one without links
        shutil.copy2(path, kept, follow_symlinks=False)


def put(source: Path, target: Path, token: str) -> None:
    """Renames `source` to `target`, also if they are on two file systems."""
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copy2(source, _partial(target, token), follow_symlinks=False)
        _partial(target, token).replace(target)


def _partial(target: Path, token: str) -> Path:
    return target.with_name(f".{target.name}{token}")


def flush(path: Path) -> None:
    """Waits until a file or a folder is on the disk."""
    if path.is_symlink() or (os.name == "nt" and path.is_dir()):
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _link_or_copy(source: Path, target: Path) -> None:
    """`target`, which must not exist, with the content of `source`."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        with target.open("xb") as file:
            file.write(source.read_bytes())
