"""A folder that appears whole or not at all, whatever ends the run.

It is filled in a hidden folder beside its target and moved there by one rename. The hidden folder
is locked for as long as its run lives, so that the next run can tell one that was left behind
(SIGKILL, power) from one in use, and removes it.
"""

import errno
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from scaffold.errors import TargetRefuses

MARK = ".scaffold-"
LOCK = "lock"
NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # some network file systems


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """An empty folder to fill, of the target's name, that becomes `target` when the block ends.

    Raises TargetRefuses where `target` has something in it already, before the block or after.
    """
    refuse_taken(target)
    with _parent_of(target):
        remove_abandoned(target)
        with _locked_folder(target) as holder:
            folder = holder / target.name
            folder.mkdir()
            yield folder
            _move(folder, target)


def refuse_taken(target: Path) -> None:
    """Raises TargetRefuses unless `target` is absent or an empty folder."""
    if target.is_symlink():
        raise TargetRefuses(f"{target} is a symbolic link; choose another name or --output.")
    if target.exists() and not target.is_dir():
        raise TargetRefuses(f"{target} is a file; choose another name or --output.")
    if target.is_dir() and any(target.iterdir()):
        raise TargetRefuses(f"{target} is not empty; choose another name or --output.")


def remove_abandoned(target: Path) -> None:
    """Removes the hidden folders that earlier runs for `target` left behind."""
    for left in target.parent.glob(f".{target.name}{MARK}*"):
        with suppress(OSError):
            os.close(_lock(left))
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _parent_of(target: Path) -> Iterator[None]:
    """The folder that holds `target`, made where it is missing, and gone again after a failure."""
    made = [parent for parent in target.parents if not parent.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for parent in made:
                parent.rmdir()
        raise


@contextmanager
def _locked_folder(target: Path) -> Iterator[Path]:
    with _no_interruption() as allow_interruption:
        holder, lock = _new_locked_folder(target)
        try:
            allow_interruption()
            yield holder
        finally:
            with _no_interruption():
                os.close(lock)
                shutil.rmtree(holder, ignore_errors=True)


def _new_locked_folder(target: Path) -> tuple[Path, int]:
    while True:
        holder = Path(tempfile.mkdtemp(prefix=f".{target.name}{MARK}", dir=target.parent))
        try:
            return holder, _lock(holder)
        except (BlockingIOError, FileNotFoundError):
            continue  # another run saw it without its lock and took it for abandoned
        except OSError:
            shutil.rmtree(holder, ignore_errors=True)
            raise


def _lock(folder: Path) -> int:
    """A descriptor that holds the folder's lock. Raises BlockingIOError if another run has it."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _exclusive(descriptor)
        (folder / LOCK).stat()  # the other run may have removed it just before
    except OSError:
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
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in NO_LOCKS_HERE:
                raise


def _move(folder: Path, target: Path) -> None:
    try:
        if sys.platform == "win32" and target.is_dir():
            target.rmdir()  # there a rename does not replace an empty folder
        folder.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise TargetRefuses(f"{target} was made by another run meanwhile.") from error
        raise


@contextmanager
def _no_interruption() -> Iterator[Callable[[], object]]:
    """Puts off SIGINT and SIGTERM to the end of the block, or until what it yields is called."""
    if sys.platform == "win32":
        yield lambda: None
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    allow = partial(signal.pthread_sigmask, signal.SIG_SETMASK, before)
    try:
        yield allow
    finally:
        allow()
