"""Plays `scaffold new` at a terminal and writes what it shows into docs/pictures.

    python -m docs.record [--check]

The real program runs, with keys as a person presses them; the times between them are chosen here,
so that the same program gives the same pictures: wizard.svg, which moves, and first-look.svg with
the recommendation and the files beside each other. `--check` writes nothing and says whether they
are what the program shows today.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import dropwhile, groupby, takewhile, zip_longest
from pathlib import Path
from typing import Any

import pexpect
import pyte

from docs.terminal_picture import LIGHT, Frame, Row, Run, Screen, picture

HERE = Path(__file__).resolve().parent
MOVING, STILL_ONE = (HERE / "pictures" / name for name in ("wizard.svg", "first-look.svg"))
COLUMNS, ROWS = 78, 40
GAP, TREE_COLUMNS = 3, 38  # of the still one: the files stand on the right
PATIENCE = 60.0  # seconds
ENTER, DOWN = "\r", "\x1b[B"
COMMAND = "scaffold new my-svc"
PROMPT = "$ "
WHERE_IS_THE_CURSOR = "\x1b[6n"
# What is asked, the keys that answer it, and how long one looks at each screen on the way.
SCENES = [
    ("How do clients talk to it?", [DOWN, ENTER], 2.2),
    ("How large will the service become?", [DOWN, ENTER], 1.1),
    ("Will people sign in and edit its data?", [ENTER], 1.0),
    ("What kind of load do you expect?", [DOWN, DOWN, ENTER], 0.9),
    ("What should the API offer its clients?", [ENTER], 1.0),
    ("What does the team know?", [DOWN, DOWN, DOWN, ENTER], 0.8),
    ("Which framework do you want to use?", [ENTER], 7.0),
    ("What does it store?", [ENTER], 2.2),
    ("What does it do, in one sentence?", [ENTER], 1.0),
    ("Who owns it?", [ENTER], 1.0),
    ("Which database does it use?", [ENTER], 1.0),
    ("Where does its CI run?", [ENTER], 1.0),
    ("Which optional features should it have?", [ENTER], 1.0),
]
STILL = "Which framework do you want to use?"
LAST_SECONDS = 8.0
TITLE = "scaffold new"
TEXT = (
    "A terminal. scaffold new asks six questions about the workload, shows which framework fits"
    " best with reasons and a runner-up, asks about the project, generates the service, and ends"
    " with the next three commands and the one line that repeats the run without questions."
)

LOOK = (
    "A terminal. On the left the framework that scaffold recommends, with reasons, the runner-up"
    " and a menu of all nine with their fit; on the right the files of the generated service."
)


class Stage:
    """The program at a terminal, and the frames that were taken of it."""

    def __init__(self, folder: Path) -> None:
        # Tall, so that nothing scrolls away before it is cut to the picture's rows.
        self._screen = pyte.Screen(COLUMNS, 400)
        self._stream = pyte.Stream(self._screen)
        self.frames: list[Frame] = []
        self._child = pexpect.spawn(
            sys.executable,
            ["-m", "scaffold", *COMMAND.split()[1:]],
            cwd=os.fspath(folder),
            env=_environment(folder),
            dimensions=(400, COLUMNS),
            encoding="utf-8",
        )
        self._stream.feed(PROMPT + COMMAND + "\r\n")

    def take(self, seconds: float, still: bool = False) -> None:
        """One frame of what is to be seen now."""
        self.frames.append(Frame(_visible(self._screen), seconds, still))

    def rows(self) -> list[Row]:
        """All that is to be seen now."""
        rows = [_row(self._screen.buffer[number]) for number in range(self._screen.lines)]
        used = max((number + 1 for number, row in enumerate(rows) if row), default=0)
        return rows[:used]

    def press(self, keys: str) -> None:
        self._child.send(keys)

    def wait(self, condition: Callable[[str], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition(self._text()):
            if time.monotonic() > deadline:
                raise SystemExit(f"no {what!r}:\n{self._text()}")
            if not self._read():
                return

    def end(self) -> int:
        while self._read():
            pass
        self._child.wait()
        return int(self._child.exitstatus or 0)

    def _read(self) -> bool:
        try:
            data = self._child.read_nonblocking(4096, timeout=0.3)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        # pyte knows no faint; nothing here is in italics, so that stands for it.
        self._stream.feed(data.replace("\x1b[2m", "\x1b[3m").replace("\x1b[0;2m", "\x1b[0;3m"))
        for _ in range(data.count(WHERE_IS_THE_CURSOR)):
            self._child.send(f"\x1b[{self._screen.cursor.y + 1};{self._screen.cursor.x + 1}R")
        return True

    def _text(self) -> str:
        return " ".join(" ".join(self._screen.display).split())


def _environment(folder: Path) -> dict[str, str]:
    who = {f"GIT_{role}_{key}": "ada@example.com" for role in ("AUTHOR", "COMMITTER")
           for key in ("NAME", "EMAIL")}  # fmt: skip
    return {
        **who,
        **{k: v for k, v in os.environ.items() if k.startswith(("UV_", "SSL_"))},
        "UV_CACHE_DIR": str(Path.home() / ".cache" / "uv"),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(HERE.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folder),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }


def _visible(screen: Any) -> Screen:
    """The last rows that have anything on them, as many as the picture has."""
    rows = [_row(screen.buffer[number]) for number in range(screen.lines)]
    used = max((number + 1 for number, row in enumerate(rows) if row), default=0)
    first = max(0, used + 1 - ROWS)
    return tuple(rows[first : first + ROWS])


def _row(cells: Any) -> Row:
    styled = [(column, cells[column]) for column in range(COLUMNS)]
    runs = []
    for (colour, bold), group in groupby(styled, key=lambda one: _style(one[1])):
        part = list(group)
        text = "".join(cell.data for _, cell in part)
        begin = part[0][0] + len(text) - len(text.lstrip(" "))
        if text.strip(" "):
            runs.append(Run(begin, text.strip(" "), colour, bold))
    return tuple(runs)


def _style(cell: Any) -> tuple[str, bool]:
    colour = "faint" if cell.italics or cell.fg == "brightblack" else cell.fg
    return (colour if colour in LIGHT else "text"), cell.bold


def typed() -> Iterator[Frame]:
    """The command as it is typed."""
    for end in range(0, len(COMMAND) + 1, 3):
        row = (Run(0, PROMPT + COMMAND[: end or None] if end else "$", "text", False),)
        yield Frame((row, *((),) * (ROWS - 1)), 0.12 if end else 0.8)


def play(folder: Path) -> tuple[list[Frame], Frame]:
    """The frames of the moving picture, and the one of the still picture."""
    stage = Stage(folder)
    asked: list[Row] = []
    for question, keys, seconds in SCENES:
        stage.wait(lambda text, q=question: f"? {q}" in text, question)  # type: ignore[misc]
        stage.take(seconds, still=question == STILL)
        asked = stage.rows() if question == STILL else asked
        for key in keys[:-1]:
            _press_and_see(stage, key)
            stage.take(0.9)
        stage.press(keys[-1])
        stage.wait(lambda text, q=question: f"? {q}" not in text, f"an answer: {question}")  # type: ignore[misc]
    if code := stage.end():
        raise SystemExit(f"it ended with {code}")
    stage.take(LAST_SECONDS)
    return [*typed(), *stage.frames], beside(asked, stage.rows())


def beside(asked: Sequence[Row], ended: Sequence[Row]) -> Frame:
    """The recommendation and the menu on the left, and the files on the right."""
    left = list(dropwhile(lambda row: not _begins(row, "Best match"), asked))
    tree = dropwhile(lambda row: not _begins(row, "my-svc/"), ended)
    right = [
        tuple(replace(run, column=run.column + COLUMNS + GAP) for run in row)
        for row in takewhile(bool, tree)
    ]
    rows = zip_longest(left, right, fillvalue=())
    return Frame(tuple((*one, *other) for one, other in rows), 1.0, still=True)


def _begins(row: Row, words: str) -> bool:
    return " ".join(run.text for run in row).startswith(words)


def _press_and_see(stage: Stage, key: str) -> None:
    """Presses a key, and waits until the screen has changed by it."""
    before = _visible(stage._screen)
    stage.press(key)
    stage.wait(lambda _: _visible(stage._screen) != before, repr(key))


def recorded() -> dict[Path, str]:
    """The pictures of the program as it is today."""
    with tempfile.TemporaryDirectory() as name:
        frames, look = play(Path(name))
    wide = COLUMNS + GAP + TREE_COLUMNS
    return {
        MOVING: picture(frames, COLUMNS, ROWS, TITLE, TEXT),
        STILL_ONE: picture([look], wide, len(look.screen), TITLE, LOOK),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    checks = parser.parse_args().check
    for path, made in recorded().items():
        if not checks:
            path.write_text(made, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != made:
            raise SystemExit(f"{path} is not what the wizard shows: run python -m docs.record")


if __name__ == "__main__":
    main()
