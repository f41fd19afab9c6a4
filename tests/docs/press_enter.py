"""Runs a command at a terminal of its own, and presses Enter whenever it waits for an answer.

    python press_enter.py COMMAND [ARGUMENT ...]

It prints what the screen shows at the end, and ends with the command's own exit code.
"""

from __future__ import annotations

import os
import sys
import time

import pexpect
import pyte

WHERE_IS_THE_CURSOR = "\x1b[6n"
COLUMNS = 100
ROWS = 300
QUIET_SECONDS = 0.5  # of silence: it waits
PATIENCE = 200  # seconds, for all of it


def press_enter(command: list[str]) -> tuple[str, int]:
    """The last screen and the exit code of `command`."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    child = pexpect.spawn(
        command[0],
        command[1:],
        dimensions=(ROWS, COLUMNS),
        encoding="utf-8",
        env={**os.environ, "TERM": "xterm-256color"},
    )
    seen, deadline = "", time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            data = child.read_nonblocking(4096, timeout=QUIET_SECONDS)
        except pexpect.TIMEOUT:
            asked = next((line for line in screen.display if line.startswith("? ")), "")
            if asked and asked != seen:
                child.send("\r")
            seen = asked
            continue
        except pexpect.EOF:
            break
        stream.feed(data)
        seen = ""
        for _ in range(data.count(WHERE_IS_THE_CURSOR)):
            child.send(f"\x1b[{screen.cursor.y + 1};{screen.cursor.x + 1}R")
    else:
        child.close(force=True)
    if child.isalive():
        child.wait()
    text = "\n".join(line.rstrip() for line in screen.display).rstrip()
    return text, child.exitstatus if child.exitstatus is not None else 1


if __name__ == "__main__":
    shown, code = press_enter(sys.argv[1:])
    print(shown)
    raise SystemExit(code)
