"""A folder that appears whole or not at all, whatever ends the run.

It is filled in a hidden folder beside its target and moved there by one rename. A target that is
there already (empty, or with only `.git`) stays the folder that it is: the hidden one lies in it,
and what is in that is moved up, which the next run completes if it was killed. The hidden folder
is locked for as long as its run lives, so that the next run beside it can tell one that was left
behind by SIGKILL from one in use, and removes it.
"""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scaffold.errors import TargetError
from scaffold.escaping import quote_path
from scaffold.processes import LOCK, lock, no_interruption

MARK = ".scaffold-"
COMPLETE = "complete"  # in a hidden folder whose files only have to be moved up
GIT = ".git"
OURS = re.compile(rf"\.(?P<name>.+){re.escape(MARK)}[a-z0-9_]{{8}}")


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """An empty folder to fill, of the target's name, that becomes `target` when the block ends.

    A target that is empty, or has only `.git`, is filled and stays itself.

    Raises TargetError where `target` has something in it already, before the block or after.
    """
    remove_abandoned(target)
    refuse_taken(target)
    with _parent_of(target), _locked_folder(target) as holder:
        folder = holder / target.name
        folder.mkdir()
        yield folder
        if holder.parent == target:
            (holder / COMPLETE).touch()
            with no_interruption():
                _fill(folder, target)
        else:
            _move(folder, target)


def refuse_taken(target: Path) -> None:
    """Raises TargetError unless `target` is absent or a folder with nothing in it but `.git`."""
    if target.is_symlink():
        raise _refused(target, "is a symbolic link")
    if target.exists() and not target.is_dir():
        raise _refused(target, "is a file")
    if target.is_dir() and any(path.name != GIT for path in target.iterdir()):
        raise _refused(target, "is not empty")
    there = next((parent for parent in target.parents if os.path.lexists(parent)), target)
    if not there.is_dir() and there != target:
        raise TargetError(f"{quote_path(there)} is not a folder; choose another --output.")


def _refused(target: Path, why: str) -> TargetError:
    return TargetError(f"{quote_path(target)} {why}; choose another name or --output.")


def remove_abandoned(target: Path) -> None:
    """Removes the hidden folders that earlier runs left behind beside `target`, or in it."""
    for left in (*target.parent.glob(f".*{MARK}*"), *target.glob(f".*{MARK}*")):
        with suppress(OSError):
            if _is_ours(left):
                os.close(lock(left, or_go_without=False))
                if (left / COMPLETE).exists():
                    _complete(left)
                _remove(left)


def _complete(left: Path) -> None:
    """Moves up what a killed run did not come to; what somebody else put there stays."""
    for folder in [path for path in left.iterdir() if path.is_dir()]:
        for path in folder.iterdir():
            if not os.path.lexists(left.parent / path.name):
                path.rename(left.parent / path.name)


def _is_ours(folder: Path) -> bool:
    """Whether a hidden folder can only be a run's own, and nothing that somebody keeps."""
    named = OURS.fullmatch(folder.name)
    if not named or folder.is_symlink():
        return False
    return {path.name for path in folder.iterdir()} <= {LOCK, COMPLETE, named["name"]}


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
        holder, descriptor = _new_locked_folder(target)
        try:
            try:
                allow_interruption()
                yield holder
            finally:
                _remove(holder)
        finally:  # a run is interrupted once: if just there, then not here
            os.close(descriptor)
            _remove(holder)


def _new_locked_folder(target: Path) -> tuple[Path, int]:
    while True:
        place = target if target.is_dir() else target.parent
        holder = Path(tempfile.mkdtemp(prefix=f".{target.name}{MARK}", dir=place))
        try:
            return holder, lock(holder, or_go_without=True)
        except (BlockingIOError, FileNotFoundError):
            continue  # another run saw it without its lock and took it for abandoned
        except OSError:
            _remove(holder)
            raise


def _move(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise _made_meanwhile(target) from error
        raise


def _fill(folder: Path, target: Path) -> None:
    """Moves everything in `folder` into `target`, or nothing."""
    moved: list[str] = []
    try:
        for name in sorted(path.name for path in folder.iterdir()):
            if os.path.lexists(target / name):
                raise _made_meanwhile(target / name)
            (folder / name).rename(target / name)
            moved.append(name)
    except BaseException:
        for name in moved:
            (target / name).rename(folder / name)
        raise


def _made_meanwhile(path: Path) -> TargetError:
    return TargetError(f"{quote_path(path)} was created by another run in the meantime.")
