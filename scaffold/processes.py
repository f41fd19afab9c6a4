"""Keeps runs out of each other's way: locks on folders, and signals that are put off."""

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

LOCK = "lock"
NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # some network file systems


def lock(folder: Path, or_go_without: bool) -> int:
    """A descriptor that holds the folder's lock. Raises BlockingIOError if another run has it.

    If the file system has no locks it holds nothing, or an OSError says so.
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


@contextmanager
def no_interruption() -> Iterator[Callable[[], object]]:
    """Puts off what would end the run to the end of the block, or until its value is called.

    It is put off as well in the processes that begin meanwhile.
    """
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
