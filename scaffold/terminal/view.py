"""What a terminal can show: its width, colour, and which characters. Pure."""

import re
import textwrap
from typing import NamedTuple

WIDEST = 100
NARROWEST = 20  # a terminal may say that it has no columns at all
NO_BREAK = "\u00a0"  # textwrap leaves it alone
TOGETHER = re.compile(
    r"(?<=\d) (?=(?:%|s|ms|µs|us|MB)(?!\w))|(?<=\d[a-z]{2}) (?=of \d)|(?<=\bof) (?=\d)"
)
STYLES = {"strong": "1", "quiet": "2", "good": "32", "warn": "33", "bad": "31"}


class Terminal(NamedTuple):
    """`width` in columns; `drawing` is False where only ASCII can be shown.

    `wraps` is whether a longer line goes on below, as on a screen and not in a file.
    """

    width: int
    colour: bool
    drawing: bool
    wraps: bool = False

    def style(self, text: str, style: str) -> str:
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if self.colour else text

    def wrapped(self, text: str, indent: str = "", first: str | None = None) -> list[str]:
        """`text` in lines that fit; `first` stands before the first, `indent` before the others.

        A number stays on one line with its unit.
        """
        lines = textwrap.wrap(
            TOGETHER.sub(NO_BREAK, text),
            min(self.width, WIDEST) - 1,
            initial_indent=indent if first is None else first,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
        return [line.replace(NO_BREAK, " ") for line in lines]

    def warning(self, text: str) -> str:
        """Each line of `text` in lines that fit."""
        lines = (line for part in text.splitlines() for line in self.wrapped(part))
        return self.style("\n".join(lines), "warn")

    def bar(self, share: float, cells: int = 10) -> str:
        full = round(max(0.0, min(share, 1.0)) * cells)
        return (
            ("█" * full + "░" * (cells - full))
            if self.drawing
            else "#" * full + "." * (cells - full)
        )

    def drawn(self, text: str) -> str:
        """`text` with its signs in ASCII where nothing else can be shown."""
        return text if self.drawing else text.replace("µ", "u")


def percent(share: float) -> str:
    return f"{round(share * 100)} %"
