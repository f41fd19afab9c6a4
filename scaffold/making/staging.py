"""A folder that appears whole or not at all, whatever ends the run.

It is filled in a hidden folder beside its target and moved there by one rename. The hidden folder
is locked for as long as its run lives, so that the next run beside it can tell one that was left
behind by SIGKILL from one in use, and removes it.
"""

import errno
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from scaffold.errors import TargetError
from scaffold.escaping import quote_path

MARK = ".scaffold-"
LOCK = "lock"
OURS = re.compile(rf"\.(?P<name>.+){re.escape(MARK)}[a-z0-9_]{{8}}")
NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # some network file systems


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """An empty folder to fill, of the target's name, that becomes `target` when the block ends.

    Raises TargetError where `target` has something in it already, before the block or after.
    """
    remove_abandoned(target.parent)
    refuse_taken(target)
    with _parent_of(target), _locked_folder(target) as holder:
        folder = holder / target.name
        folder.mkdir()
        yield folder
        _move(folder, target)


def refuse_taken(target: Path) -> None:
    """Raises TargetError unless `target` is absent or an empty folder."""
    if target.is_symlink():
        raise _refused(target, "is a symbolic link")
    if target.exists() and not target.is_dir():
        raise _refused(target, "is a file")
    if target.is_dir() and any(target.iterdir()):
        raise _refused(target, "is not empty")
    there = next((parent for parent in target.parents if parent.exists()), target)
    if not there.is_dir() and there != target:
        raise TargetError(f"{quote_path(there)} is no folder; choose another --output.")


def _refused(target: Path, why: str) -> TargetError:
    return TargetError(f"{quote_path(target)} {why}; choose another name or --output.")


def remove_abandoned(parent: Path) -> None:
    """Removes the hidden folders that earlier runs left behind in `parent`."""
    for left in parent.glob(f".*{MARK}*"):
        with suppress(OSError):
            if _is_ours(left):
                os.close(_lock(left, or_go_without=False))
                _remove(left)


def _is_ours(folder: Path) -> bool:
    """Whether a hidden folder can only be a run's own, and nothing that somebody keeps."""
    named = OURS.fullmatch(folder.name)
    if not named or folder.is_symlink():
        return False
    return {path.name for path in folder.iterdir()} <= {LOCK, named["name"]}


def _remove(folder: Path) -> None:
    """Removes a folder and what is in it, also where a umask took our own right to."""
    with suppress(OSError):
        folder.chmod(0o700)
        for here, folders, _ in os.walk(folder):
            for name in folders:
                if not Path(here, name).is_symlink():
                    Path(here, name).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _parent_of(target: Path) -> Iterator[None]:
    """The folder that holds `target`, made where it is missing, and gone again after a failure."""
    missing = [parent for parent in target.parents if not parent.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for parent in missing:
            with suppress(OSError):  # what has something in it is needed by another run
                parent.rmdir()
        raise


@contextmanager
def _locked_folder(target: Path) -> Iterator[Path]:
    with no_interruption() as allow_interruption:
        holder, lock = _new_locked_folder(target)
        try:
            try:
                allow_interruption()
                yield holder
            finally:
                _remove(holder)
        finally:  # a run is interrupted once: if just there, then not here
            os.close(lock)
            _remove(holder)


def _new_locked_folder(target: Path) -> tuple[Path, int]:
    while True:
        holder = Path(tempfile.mkdtemp(prefix=f".{target.name}{MARK}", dir=target.parent))
        try:
            return holder, _lock(holder, or_go_without=True)
        except (BlockingIOError, FileNotFoundError):
            continue  # another run saw it without its lock and took it for abandoned
        except OSError:
            _remove(holder)
            raise


def _lock(folder: Path, or_go_without: bool) -> int:
    """A descriptor that holds the folder's lock. Raises BlockingIOError if another run has it.

    Where the file system has no locks it holds nothing, or an OSError says so.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _exclusive(descriptor)
        (folder / LOCK).stat()  # the other run may have removed it just before
    except OSError as error:
        if or_go_without and error.errno in NO_LOCKS_HERE:
            return descriptor
        os.close(descriptor)
        raise
    return descriptor


if sys.platform == "win32":
    import msvcrt

    def _exclusive(descriptor: int) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError from error

else:
    import fcntl

    def _exclusive(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _move(folder: Path, target: Path) -> None:
    try:
        if sys.platform == "win32" and target.is_dir():
            target.rmdir()  # there a rename does not replace an empty folder
        folder.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise TargetError(f"{quote_path(target)} was made by another run meanwhile.") from error
        raise


@contextmanager
def no_interruption() -> Iterator[Callable[[], object]]:
    """Puts off what would end the run to the end of the block, or until its value is called."""
    if sys.platform == "win32":
        yield lambda: None
        return
    ending = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    allow = partial(signal.pthread_sigmask, signal.SIG_SETMASK, before)
    try:
        yield allow
    finally:
        allow()
