"""Where a run begins and ends: signals first, so that an early Ctrl-C shows no traceback."""

import os
import signal
import sys
from types import FrameType

UNEXPECTED = 1
INTERRUPTED = 130


def main() -> None:
    """The console script."""
    _open_missing_streams()
    try:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if number := getattr(signal, name, None):
                signal.signal(number, _interrupt)
        from scaffold.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(_flushed(code))


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


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
        _discard_output()
    except OSError as error:
        _discard_output()
        print(f"scaffold: what it says cannot be written: {error.strerror}.", file=sys.stderr)
        return code or UNEXPECTED
    return code


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
