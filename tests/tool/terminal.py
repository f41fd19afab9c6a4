"""The command on a real terminal: keys go in, and what the screen shows comes out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pexpect
import pyte
from pexpect.fdpexpect import fdspawn

from tests.tool import warm
from tests.tool.conftest import Checkout

PATIENCE = 60.0  # seconds
ENTER = "\r"
DOWN = "\x1b[B"
LEFT = "\x1b[D"
ESC = "\x1b"
SHIFT_TAB = "\x1b[Z"
CTRL_C = "\x03"
CTRL_D = "\x04"
WHERE_IS_THE_CURSOR = "\x1b[6n"


class Terminal:
    """A terminal of `columns`, tall enough that nothing scrolls away."""

    def __init__(
        self,
        checkout: Checkout,
        cwd: Path,
        *arguments: str,
        columns: int = 80,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        rows = 200
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self.screen)
        self.written = ""
        self._seen = 0
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._run = warm.started().run(
            checkout.root,
            arguments,
            cwd,
            {
                **checkout.environment,
                "TERM": "xterm-256color",
                "LANG": "C.UTF-8",
                **(environment or {}),
            },
            (slave, slave, slave),
        )
        os.close(slave)
        self._ended = False
        self._master = fdspawn(master, encoding="utf-8", timeout=PATIENCE)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._run.pid, signal.SIGKILL)
            self._run.wait(PATIENCE)
        self._master.close()

    @property
    def text(self) -> str:
        """What a person sees, without trailing blanks."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def wait_for(self, words: str) -> None:
        self._read_until(lambda: words in " ".join(self.text.split()), words)

    def wait_for_new(self, words: str) -> None:
        """Waits for words that were written since this was called last."""
        self._read_until(lambda: words in " ".join(self.written[self._seen :].split()), words)
        self._seen = len(self.written)

    def send(self, keys: str) -> None:
        self._master.send(keys)

    def answer(self, question: str, keys: str) -> None:
        """Waits until `question` is the one that is asked, and answers it."""
        self.wait_for(f"? {question}")
        self.send(keys)
        self._read_until(lambda: f"? {question}" not in " ".join(self.text.split()), "an answer")

    def try_answer(self, question: str, keys: str, refusal: str) -> None:
        """Gives an answer that is refused, and waits until it is asked again below."""
        self.wait_for(f"? {question}")
        self.send(keys)

        def asked_again() -> bool:
            seen = " ".join(self.text.split())
            return 0 <= seen.find(refusal) < seen.rfind(f"? {question}")

        self._read_until(asked_again, refusal)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._run.pid, number)

    def end(self) -> int:
        """Waits for the end of the command and returns its exit code."""
        self._read_until(lambda: False, "the end", until_end=True)
        self._ended = True
        code = self._run.wait(PATIENCE)
        assert code >= 0, f"killed by {signal.Signals(-code).name}"
        return code

    def _read_until(
        self, condition: Callable[[], bool], what: str, until_end: bool = False
    ) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"no {what!r} within {PATIENCE} s:\n{self.text}"
            try:
                self._show(self._master.read_nonblocking(4096, timeout=1))
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                assert until_end or condition(), f"ended before {what!r}:\n{self.text}"
                return

    def _show(self, data: str) -> None:
        self.written += data
        self._stream.feed(data)
        for _ in range(data.count(WHERE_IS_THE_CURSOR)):
            self.send(f"\x1b[{self.screen.cursor.y + 1};{self.screen.cursor.x + 1}R")
