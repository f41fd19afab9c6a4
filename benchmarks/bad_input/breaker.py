"""Breaks a Python program at one of its writes. Installed into an environment, not imported here.

BREAK_BELOW names a folder; BREAK_KIND is "count" (how many writes below it there are, written to
BREAK_COUNT at the end), a signal such as SIGINT, or an error such as ENOSPC (from there on);
BREAK_AT is the number of the write. Only the program itself is broken, not what it starts.
"""

import atexit
import errno
import os
import signal

kind = os.environ.pop("BREAK_KIND", "")
folder = os.environ.get("BREAK_BELOW", "")
at = int(os.environ.get("BREAK_AT", "0"))
seen = 0


def is_write(event, arguments):
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    else:
        path = arguments[0] if arguments else ""
        writes = event in ("os.mkdir", "os.rename", "os.chmod", "os.symlink")
    if not writes or not isinstance(path, str | os.PathLike):
        return False
    try:
        return os.path.abspath(path).startswith(folder + os.sep)  # noqa: PTH100
    except OSError:
        return False


def hook(event, arguments):
    global seen
    if not is_write(event, arguments):
        return
    seen += 1
    if kind.startswith("SIG") and seen == at:
        os.kill(os.getpid(), getattr(signal, kind))
    elif kind.startswith("E") and seen >= at:
        number = getattr(errno, kind)
        raise OSError(number, os.strerror(number), arguments[0])


def tell():
    with open(os.environ["BREAK_COUNT"], "w") as file:  # noqa: PTH123
        file.write(str(seen))


if kind:
    import sys

    sys.addaudithook(hook)
    if kind == "count":
        atexit.register(tell)
