"""Start and end a run: signals are handled first, so that an early Ctrl-C shows no traceback."""

import _thread
import gc
import math
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import TextIO

UNEXPECTED = 1
INTERRUPTED = 130
SECONDS_FOR_TIDYING = 1
# Objects between two collections: a run is short, and what it imports is not garbage.
GARBAGE = 50_000


class Interruption:
    """The signals that end a run, as one exception, until `over`.

    A second one right after the first would tear up the first one's tidying. One that comes while
    a destructor runs is lost there by Python's rules: it is sent again.
    """

    def __init__(self) -> None:
        self.over = False
        self._last = -math.inf
        sys.unraisablehook = self._lost
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # A shell or nohup may have told us not to heed one of them.
            if number and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._raise)

    def _raise(self, _signum: int, _frame: FrameType | None) -> None:
        if not self.over and time.monotonic() - self._last > SECONDS_FOR_TIDYING:
            self._last = time.monotonic()
            raise KeyboardInterrupt

    def _lost(self, unraisable: "sys.UnraisableHookArgs") -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._last = -math.inf
            threading.Timer(0.01, _interrupt_main_thread).start()
        else:
            sys.__unraisablehook__(unraisable)


def _interrupt_main_thread() -> None:
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def main() -> None:
    """The console script."""
    _open_missing_streams()
    gc.set_threshold(GARBAGE)
    try:
        interruption = Interruption()
        from scaffold.cli import run

        code = _flushed(run(sys.argv[1:]))
        interruption.over = True
    except KeyboardInterrupt:
        code = _flushed(INTERRUPTED)
    sys.exit(code)


def _open_missing_streams() -> None:
    """A shell may close any of the three, and Python then has None in its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _flushed(code: int) -> int:
    """`code`, once all is written; a reader that went away (`| head`) is no failure of ours."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard(sys.stdout)
    except OSError as error:
        _discard(sys.stdout)
        code = code or UNEXPECTED
        with suppress(OSError):
            print(f"scaffold: cannot write the output: {error.strerror}.", file=sys.stderr)
    try:
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)
    return code


def _discard(stream: TextIO) -> None:
    """Sends what a stream still holds where everything may go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
