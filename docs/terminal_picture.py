"""Screens of a terminal as one SVG that plays them, in light and in dark.

A screen is a list of rows, a row a list of runs of text in one style. A row that stays the same
over several screens is drawn once, with the time in which it is seen. Without animation (a printer,
a reader who wants less motion) one sees the screen that the maker chose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

CELL, LINE = 8.4, 19  # pixels
MARGIN, BAR = 16, 34
LIGHT = {
    "page": "#fbfbfa", "edge": "#d5d5d0", "text": "#24292f", "faint": "#6a737d",
    "green": "#116329", "brown": "#7d4e00", "cyan": "#0a5e75", "red": "#a40e26",
}  # fmt: skip
DARK = {
    "page": "#16181d", "edge": "#33363d", "text": "#d7dae0", "faint": "#8b919c",
    "green": "#7ccf8a", "brown": "#e0b35a", "cyan": "#62c7dd", "red": "#f28b82",
}  # fmt: skip
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


@dataclass(frozen=True)
class Run:
    """Characters of one style that stand beside each other, from a column on."""

    column: int
    text: str
    colour: str  # a key of LIGHT
    bold: bool


Row = tuple[Run, ...]
Screen = tuple[Row, ...]


@dataclass(frozen=True)
class Frame:
    """`still` says that this is the one to show where nothing moves."""

    screen: Screen
    seconds: float
    still: bool = False


def picture(frames: Sequence[Frame], columns: int, rows: int, title: str, text: str) -> str:
    """The SVG; `title` names it, `text` says in words what is to be seen."""
    width, height = columns * CELL + 2 * MARGIN, rows * LINE + MARGIN + BAR
    total = sum(frame.seconds for frame in frames)
    keyframes: dict[tuple[int, int], str] = {}
    body = list(_rows(frames, rows, keyframes))
    style = "\n".join([*_colours(), *_animations(frames, keyframes, total)])
    dots = "".join(f'<circle cx="{22 + 18 * n}" cy="18" r="5.5" class="dot"/>' for n in range(3))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
            f'width="{width:g}" height="{height:g}" role="img" aria-labelledby="title text">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="text">{escape(text)}</desc>',
            f"<style>\n{style}\n</style>",
            f'<rect class="page" x=".5" y=".5" width="{width - 1:g}" height="{height - 1:g}"'
            ' rx="8"/>',
            dots,
            *body,
            "</svg>\n",
        ]
    )


def _rows(
    frames: Sequence[Frame], rows: int, keyframes: dict[tuple[int, int], str]
) -> Iterator[str]:
    """Each row of each stretch of time in which it does not change."""
    still = next(index for index, frame in enumerate(frames) if frame.still)
    for number in range(rows):
        seen = enumerate(frame.screen[number] for frame in frames)
        for row, stretch in groupby(seen, key=lambda one: one[1]):
            indexes = [index for index, _ in stretch]
            if not row:
                continue
            span = indexes[0], indexes[-1]
            always = span == (0, len(frames) - 1)
            name = keyframes.setdefault(span, f"f{len(keyframes)}") if not always else ""
            kind = " ".join(filter(None, [name, "" if still in indexes else "gone"]))
            y = BAR + (number + 0.75) * LINE
            classes = f" class={quoteattr(kind)}" if kind else ""
            yield f'<text y="{y:g}"{classes}>{_runs(row)}</text>'


def _runs(row: Row) -> str:
    return "".join(
        f'<tspan x="{MARGIN + run.column * CELL:g}" textLength="{len(run.text) * CELL:g}"'
        f'{_kind(run)}>{escape(run.text)}</tspan>'
        for run in row
    )  # fmt: skip


def _kind(run: Run) -> str:
    kinds = [run.colour] if run.colour != "text" else []
    kinds += ["bold"] if run.bold else []
    return f' class="{" ".join(kinds)}"' if kinds else ""


def _colours() -> Iterator[str]:
    yield f"text {{ font: 14px {FONT}; white-space: pre; fill: var(--text) }}"
    yield ".bold { font-weight: 700 } .gone { visibility: hidden }"
    yield ".page { fill: var(--page); stroke: var(--edge) } .dot { fill: var(--edge) }"
    yield " ".join(f".{name} {{ fill: var(--{name}) }}" for name in LIGHT if name not in _PARTS)
    yield f":root {{ {_variables(LIGHT)} }}"
    yield f"@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}"


_PARTS = {"page", "edge", "text"}


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())


def _animations(
    frames: Sequence[Frame], keyframes: dict[tuple[int, int], str], total: float
) -> Iterator[str]:
    starts = [sum(frame.seconds for frame in frames[:index]) for index in range(len(frames) + 1)]
    yield "@media (prefers-reduced-motion: no-preference) {"
    for (first, last), name in keyframes.items():
        begin, end = (100 * starts[index] / total for index in (first, last + 1))
        steps = [f"{begin:.3f}% {{ visibility: visible }}"]
        steps = ["0% { visibility: hidden }", *steps] if first else steps
        steps += [f"{end:.3f}% {{ visibility: hidden }}"] if last + 1 < len(frames) else []
        yield f"@keyframes {name} {{ {' '.join(steps)} }}"
        yield f".{name} {{ animation: {name} {total:g}s step-end infinite }}"
    yield "}"
